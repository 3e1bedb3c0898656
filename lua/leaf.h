/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Leaves: cgroups below the run's own (cgroups(7), version 2), one for each try that runs commands. What is
 * born in one can't leave it by losing its parent, its session or its environment. An empty one is used
 * again; one in which a successful task left something is marked as left (an extended attribute, which the
 * daemon heeds) and given up.
 *
 * Where the run has no cgroup, there are none.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>

struct leaf {
	STAILQ_ENTRY(leaf) link;
	int folder, events; /* descriptors */
	unsigned number;
};

struct leaves {
	char *path;	/* the run's group; NULL: none */
	int folder;	/* of it; -1: not opened yet */
	unsigned count; /* that were made */
	STAILQ_HEAD(, leaf) spare;
};

void leaves_init(struct leaves *leaves);
void leaves_done(struct leaves *leaves);
/* Takes `path`, NULL: there is no group. Nothing is done before the first leaf is wanted. */
void leaves_set(struct leaves *leaves, char *path);

/* NULL: there is none to be had. */
struct leaf *leaf_take(struct leaves *leaves);
/* Back, or given up when something is still in it. */
void leaf_give(struct leaves *leaves, struct leaf *leaf);

/* Whether something lives in it. */
bool leaf_busy(const struct leaf *leaf);
/* Its processes. How many. */
size_t leaf_each(const struct leaf *leaf, void (*each)(void *userdata, pid_t pid), void *userdata);
/* SIGKILL to all that is in it, also to what is being born. */
int leaf_kill(const struct leaf *leaf);
/* What is in it may stay. */
void leaf_leave(const struct leaf *leaf);
