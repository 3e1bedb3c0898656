/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Looking for drift, and fixing it. What comes of it is engine/drift.h's.
 *
 * Looking is done by a process with the rights of the stack's owner, never more (doc/protocol.md, `detect`):
 * a few at a time, two of one owner; others wait in the order in which they came, and who asks for the same
 * waits with them. What a resource says is read, or run, by its provider. So of one that was put there by
 * somebody else than the owner or root nothing is read: it is unknown, and says why.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/drift.h"
#include "engine/runner.h"

/* What the workflow of a fix is called. */
#define DRIFT_FIX_FILE "drift-fix.sloth"

/* Compares resources of a stack with the world: `resource` is a name as drift_find_resource() takes it, NULL:
 * all. done() is called once, from the loop, never from in here: with what the whole stack is like now, or
 * NULL and the sentence. The caller must be allowed to write to the stack; nobody's lock stands in the way.
 * 0, or -errno: it will not be called. */
int drift_detect(struct runners *runners, struct caller *caller, int64_t stack_id, const char *resource,
	void (*done)(void *userdata, const struct drift_summary *summary, const struct fault *fault),
	void *userdata);
/* done() is not called any more for what was begun with this userdata. */
void drift_forget(struct runners *runners, const void *userdata);

/* Submits a run with the caller's rights that brings about again what has drifted: a task for each resource,
 * in the order of the dependencies. `dry`: only says whether it would. -ENOENT: nothing has drifted. -EPERM:
 * it would do with the caller's rights what somebody else than he or root has asked for. */
int drift_fix(struct runners *runners, struct caller *caller, int64_t stack_id, const char *resource,
	bool dry, struct fault *fault, int64_t *ret_run);

/* The same for what was chosen ("TYPE/NAME" → properties, a set; "" among them: the whole), without anybody
 * having asked: `reason` says why. It waits for the lock where somebody was faster. */
int drift_fix_chosen(struct runners *runners, struct caller *caller, int64_t stack_id, json_t *chosen,
	const char *reason, struct fault *fault, int64_t *ret_run);

/* The workflow of such a run. */
int drift_fix_workflow(struct engine *engine, struct caller *caller, int64_t stack_id, const char *resource,
	struct fault *fault, struct buffer *ret_text);

/* For runner*.c. Ids are below 0. */
void detections_started(struct runners *runners, int64_t id, pid_t pid);
void detections_free(struct runners *runners);
