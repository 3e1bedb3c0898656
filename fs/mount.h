/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The door for the kernel: one struct mount a mount point, all on the daemon's loop. Only notifications about
 * names are sent from a thread of their own, because the kernel may hold a folder's lock while it waits for
 * us.
 */
#include <stdbool.h>

#include "base/fault.h"
#include "fs/tree.h"
#include "fs/turn.h"

struct mount;
TAILQ_HEAD(mount_list, mount);

enum { TOLD_BITS = 1 << 16 };

struct mount_context {
	struct tree *tree;
	struct turn *turn;
	struct ev_loop *loop;
	struct mount_list mounts;
	void (*gone)(struct mount_context *context); /* a mount point was unmounted, by whomever */
	/* Inodes whose attributes some kernel was ever told to keep, by a hash of their numbers: about all
	 * others there is nothing to take back, which spares most changes a handful of system calls. */
	uint8_t told[TOLD_BITS / 8];
};

void mount_context_init(
	struct mount_context *context, struct tree *tree, struct turn *turn, struct ev_loop *loop);

/* Mounts at an absolute path. A mount that a former daemon of this home left there is detached first.
 * `options` as for mount(8), NULL: none. */
int mount_open(
	struct mount_context *context, const char *directory, const char *options, struct fault *fault);
/* -ENOENT: not one of ours. */
int mount_close(struct mount_context *context, const char *directory, struct fault *fault);
void mount_close_all(struct mount_context *context);
void mount_each(
	struct mount_context *context, void (*each)(void *userdata, const char *directory), void *userdata);
