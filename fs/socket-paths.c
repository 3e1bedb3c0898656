/* SPDX-License-Identifier: MIT */
/* Operations of the socket on what stands at a path. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/socket-internal.h"

static ssize_t do_stat(struct op *op, const struct frame *frame)
{
	struct attr attr;
	int r = op_node(op, &attr);

	if (r == 0)
		json_object_set_new(op->answer, "attr", attr_json(&attr));
	return r;
}

static ssize_t do_readlink(struct op *op, const struct frame *frame)
{
	struct attr attr;
	int r = op_node(op, &attr);

	return r < 0 ? r : tree_readlink(op->request.tree, &op->request, attr.number, &op->body);
}

static ssize_t do_mkdir(struct op *op, const struct frame *frame)
{
	struct attr attr;
	char name[256];
	uint64_t parent;
	int r = op_place(op, "path", &parent, name);

	return r < 0 ? r
		     : tree_mkdir(op->request.tree, &op->request, parent, name,
			       (mode_t)op_int(op, "mode", 0777) & 07777, &attr);
}

static ssize_t do_rmdir(struct op *op, const struct frame *frame)
{
	char name[256];
	uint64_t parent;
	int r = op_place(op, "path", &parent, name);

	return r < 0 ? r : tree_rmdir(op->request.tree, &op->request, parent, name);
}

static ssize_t do_unlink(struct op *op, const struct frame *frame)
{
	char name[256];
	uint64_t parent;
	int r = op_place(op, "path", &parent, name);

	return r < 0 ? r : tree_unlink(op->request.tree, &op->request, parent, name);
}

static ssize_t do_rename(struct op *op, const struct frame *frame)
{
	char name[256], new_name[256];
	uint64_t parent, new_parent;
	int r = op_place(op, "from", &parent, name);

	if (r == 0)
		r = op_place(op, "to", &new_parent, new_name);
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
	int r = op_place(op, "path", &parent, name);

	if (r == 0)
		r = op_text(op, "target", &target);
	return r < 0 ? r : tree_symlink(op->request.tree, &op->request, parent, name, target, &attr);
}

static ssize_t do_setattr(struct op *op, const struct frame *frame)
{
	int64_t mode = op_int(op, "mode", -1), uid = op_int(op, "uid", -1), gid = op_int(op, "gid", -1);
	int64_t size = op_int(op, "size", -1);
	struct tree *tree = op->request.tree;
	struct attr attr;
	int r = op_node(op, &attr);

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
	int r = op_node(op, &attr);

	if (r == 0)
		r = op_text(op, "name", &name);
	return r < 0 ? r
		     : tree_set_option(op->request.tree, &op->request, attr.number, name,
			       frame->body ? frame->body : "", frame->body_size);
}

static ssize_t do_getxattr(struct op *op, const struct frame *frame)
{
	const char *name;
	struct attr attr;
	int r = op_node(op, &attr);

	if (r == 0)
		r = op_text(op, "name", &name);
	return r < 0 ? r : tree_get_option(op->request.tree, &op->request, attr.number, name, &op->body);
}

static ssize_t do_listxattr(struct op *op, const struct frame *frame)
{
	CLEANUP(buffer_done) struct buffer names = { 0 };
	json_t *list = json_array();
	struct attr attr;
	int r = op_node(op, &attr);

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
	int r = op_node(op, &attr);

	if (r == 0)
		r = op_text(op, "name", &name);
	return r < 0 ? r : tree_set_option(op->request.tree, &op->request, attr.number, name, NULL, 0);
}

const struct operation path_operations[] = {
	{ "stat", do_stat },
	{ "list", do_list },
	{ "readlink", do_readlink },
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
	{ NULL },
};
