/* SPDX-License-Identifier: MIT */
/*
 * The door for the kernel: extended attributes.
 *
 * ls(1), cp(1) and the kernel itself ask for attributes that no file here has (system.posix_acl_access,
 * security.capability). Answering ENOSYS once would end that, and all reading of attributes with it; so it is
 * answered at once, without a look at the store.
 */
#include "fs/fuse-internal.h"

#include <errno.h>
#include <sys/xattr.h>

#include "base/cleanup.h"

static void answer_nothing(struct op *op, ssize_t result)
{
	fuse_reply_err(op->req, 0);
}

/* xattr(7): who has no room asks how much it takes. */
static void answer_text(struct op *op, ssize_t result)
{
	if (!op->room)
		fuse_reply_xattr(op->req, op->text.size);
	else if (op->text.size > op->room)
		fuse_reply_err(op->req, ERANGE);
	else
		fuse_reply_buf(op->req, op->text.data, op->text.size);
}

/* setxattr(2)'s flags: only if it is there, only if not. */
static int check_flags(struct op *op, fuse_ino_t ino, const char *name, int flags)
{
	CLEANUP(buffer_done) struct buffer value = { 0 };
	int r = flags ? tree_get_option(op_tree(op->req), &op->request, ino, name, &value) : 0;

	if ((flags & XATTR_CREATE) && r == 0)
		return -EEXIST;
	return (flags & XATTR_REPLACE) && r < 0 ? r : 0;
}

void fuse_setxattr(
	fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct op *op = op_new(req, answer_nothing);
	int r;

	if (!op)
		return;
	r = check_flags(op, ino, name, flags);
	op_finish(op, r < 0 ? r : tree_set_option(op_tree(req), &op->request, ino, name, value, size));
}

void fuse_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct op *op;

	if (!tree_has_options(op_tree(req), ino, name)) {
		fuse_reply_err(req, ENODATA);
		return;
	}
	op = op_new(req, answer_text);
	if (!op)
		return;
	op->room = size;
	op_finish(op, tree_get_option(op_tree(req), &op->request, ino, name, &op->text));
}

void fuse_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct op *op;

	if (!tree_has_options(op_tree(req), ino, NULL)) {
		if (size)
			fuse_reply_buf(req, NULL, 0);
		else
			fuse_reply_xattr(req, 0);
		return;
	}
	op = op_new(req, answer_text);
	if (!op)
		return;
	op->room = size;
	op_finish(op, tree_list_options(op_tree(req), &op->request, ino, &op->text));
}

void fuse_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct op *op = op_new(req, answer_nothing);

	if (op)
		op_finish(op, tree_set_option(op_tree(req), &op->request, ino, name, NULL, 0));
}
