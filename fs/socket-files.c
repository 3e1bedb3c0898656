/* SPDX-License-Identifier: MIT */
/* Operations of the socket that open, read and write files, and wait for what comes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/socket-internal.h"

static const struct {
	const char *name;
	int flag;
} open_flags[] = {
	{ "create", O_CREAT },
	{ "exclusive", O_EXCL },
	{ "truncate", O_TRUNC },
	{ "append", O_APPEND },
};

static int get_flags(struct op *op, int *ret_flags)
{
	bool reads = false, writes = false;
	json_t *word;
	size_t i, j;

	*ret_flags = 0;
	json_array_foreach (json_object_get(op->head, "flags"), i, word) {
		const char *name = json_string_value(word) ? json_string_value(word) : "";

		if (!strcmp(name, "read"))
			reads = true;
		else if (!strcmp(name, "write"))
			writes = true;
		for (j = 0; j < sizeof(open_flags) / sizeof(open_flags[0]); j++)
			if (!strcmp(open_flags[j].name, name))
				*ret_flags |= open_flags[j].flag;
	}
	*ret_flags |= writes ? reads ? O_RDWR : O_WRONLY : O_RDONLY;
	return 0;
}

/* Reads on from where the body ends, until the end of the file. */
static ssize_t read_rest(struct op *op)
{
	for (;;) {
		size_t start = op->body.size;
		ssize_t n;

		if (start >= FRAME_BODY_MAX)
			return fault_set(
				&op->request.fault, EFBIG, "too large for one answer: open it and use pread");
		if (buffer_truncate(&op->body, start + (64 << 10)) < 0)
			return -ENOMEM;
		n = tree_read(op->request.tree, &op->request, op->handle, (int64_t)start,
			op->body.data + start, 64 << 10);
		if (n == LATER)
			return LATER;
		buffer_truncate(&op->body, start + (size_t)(n > 0 ? n : 0));
		if (n <= 0)
			return n;
	}
}

static ssize_t read_waited(struct op *op, ssize_t result)
{
	if (result < 0)
		return result;
	buffer_truncate(&op->body, (size_t)result);
	return read_rest(op);
}

static ssize_t do_read(struct op *op, const struct frame *frame)
{
	struct attr attr;
	ssize_t n;
	int r = op_node(op, &attr);

	if (r == 0)
		r = tree_open(op->request.tree, &op->request, attr.number, O_RDONLY, &op->handle);
	if (r < 0)
		return r;
	n = read_rest(op);
	if (n == LATER)
		op->then = read_waited;
	return n;
}

static int open_path(struct op *op, int flags, struct handle **ret_handle, struct attr *ret_attr)
{
	char name[256];
	uint64_t parent;
	int r;

	if (!(flags & O_CREAT)) {
		r = op_node(op, ret_attr);
		return r < 0 ? r
			     : tree_open(op->request.tree, &op->request, ret_attr->number, flags, ret_handle);
	}
	r = op_place(op, "path", &parent, name);
	return r < 0 ? r
		     : tree_create(op->request.tree, &op->request, parent, name,
			       (mode_t)op_int(op, "mode", 0666) & 0777, flags & ~O_CREAT, ret_handle,
			       ret_attr);
}

static ssize_t write_end(struct op *op)
{
	const struct buffer *answer = handle_answer(op->handle);
	int r = answer ? buffer_append(&op->body, answer->data, answer->size) : 0;

	return r < 0 ? r : tree_flush(op->request.tree, &op->request, op->handle);
}

static ssize_t write_waited(struct op *op, ssize_t result)
{
	return result < 0 ? result : write_end(op);
}

enum { COMMANDS_MAX = 1 << 20 }; /* bytes; others wait while they are done */

static ssize_t do_write(struct op *op, const struct frame *frame)
{
	struct attr attr;
	ssize_t done = 0;
	int r = open_path(op, O_WRONLY | O_CREAT | O_TRUNC, &op->handle, &attr);

	if (r < 0)
		return r;
	if (attr.kind == KIND_CONTROL && frame->body_size > COMMANDS_MAX)
		return fault_set(&op->request.fault, EFBIG,
			"commands of more than %d bytes in one request: open the file and use pwrite",
			COMMANDS_MAX);
	op->all_or_nothing = true;
	while (done < (ssize_t)frame->body_size) {
		ssize_t n = tree_write(op->request.tree, &op->request, op->handle, done, frame->body + done,
			frame->body_size - (size_t)done);

		if (n == LATER)
			op->then = write_waited;
		if (n <= 0)
			return n;
		done += n;
	}
	return write_end(op);
}

static ssize_t do_open(struct op *op, const struct frame *frame)
{
	struct client *client = op->client;
	struct open_file *file;
	struct attr attr;
	int flags, r;

	if (client->file_count >= HANDLES_MAX)
		return fault_set(
			&op->request.fault, EMFILE, "%d files are open in this connection", HANDLES_MAX);
	r = get_flags(op, &flags);
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	if (r == 0)
		r = open_path(op, flags, &file->handle, &attr);
	if (r < 0) {
		free(file);
		return r;
	}
	file->id = ++client->last_file;
	TAILQ_INSERT_TAIL(&client->files, file, files);
	client->file_count++;
	json_object_set_new(op->answer, "handle", json_integer(file->id));
	json_object_set_new(op->answer, "attr", attr_json(&attr));
	return 0;
}

static ssize_t pread_waited(struct op *op, ssize_t result)
{
	if (result >= 0)
		buffer_truncate(&op->body, (size_t)result);
	return result;
}

static ssize_t do_pread(struct op *op, const struct frame *frame)
{
	int64_t size = op_int(op, "size", 64 << 10);
	struct open_file *file;
	ssize_t n;
	int r = op_file(op, &file);

	if (r < 0)
		return r;
	if (size < 0 || size > READ_MAX)
		return -EINVAL;
	if (buffer_truncate(&op->body, (size_t)size) < 0)
		return -ENOMEM;
	n = tree_read(op->request.tree, &op->request, file->handle, op_int(op, "offset", 0), op->body.data,
		(size_t)size);
	if (n == LATER)
		op->then = pread_waited;
	return n == LATER ? n : pread_waited(op, n);
}

static ssize_t pwrite_waited(struct op *op, ssize_t result)
{
	if (result >= 0)
		json_object_set_new(op->answer, "size", json_integer(result));
	return result;
}

static ssize_t do_pwrite(struct op *op, const struct frame *frame)
{
	struct open_file *file;
	ssize_t n;
	int r = op_file(op, &file);

	if (r < 0)
		return r;
	n = tree_write(op->request.tree, &op->request, file->handle, op_int(op, "offset", 0), frame->body,
		frame->body_size);
	if (n == LATER)
		op->then = pwrite_waited;
	return n == LATER ? n : pwrite_waited(op, n);
}

static ssize_t do_flush(struct op *op, const struct frame *frame)
{
	struct open_file *file;
	int r = op_file(op, &file);

	return r < 0 ? r : tree_flush(op->request.tree, &op->request, file->handle);
}

static ssize_t do_close(struct op *op, const struct frame *frame)
{
	struct open_file *file;
	int r = op_file(op, &file);

	if (r < 0)
		return r;
	TAILQ_REMOVE(&op->client->files, file, files);
	op->client->file_count--;
	op->handle = file->handle; /* released when this is answered */
	free(file);
	return tree_flush(op->request.tree, &op->request, op->handle);
}

/* Finishes a watch if there is something to tell: 1, or 0 when it goes on. */
static int watch_check(struct op *op)
{
	struct handle *handle = op->watch.handle;
	bool end = false;
	int r = handle ? tree_stream_ready(
				 op->request.tree, &op->request, handle, op_int(op, "offset", 0), &end)
		       : -EBADF;

	if (r == 0)
		return 0;
	if (end)
		json_object_set_new(op->answer, "end", json_true());
	tree_unwatch(op->request.tree, &op->watch);
	request_finish(&op->request, r < 0 ? r : 0);
	return 1;
}

static void watch_wake(struct watch *watch)
{
	watch_check(watch->userdata);
}

static void watch_taken_back(struct request *request)
{
	struct op *op = (struct op *)request;

	tree_unwatch(request->tree, &op->watch);
}

static void place_wake(struct watch *watch)
{
	struct op *op = watch->userdata;

	tree_unwatch(op->request.tree, watch);
	request_finish(&op->request, 0);
}

/* What stands at a path, a folder too. Who asks before he looks misses nothing. */
static ssize_t watch_place(struct op *op)
{
	struct attr attr;
	int r = op_node(op, &attr);

	if (r < 0)
		return r;
	op->watch = (struct watch){ .wake = place_wake, .userdata = op };
	tree_watch_place(op->request.tree, &op->watch, attr.number);
	return request_later(&op->request, watch_taken_back, NULL);
}

static ssize_t do_watch(struct op *op, const struct frame *frame)
{
	struct open_file *file;
	int r;

	if (json_object_get(op->head, "path"))
		return watch_place(op);
	r = op_file(op, &file);
	if (r < 0)
		return r;
	op->watch = (struct watch){ .wake = watch_wake, .userdata = op };
	tree_watch(op->request.tree, &op->watch, file->handle);
	request_later(&op->request, watch_taken_back, NULL);
	watch_check(op);
	return LATER;
}

const struct operation file_operations[] = {
	{ "read", do_read },
	{ "write", do_write },
	{ "open", do_open },
	{ "pread", do_pread },
	{ "pwrite", do_pwrite },
	{ "flush", do_flush },
	{ "close", do_close },
	{ "watch", do_watch },
	{ NULL },
};
