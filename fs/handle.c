/* SPDX-License-Identifier: MIT */
/* Open files: what open, read, write, flush, release and flock do with each kind of row. */
#include "fs/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/flaw.h"
#include "base/text.h"
#include "engine/lock.h"
#include "engine/quota.h"
#include "fs/content.h"
#include "fs/scratch.h"

static int wanted_access(int flags)
{
	static const int want[] = { [O_RDONLY] = MAY_READ,
		[O_WRONLY] = MAY_WRITE,
		[O_RDWR] = MAY_READ | MAY_WRITE,
		[3] = MAY_READ | MAY_WRITE };

	return want[flags & O_ACCMODE];
}

/* A temporary file, of which nothing is checked: it can be cut to nothing as anywhere. */
static bool is_temporary(struct tree *tree, struct node node)
{
	const struct scratch *scratch =
		node.table == TABLE_SCRATCH ? scratch_get(tree->scratch, node.id) : NULL;

	return scratch && !scratch->maker;
}

static bool writable_kind(enum kind kind)
{
	return kind == KIND_CONTROL || kind == KIND_DOCUMENT;
}

/* How long it has been what it is: by the time that it shows. A clock that was set back makes it new. */
static int64_t content_age(struct tree *tree, const struct handle *handle, struct view *view)
{
	struct attr attr;

	if (content_knows(tree->contents, handle->number) || entry_attr(view, handle->entry, &attr) < 0)
		return 0;
	return time_now_ms() - attr.mtime_ms;
}

/* Texts and streams of files that others may write are read in full at open: so "content is fixed at open".
 */
static int fix_content(struct tree *tree, struct request *request, struct handle *handle)
{
	struct view view = tree_view(tree, request, handle->node);
	int r;

	if (handle->entry->kind == KIND_STREAM || handle->entry->kind == KIND_WAIT)
		return 0;
	handle->content_fixed = true;
	if (handle->entry->kind == KIND_DOCUMENT && handle_writes(handle) && (handle->flags & O_TRUNC))
		return 0; /* the draft begins empty; what is stored stays until it is committed */
	if (handle->entry->kind == KIND_CONTROL && (handle->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	r = entry_render(&view, handle->entry, &handle->content);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	/* A lock is open as long as it is held, and written meanwhile. */
	if (request->from_kernel && !handle_writes(handle) && handle->entry->kind != KIND_CONTROL &&
		!handle->entry->fleeting && !handle->secret)
		handle->cached = content_open(tree->contents, handle->number, handle->door,
			handle->content.data, handle->content.size, content_age(tree, handle, &view),
			time_monotonic_ms(), &handle->same);
	return 0;
}

static void handle_free(struct handle *handle)
{
	if (!handle)
		return;
	quota_use(handle->engine, handle->uid, QUOTA_OPEN_FILES, -1);
	quota_use(handle->engine, handle->uid, QUOTA_OPEN_SIZE, -(int64_t)handle->counted);
	if ((handle->secret || handle_writes(handle)) && handle->content.data)
		explicit_bzero(handle->content.data, handle->content.capacity);
	buffer_done(&handle->content);
	buffer_done(&handle->begun);
	free(handle->targets);
	free(handle);
}

static void handle_freep(struct handle **handle)
{
	handle_free(*handle);
}

int tree_open(
	struct tree *tree, struct request *request, uint64_t number, int flags, struct handle **ret_handle)
{
	struct view view = tree_view(tree, request, node_resolve(tree, number));
	const struct entry *entry = node_entry(view.node);
	struct attr attr;
	int r;

	if (!entry)
		return -ESTALE;
	r = entry_rights(&view, entry, &attr);
	if (r < 0)
		return r;
	if (attr.kind == KIND_DIRECTORY)
		return -EISDIR;
	if (attr.kind == KIND_LINK)
		return -ELOOP;
	r = caller_access(&request->caller, attr.uid, attr.gid, attr.mode, wanted_access(flags));
	if (r < 0)
		return r;
	if ((flags & O_ACCMODE) != O_RDONLY && !writable_kind(attr.kind))
		return -EACCES; /* root, too: there is nothing behind it that could be written */

	return handle_open(tree, request, view.node, flags, ret_handle);
}

/* The row wants to know of it: who reads a secret leaves an event. Who fails to leaves none. */
static int tell_and_fix(struct tree *tree, struct request *request, struct handle *handle)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct view view = tree_view(tree, request, handle->node);
	int r;

	if (!handle->entry->opened)
		return fix_content(tree, request, handle);
	r = store_change_begin(tree->engine->store, &change);
	if (r == 0)
		r = handle->entry->opened(&view, (handle->flags & O_ACCMODE) != O_WRONLY);
	handle->secret = r == 1;
	if (r >= 0)
		r = fix_content(tree, request, handle);
	return r < 0 ? r : store_change_end(&change);
}

/* For the control of torture-soak: nobody will ever look at it again. */
static void lose_memory(void)
{
	static void *last;
	void *lost = malloc(128 << 10);

	if (!lost)
		return;
	memset(lost, 1, 128 << 10);
	memcpy(lost, &last, sizeof(last));
	last = lost;
}

int handle_open(
	struct tree *tree, struct request *request, struct node node, int flags, struct handle **ret_handle)
{
	CLEANUP(handle_freep) struct handle *handle = NULL;
	int r = handle_quota(tree, request, node_entry(node)->always);

	if (r < 0)
		return r;
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	if (flaw("leak"))
		lose_memory();
	handle->engine = tree->engine;
	handle->node = node;
	handle->number = node_number(node);
	handle->entry = node_entry(node);
	handle->flags = flags;
	handle->door = request->door;
	handle->opener = request->caller.pid;
	handle->uid = request->caller.uid;
	handle->gid = request->caller.gid;
	quota_use(tree->engine, handle->uid, QUOTA_OPEN_FILES, 1);
	handle->serial = ++tree->last_handle;
	r = tell_and_fix(tree, request, handle);
	if (r < 0)
		return r;
	handle_count(handle);
	if (handle_writes(handle))
		content_write_begin(tree->contents, handle->number);
	TAILQ_INSERT_TAIL(&tree->handles, handle, handles);
	if ((flags & O_TRUNC) && handle_writes(handle) && handle->entry->kind == KIND_DOCUMENT) {
		draft_begin(tree, handle);
		handle->dirty = is_temporary(tree, node);
	}
	*ret_handle = TAKE(handle);
	return 0;
}

/* A wait file's content: there when the thing is over. */
static int wait_ready(struct tree *tree, struct request *request, struct handle *handle)
{
	struct view view = tree_view(tree, request, handle->node);
	int r;

	if (handle->content_fixed)
		return 1;
	if (handle->entry->ask) {
		r = handle->entry->ask(&view, &handle->content);
		if (r < 0)
			return r;
		handle->content_fixed = true;
		return 1;
	}
	r = handle->entry->done(&view);
	if (r <= 0)
		return r;
	r = entry_render(&view, handle->entry, &handle->content);
	if (r < 0)
		return r;
	handle_count(handle);
	handle->content_fixed = true;
	return 1;
}

ssize_t tree_read(struct tree *tree, struct request *request, struct handle *handle, int64_t offset,
	char *data, size_t size)
{
	struct view view = tree_view(tree, request, handle->node);
	int r;

	if ((handle->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if (offset < 0)
		return -EINVAL;
	if (handle->entry->stream) {
		ssize_t n;

		view.mark = &handle->mark;
		n = handle->entry->stream->read(&view, offset, data, size);
		if (n >= 0)
			handle->read_end = offset + n;
		return n;
	}
	if (handle->entry->kind == KIND_WAIT) {
		request->handle = handle;
		request->data = data;
		request->size = size;
		request->offset = offset;
		r = wait_ready(tree, request, handle);
		if (r < 0)
			return r;
		if (r == 0)
			return handle->flags & O_NONBLOCK ? -EAGAIN : request_later(request, NULL, NULL);
	}
	/* A shell's `exec 3<>file` has one offset for both. */
	offset -= handle->answered ? handle->answer_start : 0;
	handle->answer_read = handle->answered;
	if (offset < 0 || (size_t)offset >= handle->content.size)
		return 0;
	if (size > handle->content.size - (size_t)offset)
		size = handle->content.size - (size_t)offset;
	memcpy(data, handle->content.data + offset, size);
	return (ssize_t)size;
}

ssize_t tree_write(struct tree *tree, struct request *request, struct handle *handle, int64_t offset,
	const char *data, size_t size)
{
	int64_t limit = tree->engine->config.max_document_size;
	int r;

	if (!handle_writes(handle))
		return -EBADF;
	if (size == 0)
		return 0;
	if (handle->entry->kind == KIND_CONTROL)
		return control_write(tree, request, handle, offset, data, size);
	if (handle->flags & O_APPEND)
		offset = (int64_t)handle->content.size;
	if (offset < 0)
		return -EINVAL;
	r = 0;
	if (offset > limit || (int64_t)size > limit - offset)
		r = draft_too_large(tree, request);
	else if ((size_t)offset + size > handle->content.size)
		r = quota_check(tree->engine, handle->uid, QUOTA_OPEN_SIZE,
			offset + (int64_t)size - (int64_t)handle->content.size, &request->fault);
	if (r == 0)
		r = buffer_store(&handle->content, (size_t)offset, data, size);
	handle_count(handle);
	draft_begin(tree, handle);
	handle->dirty = true;
	if (r < 0)
		handle->broken = r;
	return r < 0 ? r : (ssize_t)size;
}

/* Committing it takes a while, and needs a file that stays open. */
static bool is_slow(struct tree *tree, const struct handle *handle)
{
	const struct scratch *scratch =
		handle->node.table == TABLE_SCRATCH ? scratch_get(tree->scratch, handle->node.id) : NULL;

	return handle->entry->slow || (scratch && scratch->maker && scratch->maker->slow);
}

int tree_truncate(
	struct tree *tree, struct request *request, uint64_t number, struct handle *handle, int64_t size)
{
	CLEANUP(handle_freep) struct handle *own = NULL;
	int r;

	if (size < 0)
		return -EINVAL;
	if (size > tree->engine->config.max_document_size)
		return -EFBIG;
	if (handle && !handle_writes(handle))
		return -EINVAL;
	if (!handle) {
		/* truncate(2), or O_TRUNC as an older kernel spells it: as if opened, cut and closed. */
		r = tree_open(tree, request, number, O_WRONLY, &own);
		if (r < 0)
			return r;
		TAILQ_REMOVE(&tree->handles, own, handles);
		content_write_end(tree->contents, own->number);
		handle = own;
		if (size == 0 && !is_temporary(tree, own->node))
			return 0; /* a cut to nothing alone changes nothing: the shells' O_TRUNC */
		if (is_slow(tree, handle))
			return fault_set(
				&request->fault, ENOTSUP, "write the workflow anew instead of truncating it");
	}
	if (handle->entry->kind != KIND_DOCUMENT)
		return 0;
	if ((size_t)size == handle->content.size)
		return 0;
	if ((size_t)size > handle->content.size)
		r = quota_check(tree->engine, handle->uid, QUOTA_OPEN_SIZE,
			size - (int64_t)handle->content.size, &request->fault);
	else
		r = 0;
	if (r == 0)
		r = buffer_truncate(&handle->content, (size_t)size);
	if (r < 0)
		return r;
	handle_count(handle);
	draft_begin(tree, handle);
	handle->dirty = true;
	if (!own)
		return 0;
	r = tree_flush(tree, request, handle);
	draft_end(tree, handle);
	return r;
}

/* NULL: it has become a document, or was never to become one. */
static struct scratch *unmade_of(struct tree *tree, const struct handle *handle)
{
	struct scratch *scratch =
		handle->node.table == TABLE_SCRATCH ? scratch_get(tree->scratch, handle->node.id) : NULL;

	return scratch && scratch->maker && !scratch->forward ? scratch : NULL;
}

/* A document that nobody has given a content: no editor's file, which its name would show, and which somebody
 * may remove; unless who began it was killed. */
static void drop_unmade(struct tree *tree, struct handle *handle)
{
	struct scratch *scratch = unmade_of(tree, handle);
	const struct entry *folder = scratch ? node_entry(node_of(scratch->folder)) : NULL;
	const struct handle *other;

	if (!scratch || (folder && folder->directory->scratch && !(handle->made && handle->abandoned)))
		return;
	TAILQ_FOREACH (other, &tree->handles, handles)
		if (other != handle && other->node.table == TABLE_SCRATCH && other->node.id == scratch->id)
			return;
	scratch_remove(tree->scratch, scratch);
}

/* Who waits for a lock of a file that is closed, or for its content, waits in vain: a lock that is granted
 * then would be nobody's. What was written is another matter: that goes on. */
static void end_waits(struct handle *handle, struct tree *tree)
{
	struct request *waiting, *next;

	for (waiting = TAILQ_FIRST(&tree->waits); waiting; waiting = next) {
		next = TAILQ_NEXT(waiting, waiting);
		if (waiting->handle != handle)
			continue;
		waiting->handle = NULL;
		if (waiting->cancel == handle_flock_cancel || handle->entry->kind == KIND_WAIT)
			tree_cancel(waiting);
	}
}

void tree_release(struct tree *tree, struct request *request, struct handle *handle)
{
	struct view view = tree_view(tree, request, node_resolve(tree, node_number(handle->node)));
	const struct entry *entry = node_entry(view.node);
	struct watch *watch, *next_watch;

	end_waits(handle, tree);
	if (handle_writes(handle) && entry->forget_options)
		entry->forget_options(&view, NULL);
	for (watch = TAILQ_FIRST(&tree->watches); watch; watch = next_watch) {
		next_watch = TAILQ_NEXT(watch, watches);
		if (watch->handle == handle) {
			tree_unwatch(tree, watch);
			watch->wake(watch);
		}
	}
	handle_unlock(tree, handle);
	if (handle->cached)
		content_close(tree->contents, handle->number);
	if (handle_writes(handle))
		content_write_end(tree->contents, handle->number);
	draft_end(tree, handle);
	control_close(tree, handle);
	drop_unmade(tree, handle);
	TAILQ_REMOVE(&tree->handles, handle, handles);
	handle_free(handle);
}

/* A request that is cancelled may take others along: the search begins anew each time. */
static struct request *waiting_from(struct tree *tree, const void *door)
{
	struct request *request;

	TAILQ_FOREACH (request, &tree->waits, waiting)
		if (request->door == door)
			return request;
	return NULL;
}

void tree_close_door(struct tree *tree, const void *door)
{
	struct request request = { .tree = tree };
	struct handle *handle, *next;
	struct request *waiting;

	while ((waiting = waiting_from(tree, door)))
		tree_cancel(waiting);
	for (handle = TAILQ_FIRST(&tree->handles); handle; handle = next) {
		next = TAILQ_NEXT(handle, handles);
		if (handle->door == door)
			tree_release(tree, &request, handle);
	}
}

const struct buffer *handle_answer(const struct handle *handle)
{
	return handle->answered ? &handle->content : NULL;
}

bool handle_half_done(struct tree *tree, const struct handle *handle)
{
	return handle->dirty || (handle->made && unmade_of(tree, handle));
}

bool handle_cached(const struct handle *handle)
{
	return handle->cached;
}

void handle_discard(struct tree *tree, struct handle *handle)
{
	draft_end(tree, handle);
	handle->refused = 0;
	handle->abandoned = true;
	buffer_done(&handle->content);
}

void handle_drop_scratch(struct tree *tree, struct handle *handle)
{
	struct scratch *scratch = unmade_of(tree, handle);

	if (scratch)
		scratch_remove(tree->scratch, scratch);
}

unsigned handle_hints(const struct handle *handle)
{
	unsigned hints = 0;

	if (!handle->cached)
		hints |= HANDLE_DIRECT;
	if (handle->same)
		hints |= HANDLE_SAME;
	if (handle->entry->kind == KIND_STREAM)
		hints |= HANDLE_STREAM;
	if (handle->entry->kind == KIND_DOCUMENT && handle_writes(handle))
		hints |= HANDLE_COMMITS;
	return hints;
}

uint64_t handle_number(const struct handle *handle)
{
	return node_number(handle->node);
}

int64_t handle_polled_offset(const struct handle *handle)
{
	return handle->read_end;
}

struct watch *tree_find_watch(struct tree *tree, struct handle *handle, void (*wake)(struct watch *watch))
{
	struct watch *watch;

	TAILQ_FOREACH (watch, &tree->watches, watches)
		if (watch->handle == handle && watch->wake == wake)
			return watch;
	return NULL;
}

static bool watching(const struct watch *watch)
{
	return watch->handle || watch->place;
}

void tree_watch(struct tree *tree, struct watch *watch, struct handle *handle)
{
	if (!watching(watch))
		TAILQ_INSERT_TAIL(&tree->watches, watch, watches);
	watch->handle = handle;
}

void tree_watch_place(struct tree *tree, struct watch *watch, uint64_t number)
{
	if (!watching(watch))
		TAILQ_INSERT_TAIL(&tree->watches, watch, watches);
	watch->place = number;
}

void tree_unwatch(struct tree *tree, struct watch *watch)
{
	if (watching(watch))
		TAILQ_REMOVE(&tree->watches, watch, watches);
	watch->handle = NULL;
	watch->place = 0;
}

int tree_stream_ready(
	struct tree *tree, struct request *request, struct handle *handle, int64_t offset, bool *ret_end)
{
	struct view view = tree_view(tree, request, handle->node);
	int64_t size;
	int r;

	*ret_end = false;
	if (handle->entry->ask)
		return 1; /* what is asked for at the first read is not begun by looking */
	if (handle->entry->kind == KIND_WAIT) {
		r = wait_ready(tree, request, handle);
		*ret_end = r > 0;
		return r;
	}
	if (!handle->entry->stream)
		return 1; /* ordinary files are always ready (poll(2)) */
	view.mark = &handle->mark;
	size = handle->entry->stream->size(&view);
	if (size < 0)
		return (int)size;
	*ret_end = handle->entry->stream->ended(&view);
	return size > offset || *ret_end;
}
