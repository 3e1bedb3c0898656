/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Snapshots: versions of a stack that are kept on purpose, with a description, and names, which pin the
 * versions that bear them.
 *
 * Who may write to the stack may take and delete snapshots, also while somebody else holds its lock.
 */
#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"
#include "engine/version.h"

enum snapshot_trigger {
	SNAPSHOT_MANUAL,
	SNAPSHOT_BEFORE_DEPLOYMENT,
	SNAPSHOT_BEFORE_DESTROY,
	SNAPSHOT_ON_DRIFT_FIX,
	SNAPSHOT_BEFORE_RESTORE,
	SNAPSHOT_TRIGGER_COUNT
};

enum { SNAPSHOT_TEXT_MAX = 1024 };

struct snapshot_request {
	char description[SNAPSHOT_TEXT_MAX]; /* one line */
	char creator[SNAPSHOT_TEXT_MAX];     /* "": the caller's name */
	char tags[SNAPSHOT_TEXT_MAX];	     /* words with commas between them */
	char name[SNAPSHOT_TEXT_MAX];	     /* pins it at once; "": no name */
};

struct snapshot {
	struct version version;
	bool on_purpose; /* false: a version that only has a name; the rest is empty */
	const char *trigger, *description, *creator, *tags; /* borrowed while `each` runs */
};

struct snapshot_name {
	int64_t id, stack_id;
	char name[NAME_SIZE];
	int64_t version_id, number, created_ms;
};

/* A description as it stands, or words: description= creator= tags= name=. -EINVAL. */
int snapshot_parse(const char *line, size_t size, struct fault *fault, struct snapshot_request *ret_request);

/* A new version, also if nothing has changed since the last. -EACCES, -EINVAL, -EEXIST (the name). */
int snapshot_create(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct snapshot_request *request, struct fault *fault, int64_t *ret_number);

/* Before something that may go wrong, where the stack's settings ask for it (auto_snapshot,
 * snapshot_triggers): the newest version is kept on purpose. In a change; no permission asked. */
int snapshot_auto(struct engine *engine, struct caller *caller, int64_t stack_id,
	enum snapshot_trigger trigger, const char *description);

/* The newest version is kept on purpose, whatever the settings say. In a change. */
int snapshot_keep(struct engine *engine, struct caller *caller, int64_t stack_id,
	enum snapshot_trigger trigger, const char *description);

/* Deletes a version; what it alone had is removed by and by. -EPERM for the newest and for pinned ones. */
int snapshot_delete(struct engine *engine, struct caller *caller, int64_t version_id, struct fault *fault);

/* Names a version, which pins it. -EINVAL for what reads like a version (v38) or a time, -EEXIST. */
int snapshot_pin(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	int64_t number, struct fault *fault, int64_t *ret_id);
int snapshot_unpin(struct engine *engine, struct caller *caller, int64_t name_id, struct fault *fault);

int snapshot_name_find(
	struct engine *engine, int64_t stack_id, const char *name, struct snapshot_name *ret_name);
int snapshot_name_get(struct engine *engine, int64_t id, struct snapshot_name *ret_name);
int snapshot_name_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct snapshot_name *name), void *userdata);

/* The names of one version, with blanks between them; "" for none. */
int snapshot_names(struct engine *engine, int64_t version_id, struct buffer *ret_names);

/* Those on purpose and those that have a name, the newest first, until `each` returns non-zero. */
int snapshot_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct snapshot *snapshot), void *userdata);

/* The number that "v38", "38", "latest", "current" or a name stand for. -ENOENT with a sentence. */
int snapshot_resolve(struct engine *engine, int64_t stack_id, const char *text, struct fault *fault,
	struct version *ret_version);
