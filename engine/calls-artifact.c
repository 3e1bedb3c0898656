/* SPDX-License-Identifier: MIT */
/* Artifacts for runs: announcing what a task keeps, and fetching what another one has kept. The bytes that
 * are kept come as frames of their own (runner-frames.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/artifact.h"
#include "engine/calls.h"

enum {
	LIST_MAX = 1000, /* rows of one answer */
	CHUNK = 1 << 20, /* bytes of one answer */
};

static int own_task(struct call *call, const char *name, struct task *ret_task)
{
	int r = name ? task_find(call->engine, call->run.id, name, ret_task) : -ENOENT;

	return r == -ENOENT
		       ? fault_set(&call->fault, ENOENT, "the run has no task %s", name ? name : "(none)")
		       : r;
}

static int add_one(struct call *call, const struct task *task, json_t *file, struct artifact_sum *sum)
{
	const char *path = json_string_value(json_object_get(file, "path"));
	struct artifact wanted = {
		.run_id = call->run.id,
		.task_id = task->id,
		.mode = (mode_t)json_integer_value(json_object_get(file, "mode")),
		.size = json_integer_value(json_object_get(file, "size")),
	};
	int64_t id;
	int r;

	if (!path)
		return fault_set(&call->fault, EINVAL, "an artifact needs a path");
	if (strlen(path) >= sizeof(wanted.path))
		return fault_set(&call->fault, EINVAL, "the artifact's path is too long: %.100s…", path);
	strcpy(wanted.path, path);
	r = artifact_add(call->engine, &wanted, sum, &call->fault, &id);
	return r < 0 ? r : json_array_append_new(call->value, json_integer(id));
}

static int artifact_add_call(struct call *call)
{
	struct artifact_sum sum;
	struct task task;
	json_t *file;
	size_t i;
	int r = own_task(call, call->task, &task);

	if (r == 0)
		r = artifact_sum(call->engine, call->run.id, &sum);
	call->value = json_array();
	call->runner->artifacts = true;
	json_array_foreach (json_object_get(call->args, "files"), i, file)
		if (r == 0)
			r = add_one(call, &task, file, &sum);
	return r;
}

struct listing {
	json_t *list;
	const char *after;
};

static int list_one(void *userdata, const struct artifact *artifact)
{
	struct listing *listing = userdata;

	if (strcmp(artifact->path, listing->after) <= 0)
		return 0;
	json_array_append_new(listing->list,
		json_pack("{s:I, s:s, s:I, s:i}", "id", (json_int_t)artifact->id, "path", artifact->path,
			"size", (json_int_t)artifact->size, "mode", (int)artifact->mode));
	return json_array_size(listing->list) >= LIST_MAX;
}

static int artifact_list_call(struct call *call)
{
	const char *after = call_text(call, "after");
	struct listing listing = { .after = after ? after : "" };
	struct task task;
	int r = own_task(call, call_text(call, "of"), &task);

	if (r < 0)
		return r;
	call->value = listing.list = json_array();
	r = artifact_each(call->engine, call->run.id, task.id, "", list_one, &listing);
	return r < 0 ? r : 0;
}

static int artifact_read_call(struct call *call)
{
	int64_t id = json_integer_value(json_object_get(call->args, "id"));
	int64_t offset = json_integer_value(json_object_get(call->args, "offset"));
	CLEANUP(cleanup_free) char *bytes = malloc(CHUNK);
	struct artifact artifact;
	ssize_t n;
	int r = artifact_get(call->engine, id, &artifact);

	if (!bytes)
		return -ENOMEM;
	if (r == -ENOENT || (r == 0 && artifact.run_id != call->run.id) || offset < 0)
		return fault_set(&call->fault, ENOENT, "the run has no such artifact");
	if (r < 0)
		return r;
	n = artifact_read(call->engine, &artifact, offset, bytes, CHUNK);
	if (n < 0)
		return fault_set(&call->fault, EIO, "the artifact %s can't be read: %s", artifact.path,
			n == -EBADMSG ? "its file is gone or damaged" : strerror((int)-n));
	/* They never change, and so need not wait for the commit, as the answer does. */
	r = runner_send(call->runner, json_pack("{s:s, s:I}", "op", "bytes", "seq", (json_int_t)call->seq),
		bytes, (size_t)n);
	call->value = json_integer(n);
	return r == -ENOTCONN ? 0 : r; /* who comes back asks again */
}

const struct call_row artifact_calls[] = {
	{ "artifact.add", artifact_add_call, true },
	{ "artifact.list", artifact_list_call, false },
	{ "artifact.read", artifact_read_call, false },
	{ NULL },
};
