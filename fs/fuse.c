/* SPDX-License-Identifier: MIT */
/*
 * The door for the kernel (fuse(4), libfuse's low-level API).
 *
 * Attributes are cached for long and dropped explicitly when something changes, before the reply to the
 * change leaves: fuse_lowlevel_notify_inval_inode() with a negative offset touches no page and takes no lock,
 * so the loop may call it. Names are dropped by the notifier thread.
 */
#include "fs/fuse-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/lock.h"
#include "fs/content.h"
#include "fs/errors.h"
#include "fs/outcome.h"

static const double CACHED_FOR = 86400; /* seconds */

/* Where the name is looked up for each use, its attributes come with it, and need not be asked for again by
 * the same open(2) or stat(2). */
static const double ONE_USE = 0.001;

static void op_fetch_groups(struct caller *caller)
{
	process_groups(caller->pid, &caller->groups, &caller->group_count);
}

static void op_done(struct request *request, ssize_t result);

static void op_init(struct op *op, fuse_req_t req, void (*answer)(struct op *op, ssize_t result))
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	*op = (struct op){ 0 };
	op->mount = fuse_req_userdata(req);
	op->req = req;
	op->answer = answer;
	op->request.tree = op->mount->context->tree;
	op->request.done = op_done;
	op->request.door = op->mount;
	op->request.from_kernel = true;
	request_begin(&op->request);
	op->request.caller = (struct caller){
		.uid = ctx->uid,
		.gid = ctx->gid,
		.pid = ctx->pid,
		.umask = ctx->umask,
		.fetch_groups = op_fetch_groups,
	};
}

struct op *op_new(fuse_req_t req, void (*answer)(struct op *op, ssize_t result))
{
	struct op *op = malloc(sizeof(*op));

	if (op)
		op_init(op, req, answer);
	else
		fuse_reply_err(req, ENOMEM);
	return op;
}

void op_free(struct op *op)
{
	caller_done(&op->request.caller);
	buffer_done(&op->text);
	free(op->data);
	free(op);
}

static void note_failure(struct op *op, ssize_t result)
{
	struct caller *caller = &op->request.caller;

	if (*op->request.fault.text)
		errors_set(op->request.tree->errors, caller->uid, process_session(caller->pid),
			op->request.fault.text);
}

static void op_send(struct turn_reply *reply, int error)
{
	struct op *op = (struct op *)((char *)reply - offsetof(struct op, reply));
	ssize_t result = error < 0 ? error : op->result;

	if (error < 0) {
		request_undone(&op->request, error);
		note_failure(op, error);
	}
	if (result < 0 && op->undo)
		op->undo(op);
	if (result < 0) {
		if (op->handle && op->fi.fh == 0)
			tree_release(op->request.tree, &op->request,
				op->handle); /* opened, but the kernel will not know */
		fuse_reply_err(op->req, (int)-result);
	} else {
		op->answer(op, result);
	}
	op_free(op);
}

/* Whether what it says is as on disk, although others change things in this turn. */
static bool op_is_settled(const struct op *op)
{
	const struct tree *tree = op->request.tree;

	return op->result >= 0 && op->tells[0] && tree_is_settled(tree, op->tells[0]) &&
	       (!op->tells[1] || tree_is_settled(tree, op->tells[1]));
}

static void op_done(struct request *request, ssize_t result)
{
	struct op *op = (struct op *)request;
	struct turn *turn = op->mount->context->turn;
	bool waits;

	result = request_outcome(request, result);
	if (result < 0)
		note_failure(op, result);
	op->result = result;
	op->reply.send = op_send;
	waits = store_turn_dirty(turn->engine->store) && !op_is_settled(op);
	/* The turn's changes are told to the kernel before its answers leave: what an answer says may be out
	 * of date when it arrives, and must not be remembered. */
	op->attr.postponed = waits;
	if (waits)
		turn_reply(turn, &op->reply);
	else
		op_send(&op->reply, 0);
}

static void op_interrupted(fuse_req_t req, void *data)
{
	tree_cancel(data);
}

/* Where every handler ends. */
void op_finish(struct op *op, ssize_t result)
{
	if (result == LATER)
		fuse_req_interrupt_func(op->req, op_interrupted, &op->request);
	else
		op_done(&op->request, result);
}

static void fill_stat(const struct attr *attr, struct stat *st)
{
	*st = (struct stat){
		.st_ino = attr->number,
		.st_mode = attr->mode,
		.st_nlink = !attr->removed, /* 1 of a folder too: "not counted", which find(1) knows */
		.st_uid = attr->uid,
		.st_gid = attr->gid,
		.st_size = attr->size,
		.st_blocks = (attr->size + 511) / 512,
		.st_blksize = 4096,
	};
	st->st_mtim.tv_sec = attr->mtime_ms / 1000;
	st->st_mtim.tv_nsec = attr->mtime_ms % 1000 * 1000000;
	st->st_ctim = st->st_atim = st->st_mtim;
}

/* How long the kernel may keep the attributes. What it may keep has to be taken back when it changes. */
static double attr_timeout(struct mount_context *context, const struct attr *attr)
{
	uint32_t bit = mount_told_bit(attr->number);

	if (attr->fleeting)
		return 0;
	context->told[bit / 8] |= (uint8_t)(1U << bit % 8);
	return CACHED_FOR;
}

/* See content.h. A writer is told what he has written. */
static void hold_size(struct op *op)
{
	struct attr *attr = &op->attr;
	int64_t size = attr->size;

	if (!S_ISREG(attr->mode) || op->exact)
		return;
	attr->size = content_size_told(
		op->mount->context->tree->contents, attr->number, size, time_monotonic_ms());
	attr->fleeting |= attr->size != size;
}

static void fill_entry(struct mount_context *context, const struct attr *attr, struct fuse_entry_param *entry)
{
	*entry = (struct fuse_entry_param){
		.ino = attr->number,
		.generation = 1,
		.attr_timeout = attr->fleeting && attr->renamable && !attr->postponed && !attr->drafted
					? ONE_USE
					: attr_timeout(context, attr),
		.entry_timeout = attr->renamable || attr->postponed ? 0 : CACHED_FOR,
	};
	fill_stat(attr, &entry->attr);
}

static void answer_nothing(struct op *op, ssize_t result)
{
	fuse_reply_err(op->req, 0);
}

static void answer_entry(struct op *op, ssize_t result)
{
	struct fuse_entry_param entry;

	hold_size(op);
	fill_entry(op->mount->context, &op->attr, &entry);
	fuse_reply_entry(op->req, &entry);
}

static void answer_attr(struct op *op, ssize_t result)
{
	struct stat st;

	hold_size(op);
	fill_stat(&op->attr, &st);
	fuse_reply_attr(op->req, &st, attr_timeout(op->mount->context, &op->attr));
}

static void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = op_new(req, answer_entry);
	int r;

	if (!op)
		return;
	r = tree_lookup(op_tree(req), &op->request, parent, name, &op->attr);
	op->tells[0] = parent;
	op->tells[1] = op->attr.number;
	op_finish(op, r);
}

static struct handle *handle_of(struct fuse_file_info *fi)
{
	return fi ? (struct handle *)(uintptr_t)fi->fh : NULL;
}

static void ll_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct op *op = op_new(req, answer_attr);

	if (!op)
		return;
	op->tells[0] = ino;
	op->exact = fi && (handle_hints(handle_of(fi)) & HANDLE_COMMITS);
	op_finish(op, tree_getattr(op_tree(req), &op->request, ino, handle_of(fi), &op->attr));
}

static void ll_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set, struct fuse_file_info *fi)
{
	struct op *op = op_new(req, answer_attr);
	struct tree *tree = op_tree(req);
	int r = 0;

	if (!op)
		return;
	op->exact = true;
	if (set & FUSE_SET_ATTR_MODE)
		r = tree_chmod(tree, &op->request, ino, st->st_mode);
	if (r == 0 && (set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
		r = tree_chown(tree, &op->request, ino, set & FUSE_SET_ATTR_UID ? st->st_uid : (uid_t)-1,
			set & FUSE_SET_ATTR_GID ? st->st_gid : (gid_t)-1);
	if (r == 0 && (set & FUSE_SET_ATTR_SIZE))
		r = tree_truncate(tree, &op->request, ino, handle_of(fi), st->st_size);
	/* Times are what they are: touch(1) and cp -p may set them. */
	if (r == 0 && (set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)))
		tree_touch(tree, &op->request, ino);
	if (r == 0)
		r = tree_getattr(tree, &op->request, ino, handle_of(fi), &op->attr);
	op_finish(op, r);
}

static void answer_link(struct op *op, ssize_t result)
{
	fuse_reply_readlink(op->req, buffer_text(&op->text));
}

static void ll_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct op *op = op_new(req, answer_link);

	if (op)
		op_finish(op, tree_readlink(op_tree(req), &op->request, ino, &op->text));
}

static void ll_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct op *op = op_new(req, answer_entry);

	if (op)
		op_finish(op, tree_mkdir(op_tree(req), &op->request, parent, name, mode, &op->attr));
}

/* FIFOs, sockets and devices: what POSIX has a file system say that knows none. */
static void ll_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct op *op = op_new(req, answer_nothing);

	if (op)
		op_finish(op, fault_set(&op->request.fault, EPERM,
				      "there are only files, folders and links in the tree"));
}

static void ll_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = op_new(req, answer_nothing);

	if (op)
		op_finish(op, tree_unlink(op_tree(req), &op->request, parent, name));
}

static void ll_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = op_new(req, answer_nothing);

	if (op)
		op_finish(op, tree_rmdir(op_tree(req), &op->request, parent, name));
}

static void ll_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct op *op = op_new(req, answer_entry);

	if (op)
		op_finish(op, tree_symlink(op_tree(req), &op->request, parent, name, target, &op->attr));
}

static void ll_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	const char *new_name, unsigned int flags)
{
	struct op *op = op_new(req, answer_nothing);

	if (!op)
		return;
	if (flags & ~1U) { /* RENAME_EXCHANGE and such */
		op_finish(op, -EINVAL);
		return;
	}
	op_finish(
		op, tree_rename(op_tree(req), &op->request, parent, name, new_parent, new_name, flags & 1U));
}

static void set_hints(struct op *op)
{
	unsigned hints = handle_hints(op->handle);

	op->fi.fh = (uint64_t)(uintptr_t)op->handle;
	op->fi.direct_io = !!(hints & HANDLE_DIRECT);
	op->fi.keep_cache = !!(hints & HANDLE_SAME);
	/* Only a document has something to commit when it is closed; a FLUSH less for everybody else. */
	op->fi.noflush = !(hints & HANDLE_COMMITS);
}

static void answer_open(struct op *op, ssize_t result)
{
	set_hints(op);
	if (fuse_reply_open(op->req, &op->fi) == -ENOENT)
		tree_release(op->request.tree, &op->request,
			op->handle); /* interrupted: there will be no RELEASE */
}

static void ll_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct op *op = op_new(req, answer_open);

	if (!op)
		return;
	op->tells[0] = fi->flags & O_TRUNC ? 0 : ino;
	op_finish(op, tree_open(op_tree(req), &op->request, ino, fi->flags, &op->handle));
}

static void answer_create(struct op *op, ssize_t result)
{
	struct fuse_entry_param entry;

	fill_entry(op->mount->context, &op->attr, &entry);
	set_hints(op);
	if (fuse_reply_create(op->req, &entry, &op->fi) == -ENOENT)
		tree_release(op->request.tree, &op->request, op->handle);
}

static void ll_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct op *op = op_new(req, answer_create);

	if (op)
		op_finish(op, tree_create(op_tree(req), &op->request, parent, name, mode, fi->flags,
				      &op->handle, &op->attr));
}

static void answer_data(struct op *op, ssize_t result)
{
	fuse_reply_buf(op->req, op->data, (size_t)result);
}

static void ll_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct op *op = op_new(req, answer_data);

	if (!op)
		return;
	op->tells[0] = handle_cached(handle_of(fi)) ? ino : 0;
	op->data = malloc(size ? size : 1);
	op_finish(op, op->data ? tree_read(op_tree(req), &op->request, handle_of(fi), offset, op->data, size)
			       : -ENOMEM);
}

static void answer_written(struct op *op, ssize_t result)
{
	fuse_reply_write(op->req, (size_t)result);
}

static void ll_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct op *op = op_new(req, answer_written);

	if (op)
		op_finish(op, tree_write(op_tree(req), &op->request, handle_of(fi), offset, data, size));
}

static void ll_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct op *op = op_new(req, answer_nothing);

	if (!op)
		return;
	/* The kernel closes the files of a process that was killed. What it had written by then is half of
	 * something. */
	if (handle_half_done(op_tree(req), handle_of(fi)) && process_was_killed(op->request.caller.pid))
		handle_discard(op_tree(req), handle_of(fi));
	op_finish(op, tree_flush(op_tree(req), &op->request, handle_of(fi)));
}

static void ll_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	ll_flush(req, ino, fi);
}

/* Without memory, too: it gives some back, and the kernel says so once. Nobody waits for the answer. */
static void ll_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct op op;

	op_init(&op, req, answer_nothing);
	tree_release(op_tree(req), &op.request, handle_of(fi));
	caller_done(&op.request.caller);
	fuse_reply_err(req, 0);
}

static void ll_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int operation)
{
	struct op *op = op_new(req, answer_nothing);

	if (op)
		op_finish(op, tree_flock(op_tree(req), &op->request, handle_of(fi), operation));
}

/* fcntl(2) locks are another thing than flock(2) ones: rather none than some that lock nothing. */
static void ll_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep)
{
	fuse_reply_err(req, lock->l_type == F_UNLCK ? 0 : ENOTSUP);
}

static void ll_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
	fuse_reply_err(req, ENOTSUP);
}

static void ll_statfs(fuse_req_t req, fuse_ino_t ino)
{
	/* Sizes of what is stored are of no use to df(1); what counts is that nothing looks full. */
	struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };

	fuse_reply_statfs(req, &st);
}

/* poll(2) on streams and wait files. */
struct poller {
	struct watch watch;
	struct fuse_pollhandle *ph;
	struct tree *tree;
};

static void poller_wake(struct watch *watch)
{
	struct poller *poller = watch->userdata;

	fuse_lowlevel_notify_poll(poller->ph);
	fuse_pollhandle_destroy(poller->ph);
	tree_unwatch(poller->tree, watch);
	free(poller);
}

static void poller_start(struct tree *tree, struct handle *handle, struct fuse_pollhandle *ph)
{
	struct watch *watch = tree_find_watch(tree, handle, poller_wake);
	struct poller *poller = watch ? watch->userdata : calloc(1, sizeof(*poller));

	if (!poller) {
		fuse_pollhandle_destroy(ph);
		return;
	}
	if (watch) { /* asked again: the kernel wants one notification, to the newest handle */
		fuse_pollhandle_destroy(poller->ph);
		poller->ph = ph;
		return;
	}
	poller->watch = (struct watch){ .wake = poller_wake, .userdata = poller };
	poller->ph = ph;
	poller->tree = tree;
	tree_watch(tree, &poller->watch, handle);
}

static void answer_poll(struct op *op, ssize_t result)
{
	fuse_reply_poll(op->req, (unsigned)result);
}

static void ll_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	struct op *op = op_new(req, answer_poll);
	bool end;
	int r;

	if (!op) {
		if (ph)
			fuse_pollhandle_destroy(ph);
		return;
	}
	r = tree_stream_ready(
		op_tree(req), &op->request, handle_of(fi), handle_polled_offset(handle_of(fi)), &end);
	if (ph)
		poller_start(op_tree(req), handle_of(fi), ph);
	op_finish(op, r < 0 ? r : r ? POLLIN | POLLRDNORM | POLLOUT : POLLOUT);
}

static void ll_init(void *userdata, struct fuse_conn_info *conn)
{
	/* Requests are read with read(2): splicing small ones costs more than it saves. */
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
	conn->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
	/* Changes are told explicitly. */
	conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
	conn->want |= FUSE_CAP_EXPLICIT_INVAL_DATA & conn->capable;
	conn->want |= (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_POSIX_LOCKS) & conn->capable;
	conn->max_readahead = 128 << 10;
	conn->max_write = 128 << 10;
}

const struct fuse_lowlevel_ops fuse_operations = {
	.init = ll_init,
	.lookup = ll_lookup,
	.getattr = ll_getattr,
	.setattr = ll_setattr,
	.readlink = ll_readlink,
	.mkdir = ll_mkdir,
	.mknod = ll_mknod,
	.unlink = ll_unlink,
	.rmdir = ll_rmdir,
	.symlink = ll_symlink,
	.rename = ll_rename,
	.open = ll_open,
	.create = ll_create,
	.read = ll_read,
	.write = ll_write,
	.flush = ll_flush,
	.fsync = ll_fsync,
	.release = ll_release,
	.flock = ll_flock,
	.setlk = ll_setlk,
	.getlk = ll_getlk,
	.opendir = fuse_opendir,
	.readdir = fuse_readdir,
	.releasedir = fuse_releasedir,
	.statfs = ll_statfs,
	.setxattr = fuse_setxattr,
	.getxattr = fuse_getxattr,
	.listxattr = fuse_listxattr,
	.removexattr = fuse_removexattr,
	.poll = ll_poll,
};
