/* SPDX-License-Identifier: MIT */
/* Drafts: what was written into open documents, committed or not, and what their writers see of it. What is
 * shown of it when it is stored may have another size (a line break at its end), and what was refused is
 * still the writer's. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/flaw.h"
#include "base/text.h"
#include "fs/handle.h"
#include "fs/scratch.h"

void draft_begin(struct tree *tree, struct handle *handle)
{
	if (!handle->drafted)
		TAILQ_INSERT_TAIL(&tree->drafts, handle, drafts);
	handle->drafted = true;
}

void draft_end(struct tree *tree, struct handle *handle)
{
	if (handle->drafted)
		TAILQ_REMOVE(&tree->drafts, handle, drafts);
	handle->drafted = handle->dirty = false;
}

void tree_touch(struct tree *tree, const struct request *request, uint64_t number)
{
	struct node node = node_resolve(tree, number);
	const struct scratch *scratch =
		node.table == TABLE_SCRATCH ? scratch_get(tree->scratch, node.id) : NULL;
	struct handle *handle;

	if (!scratch || !scratch->maker || scratch->maker->slow ||
		!caller_owns(&request->caller, scratch->uid))
		return;
	TAILQ_FOREACH (handle, &tree->handles, handles)
		if (handle->node.table == TABLE_SCRATCH && handle->node.id == node.id &&
			handle_writes(handle) && !handle->refused) {
			draft_begin(tree, handle);
			handle->dirty = true;
			return;
		}
}

static bool same_object(struct node a, struct node b)
{
	return a.id == b.id && a.table == b.table && a.row == b.row;
}

/* Of an open file that only reads: its content is that of the moment when it was opened. */
static void reader_attr(const struct handle *handle, struct attr *attr)
{
	int64_t size = (int64_t)handle->content.size;

	if (!handle->content_fixed || size == attr->size)
		return;
	attr->size = size;
	attr->fleeting = true;
}

/* What is being written shows to its writer: seeking to the end and writing on must not write over it.
 * Everybody else sees what is stored, and who reads what he has opened. The kernel has one size for all: so
 * it must not keep it. */
void draft_attr(struct tree *tree, struct view *view, const struct handle *handle, struct attr *attr)
{
	const struct handle *draft, *own = NULL;

	if (flaw("draft-size"))
		return;
	TAILQ_FOREACH (draft, &tree->drafts, drafts) {
		struct node node = draft->node;

		if (node.table == TABLE_SCRATCH)
			node = node_resolve(tree, node_number(node));
		if (!same_object(node, view->node))
			continue;
		attr->fleeting = attr->drafted = true;
		if (handle ? draft == handle : draft->opener == view->caller->pid)
			own = draft;
	}
	if (own)
		attr->size = (int64_t)own->content.size;
	else if (handle && !handle_writes(handle))
		reader_attr(handle, attr);
}

void removed_note(struct tree *tree, struct node node, const struct attr *attr)
{
	struct handle *handle;

	TAILQ_FOREACH (handle, &tree->handles, handles)
		if (same_object(handle->node, node)) {
			handle->removed = true;
			handle->last = *attr;
		}
}

int removed_attr(struct tree *tree, struct node node, struct attr *ret_attr)
{
	const struct handle *handle;

	TAILQ_FOREACH (handle, &tree->handles, handles)
		if (same_object(handle->node, node))
			break;
	if (!handle)
		return -ESTALE;
	*ret_attr = (struct attr){
		.kind = handle->entry->kind,
		.mode = S_IFREG | (handle->entry->mode & 0600),
		.uid = handle->uid,
		.gid = handle->gid, /* one that is none makes the kernel refuse each later change */
		.size = (int64_t)handle->content.size,
		.mtime_ms = time_now_ms(),
		.fleeting = true,
		.removed = true,
	};
	if (handle->removed) {
		ret_attr->mode = handle->last.mode;
		ret_attr->uid = handle->last.uid;
		ret_attr->gid = handle->last.gid;
	}
	return 0;
}

int draft_too_large(struct tree *tree, struct request *request)
{
	return fault_set(&request->fault, EFBIG,
		"nothing was changed: larger than max_document_size allows (%lld bytes; see config.yaml)",
		(long long)tree->engine->config.max_document_size);
}

static int draft_commit(struct tree *tree, struct request *request, struct handle *handle)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct view view;
	int r, r2;

	/* Somebody else's close may have made a document of the scratch file that was opened here. */
	handle->node = node_resolve(tree, node_number(handle->node));
	handle->entry = node_entry(handle->node);
	view = tree_view(tree, request, handle->node);
	/* Whatever comes of it: the same bytes closed again are not tried again. */
	handle->dirty = false;
	/* A part of what was meant is not stored. */
	if (handle->broken == -EFBIG)
		return draft_too_large(tree, request);
	if (handle->broken)
		return fault_set(&request->fault, -handle->broken, "nothing was changed: %s",
			strerror(-handle->broken));
	r = handle_storage_quota(&view, handle);
	if (r == 0)
		r = store_change_begin(tree->engine->store, &change);
	if (r < 0)
		return r;
	request->handle = handle;
	r = handle->entry->commit(&view, buffer_text(&handle->content), handle->content.size);
	if (r < 0 && r != LATER) {
		/* A workflow that is refused leaves a run that says so: that much is kept. */
		if (!request->started_run)
			return r;
	}
	r2 = store_change_end(&change);
	return r == 0 ? r2 : r;
}

/* A commit that took a while is over. */
static void committed(struct request *request, ssize_t result)
{
	if (request->handle)
		request->handle->refused = result < 0 ? (int)result : 0;
}

/* Every close of a copy of the descriptor comes here, also that of a child process, to which nobody listens:
 * so what was refused is refused at the next one, too, as long as nothing else is written. */
int tree_flush(struct tree *tree, struct request *request, struct handle *handle)
{
	int r;

	if (handle->entry->kind == KIND_CONTROL)
		return control_flush(tree, request, handle);
	if (!handle->dirty)
		return handle->refused < 0 ? fault_set(&request->fault, -handle->refused,
						     "nothing was changed: what was written was refused when "
						     "a copy of its descriptor was closed")
					   : 0;
	r = draft_commit(tree, request, handle);
	handle->refused = r < 0 && r != LATER ? r : 0;
	if (r == LATER)
		request->after = committed;
	return r;
}
