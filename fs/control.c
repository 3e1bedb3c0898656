/* SPDX-License-Identifier: MIT */
/* Control files: what is written to them is commands. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "engine/engine.h"
#include "fs/errors.h"
#include "fs/handle.h"

/* One command, in a change of its own. */
static int do_command(
	struct tree *tree, struct request *request, struct handle *handle, const char *line, size_t length)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct view view = tree_view(tree, request, handle->node);
	int r, r2;

	if (length > CONTROL_MAX)
		return fault_set(&request->fault, EFBIG, "a command is a line of at most 64 KiB");
	view.answer = &handle->content;
	r = store_change_begin(tree->engine->store, &change);
	if (r == 0)
		r = handle->entry->write(&view, line, length);
	if (r < 0 && r != LATER)
		return r;
	r2 = store_change_end(&change);
	return r2 < 0 ? r2 : r;
}

/* A line whose beginning came with the write before. */
static int do_continued(
	struct tree *tree, struct request *request, struct handle *handle, const char *rest, size_t length)
{
	CLEANUP(buffer_done) struct buffer line = handle->begun;
	int r;

	handle->begun = (struct buffer){ 0 };
	r = buffer_append(&line, rest, length);
	return r < 0 ? r : do_command(tree, request, handle, line.data, line.size);
}

/* How much of it is done at once: others wait meanwhile. Whoever writes goes on with the rest. */
static size_t commands_at_once(const char *data, size_t size)
{
	const char *end = size > CONTROL_MAX ? memrchr(data, '\n', CONTROL_MAX) : NULL;

	return end ? (size_t)(end + 1 - data) : size;
}

/* One command a line, and what has no line's end is one, too; but who writes in blocks cuts lines at their
 * ends: a last line that ends with a block is gone on with in the next write. A line that fails ends the
 * write; the bytes of the lines before it count as written, so that whoever writes on gets the error then. */
ssize_t control_write(struct tree *tree, struct request *request, struct handle *handle, int64_t offset,
	const char *data, size_t size)
{
	size_t done = 0;

	if (size % WRITE_BLOCK == 0)
		handle->block_end = offset + (int64_t)size;
	size = commands_at_once(data, size);
	if (!handle->answered || handle->answer_read)
		buffer_done(&handle->content);
	handle->answered = true;
	handle->answer_read = false;
	handle->answer_start = offset + (int64_t)size;
	while (done < size) {
		const char *line = data + done;
		const char *end = memchr(line, '\n', size - done);
		size_t length = end ? (size_t)(end - line) : size - done;
		int r;

		if (!end && handle->answer_start == handle->block_end &&
			handle->begun.size + length <= CONTROL_MAX)
			r = buffer_append(&handle->begun, line, length);
		else if (handle->begun.size)
			r = do_continued(tree, request, handle, line, length);
		else
			r = do_command(tree, request, handle, line, length);
		if (r == LATER) { /* what stands behind a command that waits is not looked at */
			request->handle = handle;
			request->data =
				(char *)(uintptr_t)data; /* says that it is a write; see free_instance() */
			request->size = size;
			return LATER;
		}
		if (r < 0)
			return done ? (ssize_t)done : r;
		done += length + (end ? 1 : 0);
	}
	return (ssize_t)size;
}

int control_flush(struct tree *tree, struct request *request, struct handle *handle)
{
	int r = handle->begun.size ? do_continued(tree, request, handle, "", 0) : 0;

	return r == LATER ? 0 : r;
}

/* It may be a part of what was meant; so it is not done, and who has written it is told where he looks. */
void control_close(struct tree *tree, struct handle *handle)
{
	struct fault fault = { 0 };

	if (!handle->begun.size)
		return;
	fault_set(&fault, EINVAL,
		"%s: the last line was not done: it has no end (a newline), and what was written a multiple "
		"of %d bytes",
		handle->entry->name, WRITE_BLOCK);
	log_warning("%s", fault.text);
	errors_set(tree->errors, handle->uid, process_session(handle->opener), fault.text);
}
