/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Saved workflows: what stands in workflows/. A name, an owner, and versions of a text, each with the plan
 * that was made of it when it was checked. A version that is stored loaded well then.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"

enum {
	SAVED_VERSIONS = 100, /* of one workflow, that are kept; older ones go */
};

struct saved {
	int64_t id;
	char name[NAME_SIZE + 8]; /* "deploy.sloth" */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	int64_t number; /* of its newest version; 0: none yet */
	int64_t updated_ms;
};

struct saved_version {
	int64_t id, saved_id, number;
	uid_t uid; /* who saved it */
	int64_t time_ms, size;
};

int saved_get(struct engine *engine, int64_t id, struct saved *ret_saved);
int saved_find(struct engine *engine, const char *name, struct saved *ret_saved);
/* By name, until `each` returns non-zero. Only those that have a version. */
int saved_each(struct engine *engine, int (*each)(void *userdata, const struct saved *saved), void *userdata);

/* The place of a workflow that is being checked: its id is known before it has a version. The caller's, with
 * this mode; found where it is there already. -EDQUOT: quota.h. */
int saved_prepare(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	struct fault *fault, int64_t *ret_id);
/* A new version; nothing happens when the text is the newest one's. */
int saved_keep(struct engine *engine, struct caller *caller, int64_t id, const char *text, size_t size,
	const char *plan, struct fault *fault);
/* It was refused: a place without a version goes. */
int saved_refuse(struct engine *engine, int64_t id);

int saved_version_get(struct engine *engine, int64_t id, struct saved_version *ret_version);
int saved_version_find(
	struct engine *engine, int64_t saved_id, int64_t number, struct saved_version *ret_version);
/* Oldest first. */
int saved_version_each(struct engine *engine, int64_t saved_id,
	int (*each)(void *userdata, const struct saved_version *version), void *userdata);
/* The text, and the plan as JSON (NULL: not wanted). -ENOENT. */
int saved_version_content(
	struct engine *engine, int64_t id, struct buffer *ret_text, struct buffer *ret_plan);

/* For its owner and root; renaming over another one replaces it. */
int saved_delete(struct engine *engine, struct caller *caller, int64_t id);
int saved_rename(
	struct engine *engine, struct caller *caller, int64_t id, const char *name, struct fault *fault);
int saved_set(struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid, mode_t mode);
