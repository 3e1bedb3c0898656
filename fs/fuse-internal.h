/* SPDX-License-Identifier: MIT */
#pragma once
/* A mount point. Shared by mount.c (sessions) and fuse.c (the kernel's requests). */
#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

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
};

/* The bit of an inode in mount_context.told. */
static inline uint32_t mount_told_bit(uint64_t number)
{
	return (uint32_t)(number * 0x9e3779b97f4a7c15ULL >> 48) % TOLD_BITS;
}

/* The handlers of the kernel's requests; their userdata is a struct mount. */
extern const struct fuse_lowlevel_ops fuse_operations;
void fuse_free_listings(struct mount *mount);
