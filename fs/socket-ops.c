/* SPDX-License-Identifier: MIT */
/* The operations of the socket (doc/protocol.md): one row each. */
#include "engine/lock.h"
#include "fs/socket-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "build.h"
#include "engine/lock.h"
#include "engine/runner.h"

static int get_text(struct op *op, const char *key, const char **ret_text)
{
	const char *text = json_string_value(json_object_get(op->head, key));

	if (!text)
		return fault_set(&op->request.fault, EINVAL, "the request needs \"%s\", a string", key);
	*ret_text = text;
	return 0;
}

static int64_t get_int(struct op *op, const char *key, int64_t missing)
{
	json_t *value = json_object_get(op->head, key);

	return json_is_integer(value) ? json_integer_value(value) : missing;
}

static int get_handle(struct op *op, struct open_file **ret_file)
{
	int64_t id = get_int(op, "handle", -1);
	struct open_file *file;

	TAILQ_FOREACH (file, &op->client->files, files)
		if (file->id == id) {
			*ret_file = file;
			return 0;
		}
	return fault_set(&op->request.fault, EBADF, "there is no handle %lld", (long long)id);
}

static int get_node(struct op *op, struct attr *ret_attr)
{
	const char *path;
	int r = get_text(op, "path", &path);

	if (r == 0)
		r = tree_walk(op->request.tree, &op->request, path, ret_attr);
	if (r == -ENOENT)
		fault_default(&op->request.fault, ENOENT, "there is no %s", path);
	else if (r == -EACCES)
		fault_default(&op->request.fault, EACCES, "you may not use %s", path);
	return r;
}

static int get_place(struct op *op, const char *key, uint64_t *ret_parent, char ret_name[256])
{
	const char *path, *name;
	size_t size;
	int r = get_text(op, key, &path);

	if (r == 0)
		r = tree_walk_parent(op->request.tree, &op->request, path, ret_parent, &name);
	if (r == -ENOENT)
		fault_default(&op->request.fault, ENOENT, "there is no folder for %s", path);
	if (r < 0)
		return r;
	size = strcspn(name, "/");
	if (size == 0)
		return fault_set(&op->request.fault, EBUSY, "%s is the root", path);
	if (size > 255)
		return -ENAMETOOLONG;
	memcpy(ret_name, name, size);
	ret_name[size] = '\0';
	return 0;
}

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

static const char *const type_names[] = {
	[KIND_DIRECTORY] = "dir", [KIND_LINK] = "link", [KIND_WAIT] = NULL
};

static const char *type_name(enum kind kind)
{
	const char *name = kind < sizeof(type_names) / sizeof(type_names[0]) ? type_names[kind] : NULL;

	return name ? name : "file";
}

static json_t *attr_json(const struct attr *attr)
{
	return json_pack("{s:I, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:i}", "ino", (json_int_t)attr->number,
		"type", type_name(attr->kind), "mode", (int)(attr->mode & 07777), "uid", (int)attr->uid,
		"gid", (int)attr->gid, "size", (json_int_t)attr->size, "mtime", (json_int_t)attr->mtime_ms,
		"ctime", (json_int_t)attr->mtime_ms, "nlink", 1);
}

/* The operations. */

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

static ssize_t do_stat(struct op *op, const struct frame *frame)
{
	struct attr attr;
	int r = get_node(op, &attr);

	if (r == 0)
		json_object_set_new(op->answer, "attr", attr_json(&attr));
	return r;
}

static int list_one(void *userdata, const char *name, uint64_t child, enum kind kind)
{
	json_t *entry =
		json_pack("{s:s, s:s, s:I}", "name", name, "type", type_name(kind), "ino", (json_int_t)child);

	return json_array_append_new(userdata, entry) == 0 ? 0 : -ENOMEM;
}

/* After the listing, not in its midst: the same statements may be wanted. */
static void list_attributes(struct op *op, json_t *entries)
{
	json_t *entry;
	size_t i;

	json_array_foreach (entries, i, entry) {
		uint64_t child = (uint64_t)json_integer_value(json_object_get(entry, "ino"));
		struct attr attr;

		if (tree_getattr(op->request.tree, &op->request, child, NULL, &attr) == 0)
			json_object_set_new(entry, "attr", attr_json(&attr));
	}
}

static ssize_t do_list(struct op *op, const struct frame *frame)
{
	json_t *entries = json_array();
	struct attr attr;
	int r = get_node(op, &attr);

	if (r == 0 && attr.kind != KIND_DIRECTORY)
		r = -ENOTDIR;
	if (r == 0)
		r = tree_list(op->request.tree, &op->request, attr.number, list_one, entries);
	if (r == 0 && json_is_true(json_object_get(op->head, "attr")))
		list_attributes(op, entries);
	json_object_set_new(op->answer, "entries", entries);
	return r;
}

static ssize_t do_readlink(struct op *op, const struct frame *frame)
{
	struct attr attr;
	int r = get_node(op, &attr);

	return r < 0 ? r : tree_readlink(op->request.tree, &op->request, attr.number, &op->body);
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
	int r = get_node(op, &attr);

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
		r = get_node(op, ret_attr);
		return r < 0 ? r
			     : tree_open(op->request.tree, &op->request, ret_attr->number, flags, ret_handle);
	}
	r = get_place(op, "path", &parent, name);
	return r < 0 ? r
		     : tree_create(op->request.tree, &op->request, parent, name,
			       (mode_t)get_int(op, "mode", 0666) & 0777, flags & ~O_CREAT, ret_handle,
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

static ssize_t do_write(struct op *op, const struct frame *frame)
{
	struct attr attr;
	ssize_t done = 0;
	int r = open_path(op, O_WRONLY | O_CREAT | O_TRUNC, &op->handle, &attr);

	if (r < 0)
		return r;
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
	int64_t size = get_int(op, "size", 64 << 10);
	struct open_file *file;
	ssize_t n;
	int r = get_handle(op, &file);

	if (r < 0)
		return r;
	if (size < 0 || size > READ_MAX)
		return -EINVAL;
	if (buffer_truncate(&op->body, (size_t)size) < 0)
		return -ENOMEM;
	n = tree_read(op->request.tree, &op->request, file->handle, get_int(op, "offset", 0), op->body.data,
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
	int r = get_handle(op, &file);

	if (r < 0)
		return r;
	n = tree_write(op->request.tree, &op->request, file->handle, get_int(op, "offset", 0), frame->body,
		frame->body_size);
	if (n == LATER)
		op->then = pwrite_waited;
	return n == LATER ? n : pwrite_waited(op, n);
}

static ssize_t do_flush(struct op *op, const struct frame *frame)
{
	struct open_file *file;
	int r = get_handle(op, &file);

	return r < 0 ? r : tree_flush(op->request.tree, &op->request, file->handle);
}

static ssize_t do_close(struct op *op, const struct frame *frame)
{
	struct open_file *file;
	int r = get_handle(op, &file);

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
				 op->request.tree, &op->request, handle, get_int(op, "offset", 0), &end)
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
	int r = get_node(op, &attr);

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
	r = get_handle(op, &file);
	if (r < 0)
		return r;
	op->watch = (struct watch){ .wake = watch_wake, .userdata = op };
	tree_watch(op->request.tree, &op->watch, file->handle);
	request_later(&op->request, watch_taken_back, NULL);
	watch_check(op);
	return LATER;
}

static ssize_t do_mkdir(struct op *op, const struct frame *frame)
{
	struct attr attr;
	char name[256];
	uint64_t parent;
	int r = get_place(op, "path", &parent, name);

	return r < 0 ? r
		     : tree_mkdir(op->request.tree, &op->request, parent, name,
			       (mode_t)get_int(op, "mode", 0777) & 07777, &attr);
}

static ssize_t do_rmdir(struct op *op, const struct frame *frame)
{
	char name[256];
	uint64_t parent;
	int r = get_place(op, "path", &parent, name);

	return r < 0 ? r : tree_rmdir(op->request.tree, &op->request, parent, name);
}

static ssize_t do_unlink(struct op *op, const struct frame *frame)
{
	char name[256];
	uint64_t parent;
	int r = get_place(op, "path", &parent, name);

	return r < 0 ? r : tree_unlink(op->request.tree, &op->request, parent, name);
}

static ssize_t do_rename(struct op *op, const struct frame *frame)
{
	char name[256], new_name[256];
	uint64_t parent, new_parent;
	int r = get_place(op, "from", &parent, name);

	if (r == 0)
		r = get_place(op, "to", &new_parent, new_name);
	return r < 0 ? r
		     : tree_rename(op->request.tree, &op->request, parent, name, new_parent, new_name,
			       json_is_true(json_object_get(op->head, "noreplace")));
}

static ssize_t do_symlink(struct op *op, const struct frame *frame)
{
	const char *target;
	struct attr attr;
	char name[256];
	uint64_t parent;
	int r = get_place(op, "path", &parent, name);

	if (r == 0)
		r = get_text(op, "target", &target);
	return r < 0 ? r : tree_symlink(op->request.tree, &op->request, parent, name, target, &attr);
}

static ssize_t do_setattr(struct op *op, const struct frame *frame)
{
	int64_t mode = get_int(op, "mode", -1), uid = get_int(op, "uid", -1), gid = get_int(op, "gid", -1);
	int64_t size = get_int(op, "size", -1);
	struct tree *tree = op->request.tree;
	struct attr attr;
	int r = get_node(op, &attr);

	if (r == 0 && mode >= 0)
		r = tree_chmod(tree, &op->request, attr.number, (mode_t)mode & 07777);
	if (r == 0 && (uid >= 0 || gid >= 0))
		r = tree_chown(tree, &op->request, attr.number, (uid_t)uid, (gid_t)gid);
	if (r == 0 && size >= 0)
		r = tree_truncate(tree, &op->request, attr.number, NULL, size);
	if (r == 0)
		r = tree_getattr(tree, &op->request, attr.number, NULL, &attr);
	if (r == 0)
		json_object_set_new(op->answer, "attr", attr_json(&attr));
	return r;
}

static ssize_t do_setxattr(struct op *op, const struct frame *frame)
{
	const char *name;
	struct attr attr;
	int r = get_node(op, &attr);

	if (r == 0)
		r = get_text(op, "name", &name);
	return r < 0 ? r
		     : tree_set_option(op->request.tree, &op->request, attr.number, name,
			       frame->body ? frame->body : "", frame->body_size);
}

static ssize_t do_getxattr(struct op *op, const struct frame *frame)
{
	const char *name;
	struct attr attr;
	int r = get_node(op, &attr);

	if (r == 0)
		r = get_text(op, "name", &name);
	return r < 0 ? r : tree_get_option(op->request.tree, &op->request, attr.number, name, &op->body);
}

static ssize_t do_listxattr(struct op *op, const struct frame *frame)
{
	CLEANUP(buffer_done) struct buffer names = { 0 };
	json_t *list = json_array();
	struct attr attr;
	int r = get_node(op, &attr);

	if (r == 0)
		r = tree_list_options(op->request.tree, &op->request, attr.number, &names);
	for (size_t i = 0; r == 0 && i < names.size; i += strlen(names.data + i) + 1)
		json_array_append_new(list, json_string(names.data + i));
	json_object_set_new(op->answer, "names", list);
	return r;
}

static ssize_t do_removexattr(struct op *op, const struct frame *frame)
{
	const char *name;
	struct attr attr;
	int r = get_node(op, &attr);

	if (r == 0)
		r = get_text(op, "name", &name);
	return r < 0 ? r : tree_set_option(op->request.tree, &op->request, attr.number, name, NULL, 0);
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
			text_or(op, "operation", "flock"), get_int(op, "wait_ms", 0) });
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
	int r = get_handle(op, &file);

	if (r == 0)
		r = get_text(op, "lock", &word);
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
	int64_t id = get_int(op, "request", -1);
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
	int r = get_text(op, "dir", &directory);

	if (r == 0)
		r = may_mount(op);
	return r < 0 ? r
		     : mount_open(op->client->door->mounts, directory,
			       json_string_value(json_object_get(op->head, "options")), &op->request.fault);
}

static ssize_t do_umount(struct op *op, const struct frame *frame)
{
	const char *directory;
	int r = get_text(op, "dir", &directory);

	if (r == 0)
		r = may_mount(op);
	return r < 0 ? r : mount_close(op->client->door->mounts, directory, &op->request.fault);
}

/* A runner that comes back: from now on the connection is the run's. */
static ssize_t do_runner(struct op *op, const struct frame *frame)
{
	struct tree *tree = op->request.tree;
	const char *secret;
	int fd, r = get_text(op, "secret", &secret);

	if (r < 0 || !tree->runners)
		return r < 0 ? r : -ENOTSUP;
	fd = fcntl(op->client->conn.fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	r = runner_take_up(tree->runners, op->request.caller.uid, get_int(op, "run", 0), secret, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	client_leave(op->client, op);
	return 0;
}

static const struct operation operations[] = {
	{ "hello", do_hello },
	{ "stat", do_stat },
	{ "list", do_list },
	{ "readlink", do_readlink },
	{ "read", do_read },
	{ "write", do_write },
	{ "open", do_open },
	{ "pread", do_pread },
	{ "pwrite", do_pwrite },
	{ "flush", do_flush },
	{ "close", do_close },
	{ "watch", do_watch },
	{ "mkdir", do_mkdir },
	{ "rmdir", do_rmdir },
	{ "unlink", do_unlink },
	{ "rename", do_rename },
	{ "symlink", do_symlink },
	{ "setattr", do_setattr },
	{ "setxattr", do_setxattr },
	{ "getxattr", do_getxattr },
	{ "listxattr", do_listxattr },
	{ "removexattr", do_removexattr },
	{ "flock", do_flock },
	{ "cancel", do_cancel },
	{ "mount", do_mount },
	{ "umount", do_umount },
	{ "runner", do_runner },
};

const struct operation *operation_find(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}
