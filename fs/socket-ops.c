/* SPDX-License-Identifier: MIT */
/* The operations of the socket (doc/protocol.md): those of the daemon itself, and all in their tables. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "build.h"
#include "engine/lock.h"
#include "engine/runner.h"
#include "fs/socket-internal.h"

static void add_mount(void *userdata, const char *directory)
{
	json_array_append_new(userdata, json_string(directory));
}

static ssize_t do_hello(struct op *op, const struct frame *frame)
{
	struct door *door = op->client->door;
	json_t *mounts = json_array();

	mount_each(door->mounts, add_mount, mounts);
	json_object_set_new(op->answer, "version", json_string(SLOTH_VERSION));
	json_object_set_new(op->answer, "pid", json_integer(getpid()));
	json_object_set_new(op->answer, "uid", json_integer(geteuid()));
	json_object_set_new(op->answer, "home", json_string(door->home));
	json_object_set_new(op->answer, "mounts", mounts);
	return 0;
}

static const struct {
	const char *name;
	int operation;
} lock_words[] = {
	{ "exclusive", LOCK_EX },
	{ "shared", LOCK_SH },
	{ "unlock", LOCK_UN },
};

static const char *text_or(struct op *op, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(op->head, key));

	return text ? text : otherwise;
}

/* Several, by their paths within the tree, in the hands of any open file. In a change: names are made. */
static ssize_t flock_paths(struct op *op, struct open_file *file, int operation, const json_t *paths)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = op->request.tree->engine;
	struct lock_target targets[LOCK_TARGETS_MAX];
	size_t count = json_array_size(paths);
	int r, r2;

	if (count == 0 || count > LOCK_TARGETS_MAX)
		return fault_set(
			&op->request.fault, EINVAL, "\"paths\" is a list of 1 to %d", LOCK_TARGETS_MAX);
	r = store_change_begin(engine->store, &change);
	for (size_t i = 0; i < count && r == 0; i++) {
		const char *path = json_string_value(json_array_get(paths, i));

		r = lock_target_find(
			engine, &op->request.caller, path ? path : "", &op->request.fault, &targets[i]);
	}
	if (r < 0)
		return r;
	r = tree_flock_all(op->request.tree, &op->request, file->handle, operation,
		&(struct flock_words){ targets, count, text_or(op, "reason", ""),
			text_or(op, "operation", "flock"), op_int(op, "wait_ms", 0) });
	if (r < 0 && r != LATER)
		return r;
	r2 = store_change_end(&change);
	return r2 < 0 ? r2 : r;
}

static ssize_t do_flock(struct op *op, const struct frame *frame)
{
	const json_t *paths = json_object_get(op->head, "paths");
	struct open_file *file;
	const char *word;
	int nonblock = json_is_true(json_object_get(op->head, "nonblock")) ? LOCK_NB : 0;
	int r = op_file(op, &file);

	if (r == 0)
		r = op_text(op, "lock", &word);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(lock_words) / sizeof(lock_words[0]); i++) {
		int operation = lock_words[i].operation | nonblock;

		if (strcmp(lock_words[i].name, word) != 0)
			continue;
		return paths ? flock_paths(op, file, operation, paths)
			     : tree_flock(op->request.tree, &op->request, file->handle, operation);
	}
	return fault_set(&op->request.fault, EINVAL, "\"lock\" is exclusive, shared or unlock");
}

static ssize_t do_cancel(struct op *op, const struct frame *frame)
{
	int64_t id = op_int(op, "request", -1);
	struct op *other;

	TAILQ_FOREACH (other, &op->client->ops, ops)
		if (other->id == id && other != op && other->request.is_waiting) {
			tree_cancel(&other->request);
			return 0;
		}
	return fault_set(&op->request.fault, ENOENT, "no request %lld is waiting", (long long)id);
}

static int may_mount(struct op *op)
{
	if (caller_owns(&op->request.caller, geteuid()))
		return 0;
	return fault_set(&op->request.fault, EPERM, "only root and the daemon's user may mount and unmount");
}

static ssize_t do_mount(struct op *op, const struct frame *frame)
{
	const char *directory;
	int r = op_text(op, "dir", &directory);

	if (r == 0)
		r = may_mount(op);
	return r < 0 ? r
		     : mount_open(op->client->door->mounts, directory,
			       json_string_value(json_object_get(op->head, "options")), &op->request.fault);
}

static ssize_t do_umount(struct op *op, const struct frame *frame)
{
	const char *directory;
	int r = op_text(op, "dir", &directory);

	if (r == 0)
		r = may_mount(op);
	return r < 0 ? r : mount_close(op->client->door->mounts, directory, &op->request.fault);
}

/* A runner that comes back: from now on the connection is the run's. */
static ssize_t do_runner(struct op *op, const struct frame *frame)
{
	struct tree *tree = op->request.tree;
	const char *secret;
	int fd, r = op_text(op, "secret", &secret);

	if (r < 0 || !tree->runners)
		return r < 0 ? r : -ENOTSUP;
	fd = fcntl(op->client->conn.fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	r = runner_take_up(tree->runners, op->request.caller.uid, op_int(op, "run", 0), secret, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	client_leave(op->client, op);
	return 0;
}

static const struct operation operations[] = {
	{ "hello", do_hello },
	{ "flock", do_flock },
	{ "cancel", do_cancel },
	{ "mount", do_mount },
	{ "umount", do_umount },
	{ "runner", do_runner },
	{ "plan", do_plan },
	{ NULL },
};

const struct operation *operation_find(const char *name)
{
	static const struct operation *const tables[] = { operations, path_operations, file_operations };

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct operation *row = tables[i]; row->name; row++)
			if (!strcmp(row->name, name))
				return row;
	return NULL;
}
