/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Destroyed stacks: their versions stay for snapshot_retention, or as long as one of them has a name, and the
 * stack can be brought back as it was: with its id, its versions and its fencing token. Without the trigger
 * before_destroy (or auto_snapshot) nothing stays.
 */
#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"
#include "engine/stack.h"

struct destroyed {
	int64_t id; /* the stack's */
	char name[NAME_SIZE];
	uid_t uid;
	gid_t gid;
	mode_t mode;
	int64_t token, destroyed_ms;
	uid_t by;
};

/* -ENOENT. */
int destroyed_get(struct engine *engine, int64_t id, struct destroyed *ret_destroyed);
int destroyed_each(struct engine *engine, int (*each)(void *userdata, const struct destroyed *destroyed),
	void *userdata);

/* The stack is about to be deleted: keeps what is to be kept, and lets go of the rest. In a change. */
int destroyed_keep(struct engine *engine, struct caller *caller, const struct stack *stack);

/* The stack is there again, under its name or another. What it can't have any more (a dependency that would
 * make a cycle now) is left out. For its owner and root, who must be allowed to make stacks. -EEXIST, -EPERM,
 * -EBADMSG. */
int destroyed_restore(
	struct engine *engine, struct caller *caller, int64_t id, const char *name, struct fault *fault);

/* Nothing of it stays but its events. For its owner and root. */
int destroyed_purge(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault);

/* The next one whose time is over goes: 1; 0: there is none. */
int destroyed_expire(struct engine *engine);
