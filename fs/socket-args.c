/* SPDX-License-Identifier: MIT */
/* What an operation of the socket is asked with, and how it says what something is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "fs/socket-internal.h"

int op_text(struct op *op, const char *key, const char **ret_text)
{
	const char *text = json_string_value(json_object_get(op->head, key));

	if (!text)
		return fault_set(&op->request.fault, EINVAL, "the request needs \"%s\", a string", key);
	*ret_text = text;
	return 0;
}

int64_t op_int(struct op *op, const char *key, int64_t missing)
{
	json_t *value = json_object_get(op->head, key);

	return json_is_integer(value) ? json_integer_value(value) : missing;
}

int op_file(struct op *op, struct open_file **ret_file)
{
	int64_t id = op_int(op, "handle", -1);
	struct open_file *file;

	TAILQ_FOREACH (file, &op->client->files, files)
		if (file->id == id) {
			*ret_file = file;
			return 0;
		}
	return fault_set(&op->request.fault, EBADF, "there is no handle %lld", (long long)id);
}

/* The folder of the stack that a path is in; false where it is in none. */
static bool stack_folder(const char *path, char *ret_folder, size_t size)
{
	static const char prefix[] = "/stacks/";
	size_t length = strlen(prefix);

	if (strncmp(path, prefix, length) || !path[length])
		return false;
	snprintf(ret_folder, size, "%.*s", (int)(length + strcspn(path + length, "/")), path);
	return true;
}

void op_explain(struct op *op, int code, const char *path)
{
	struct request *request = &op->request;
	char folder[sizeof("/stacks/") + NAME_SIZE], owner[128];
	const char *name = folder + strlen("/stacks/");
	bool in_stack = stack_folder(path, folder, sizeof(folder));
	struct attr attr;
	int r;

	if (*request->fault.text)
		return;
	r = in_stack ? tree_walk(request->tree, request, folder, &attr) : 0;
	if (r == -ENOENT && (code != EACCES || strchr(path + strlen("/stacks/"), '/')))
		fault_default(&request->fault, ENOENT, "there is no stack %s", name);
	else if (code == ENOENT)
		fault_default(&request->fault, ENOENT, "there is no %s", path);
	else if (in_stack && r == 0)
		fault_default(&request->fault, EACCES, "stack %s is of %s, mode %04o: you may not do that",
			name, caller_user_name(attr.uid, owner, sizeof(owner)),
			(unsigned)(attr.mode & 07777));
	else
		fault_default(&request->fault, EACCES, "you may not use %s", path);
}

int op_node(struct op *op, struct attr *ret_attr)
{
	const char *path;
	int r = op_text(op, "path", &path);

	if (r == 0)
		r = tree_walk(op->request.tree, &op->request, path, ret_attr);
	if (r == -ENOENT || r == -EACCES)
		op_explain(op, -r, path);
	return r;
}

int op_place(struct op *op, const char *key, uint64_t *ret_parent, char ret_name[256])
{
	const char *path, *name;
	size_t size;
	int r = op_text(op, key, &path);

	if (r == 0)
		r = tree_walk_parent(op->request.tree, &op->request, path, ret_parent, &name);
	if (r == -ENOENT || r == -EACCES)
		op_explain(op, -r, path);
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

static const char *const type_names[] = {
	[KIND_DIRECTORY] = "dir", [KIND_LINK] = "link", [KIND_WAIT] = NULL
};

const char *kind_name(enum kind kind)
{
	const char *name = kind < sizeof(type_names) / sizeof(type_names[0]) ? type_names[kind] : NULL;

	return name ? name : "file";
}

json_t *attr_json(const struct attr *attr)
{
	return json_pack("{s:I, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:i}", "ino", (json_int_t)attr->number,
		"type", kind_name(attr->kind), "mode", (int)(attr->mode & 07777), "uid", (int)attr->uid,
		"gid", (int)attr->gid, "size", (json_int_t)attr->size, "mtime", (json_int_t)attr->mtime_ms,
		"ctime", (json_int_t)attr->mtime_ms, "nlink", 1);
}
