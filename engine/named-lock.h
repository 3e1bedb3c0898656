/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Locks with a name of their own: locks/NAME. Made by whoever needs one first, with an owner, a group and a
 * mode as a file has them; who holds it is engine/lock.h's business.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"

struct named_lock {
	int64_t id;
	char name[NAME_SIZE];
	uid_t uid;
	gid_t gid;
	mode_t mode;
	int64_t token; /* the last that was granted here */
	int64_t updated_ms;
};

/* -ENOENT when there is none. */
int named_lock_get(struct engine *engine, int64_t id, struct named_lock *ret_lock);
int named_lock_find(struct engine *engine, const char *name, struct named_lock *ret_lock);
/* In the order of names, until `each` returns non-zero, which is then returned. */
int named_lock_each(
	struct engine *engine, int (*each)(void *userdata, const struct named_lock *lock), void *userdata);

/* -EEXIST; -EINVAL for a name that is none or stands for something else (ctl, NAME.json); -EDQUOT. Asks no
 * permission of the folder. `by_run`: it is forgotten when a daemon starts and nobody holds it. */
int named_lock_create(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	bool by_run, struct fault *fault, int64_t *ret_id);
/* The lock of that name, made where it is missing and the folder locks/ lets the caller (-EACCES). */
int named_lock_need(struct engine *engine, struct caller *caller, const char *name, bool by_run,
	struct fault *fault, int64_t *ret_id);
/* Releases it, if the caller holds it, and removes the name. Waiters keep the name: then the next one has
 * it. -EPERM while somebody else holds it. */
int named_lock_remove(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault);

/* As chmod(2) and chown(2); -1 leaves uid or gid. */
int named_lock_chmod(
	struct engine *engine, struct caller *caller, int64_t id, mode_t mode, struct fault *fault);
int named_lock_chown(
	struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid, struct fault *fault);

/* Names that runs have left behind. In a change, when the daemon starts. */
int named_lock_forget_unused(struct engine *engine);
