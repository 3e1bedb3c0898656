/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A stack: a named deployment with an owner, a mode, texts, outputs, keys and values, and a lock.
 *
 * Permission is judged here, at every door alike: functions that take a caller refuse with -EACCES or -EPERM
 * and with -EBUSY when somebody else holds the stack's lock (see lock.h), and leave an event in the same
 * transaction. A caller of NULL is the daemon itself: no checks.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"

enum stack_status { STACK_CREATED, STACK_RUNNING, STACK_COMPLETED, STACK_FAILED };

enum stack_text {
	STACK_DESCRIPTION,
	STACK_VERSION,
	STACK_CONFIG,
	STACK_VALUES,
	STACK_WORKFLOW,
	STACK_TEXT_COUNT
};

struct stack {
	int64_t id;
	char name[NAME_SIZE];
	uid_t uid;
	gid_t gid;
	mode_t mode; /* permission bits with setgid/sticky, as of its directory */
	enum stack_status status;
	int64_t created_ms, updated_ms;
	int64_t token;	   /* the last fencing token that was granted */
	int64_t run_count; /* runs that were started here */
	int64_t last_run;  /* id, 0: none */
};

const char *stack_status_name(enum stack_status status);

/* -ENOENT when there is none. */
int stack_get(struct engine *engine, int64_t id, struct stack *ret_stack);
int stack_find(struct engine *engine, const char *name, struct stack *ret_stack);

/* In the order of names, from the first after `after` ("" for all), until `each` returns non-zero, which is
 * then returned. */
int stack_each(struct engine *engine, const char *after,
	int (*each)(void *userdata, const struct stack *stack), void *userdata);

/* -EEXIST, -EINVAL, -ENAMETOOLONG. Owned by the caller's uid and gid. `mode` has the umask applied already.
 */
int stack_create(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	struct fault *fault, struct stack *ret_stack);

/* The caller must be the stack's owner or root (the tree checks the sticky directory as well). -EBUSY while
 * somebody else holds the lock or a run of it is unfinished. Its events and its runs stay; runs remember the
 * stack's owner and mode. */
int stack_destroy(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault);

int stack_rename(
	struct engine *engine, struct caller *caller, int64_t id, const char *name, struct fault *fault);

/* Only the owner or root (mode), only root or owner to one of his groups (owner, group), like chmod(2) and
 * chown(2). -1 leaves uid or gid. */
int stack_chmod(struct engine *engine, struct caller *caller, int64_t id, mode_t mode, struct fault *fault);
int stack_chown(
	struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid, struct fault *fault);

/* Texts. Description and version are one line (the newline at the end is cut). Config and values must parse
 * (-EINVAL with line). -EFBIG above config.max_document_size. */
int stack_text(struct engine *engine, int64_t id, enum stack_text which, struct buffer *ret_text,
	int64_t *ret_time_ms);
int stack_set_text(struct engine *engine, struct caller *caller, int64_t id, enum stack_text which,
	const char *text, size_t size, struct fault *fault);

/* The workflow of the run that begins, without checks: the run has passed them. */
int stack_keep_workflow(
	struct engine *engine, struct caller *caller, int64_t id, const char *text, size_t size);

/* Says to the stack's version what it is now (see version.h): its own row, its texts. In a change. */
int stack_put_version(struct engine *engine, struct caller *caller, int64_t id);
int stack_put_texts(struct engine *engine, struct caller *caller, int64_t id);

/* Makes it one that was never written; what was is as before. */
int stack_remove_text(
	struct engine *engine, struct caller *caller, int64_t id, enum stack_text which, struct fault *fault);
/* By the name that it has in versions. -EINVAL. */
int stack_text_parse(const char *name, enum stack_text *ret_which);

/* The configuration that holds for this stack: the daemon's with the stack's over it. */
int stack_config(struct engine *engine, int64_t id, struct config *ret_config);

/* Whether the caller may use the stack in this way (MAY_*): -EACCES. */
int stack_access(struct caller *caller, const struct stack *stack, int want);

/* Whether the caller (NULL: the daemon) may look into it: list it and read what it shows. */
bool stack_visible(struct engine *engine, struct caller *caller, int64_t id);

/* Write permission: -EACCES with the sentence. */
int stack_may_write(struct caller *caller, const struct stack *stack, struct fault *fault);

/* The check that stands before every change: write permission, and nobody else's lock. */
int stack_may_change(
	struct engine *engine, struct caller *caller, const struct stack *stack, struct fault *fault);
/* The stack, if it is there and the caller may change it: what every change of it begins with. */
int stack_get_for_change(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault,
	struct stack *ret_stack);

/* Set by runs, no permission asked. */
int stack_set_status(struct engine *engine, int64_t id, enum stack_status status);
/* A run has succeeded here: how long they take is the median of the last five. */
int stack_time_runs(struct engine *engine, int64_t id);
/* A run has started here. */
int stack_count_run(struct engine *engine, int64_t id, int64_t run_id);
