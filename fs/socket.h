/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The door for clients: the socket, with the operations of doc/protocol.md. The same tree as the mount, with
 * the same results.
 */
#include <stdbool.h>

#include "base/fault.h"
#include "fs/mount.h"
#include "fs/tree.h"
#include "fs/turn.h"

struct door;

/* Listens at `path` (mode 0666 for root's daemon, else 0600: who may do what is the tree's matter). */
int door_open(const char *path, struct tree *tree, struct turn *turn, struct mount_context *mounts,
	struct ev_loop *loop, const char *home, struct fault *fault, struct door **ret_door);
void door_free(struct door *door);

/* Clients that are connected now. */
size_t door_clients(const struct door *door);
