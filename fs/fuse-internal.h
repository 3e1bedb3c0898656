/* SPDX-License-Identifier: MIT */
#pragma once
/* A mount point. Shared by mount.c (sessions), fuse.c (the kernel's requests)
 * fuse-list.c (those about folders), fuse-answer.c (writing to it) and fuse-xattr.c (extended attributes). */
#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
#include <stdlib.h>

#include "fs/mount.h"

struct listing;

struct mount {
	TAILQ_ENTRY(mount) mounts;
	struct mount_context *context;
	struct fuse_session *session;
	struct fuse_buf buffer;
	struct notifier *notifier;
	ev_io readable;
	char *directory;
	TAILQ_HEAD(, listing) listings; /* of folders that are open */
	TAILQ_HEAD(, arrival) arrivals; /* requests that wait for their turn */
	TAILQ_HEAD(, unanswered) unanswered;
	ev_timer again; /* they are tried again */
};

/* The bit of an inode in mount_context.told. */
static inline uint32_t mount_told_bit(uint64_t number)
{
	return (uint32_t)(number * 0x9e3779b97f4a7c15ULL >> 48) % TOLD_BITS;
}

/* One request of the kernel, from its arrival to its answer. */
struct op {
	struct request request; /* first: the tree hands it back */
	struct mount *mount;
	fuse_req_t req;
	void (*answer)(struct op *op, ssize_t result); /* how a success is told */
	void (*undo)(struct op *op); /* what is to be done when it fails after all; NULL: nothing */
	struct turn_reply reply;
	ssize_t result;
	/* The nodes that a success tells of, and nothing else: see tree_is_settled(). 0: none, or more. */
	uint64_t tells[2];
	/* what an answer may need */
	struct attr attr;
	bool exact; /* whoever asks writes: the size is told as it is */
	struct fuse_file_info fi;
	struct handle *handle;
	struct buffer text;
	char *data;
	size_t room; /* bytes that the asker has for the answer */
};

static inline struct tree *op_tree(fuse_req_t req)
{
	struct mount *mount = fuse_req_userdata(req);

	return mount->context->tree;
}

/* NULL: the kernel has been told that there is no memory. */
struct op *op_new(fuse_req_t req, void (*answer)(struct op *op, ssize_t result));
void op_free(struct op *op);
/* Where every handler ends: with a result, or LATER. */
void op_finish(struct op *op, ssize_t result);

/* fuse-list.c: folders. */
void fuse_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fuse_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fuse_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* fuse-answer.c: what is written to the kernel. The session is mounted when it is told to write like that. */
void fuse_answers_prepare(struct mount *mount);
int fuse_answers_init(struct mount *mount);
void fuse_answers_done(struct mount *mount);

/* fuse-xattr.c: extended attributes. */
void fuse_setxattr(
	fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void fuse_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void fuse_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void fuse_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* The handlers of the kernel's requests; their userdata is a struct mount. */
extern const struct fuse_lowlevel_ops fuse_operations;
void fuse_free_listings(struct mount *mount);
