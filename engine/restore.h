/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Restoring a version of a stack: a new version with the content of an old one, in one change, with the
 * version before it kept as a snapshot. Each kind of item has a function in the table of restore.c that makes
 * the live rows what the item says.
 *
 * The name of a stack is not restored, and who owns it and may use it only when meta is asked for by name:
 * rights that were taken away must not come back unseen.
 */
#include "engine/version.h"

struct restore {
	int64_t number;	    /* the version to go back to */
	unsigned kinds;	    /* 1 << enum version_kind; texts: see `texts` */
	unsigned texts;	    /* 1 << enum stack_text */
	int64_t by_run;	    /* of a run that goes on meanwhile, 0: none */
	int64_t until;	    /* only what had changed from `number` to this version, 0: all */
	bool force;	    /* with `until`: also what was changed again after it (else -ESTALE) */
	bool standing;	    /* with `until`: only what is still as it was then */
	bool dry_run;	    /* nothing changes: only whether it would be allowed, and how much it is */
	char kind_name[16]; /* with a name: only that item */
	char name[VERSION_NAME_SIZE];
};

/* A line of snapshots/restore: "v35", "35" or a name, or "undo [N]", with the words dry-run and only=KIND,…
 * (resources, outputs, config, values, workflow, description, version, state, tags, deps, meta, KIND/NAME).
 * -EINVAL, -ENOENT. */
int restore_parse(struct engine *engine, int64_t stack_id, const char *line, size_t size, struct fault *fault,
	struct restore *ret_restore);

/* With `until`: -ESTALE for an item that was changed again, -ENOENT for a version that is gone; nothing is
 * changed, and nobody's lock is asked for. */
int restore_check(
	struct engine *engine, int64_t stack_id, const struct restore *restore, struct fault *fault);

/* How many items that would be. */
int restore_count(struct engine *engine, int64_t stack_id, const struct restore *restore, struct fault *fault,
	int64_t *ret_count);

/* All that a line without only= means. */
void restore_all(int64_t number, struct restore *ret_restore);

/* A stack that has nothing but its row and its versions gets all that the version has, but for meta. What it
 * can't have any more (a dependency that would make a cycle now) is no longer part of it. In a change; no
 * permission asked. */
int restore_live(struct engine *engine, const struct stack *stack, int64_t number, struct fault *fault);

/* -EACCES, -EBUSY (locked by another, or a run is not over), -EBADMSG, and what the functions of the kinds
 * refuse. *ret_count: how many items differed; *ret_number: the version that it became (as before when
 * nothing differed). Both may be NULL. */
int restore_version(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct restore *restore, struct fault *fault, int64_t *ret_count, int64_t *ret_number);
