/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Looking for drift, and fixing it: processes and runs with the rights of a stack's owner. What comes of it
 * is engine/drift.h's.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/drift.h"
#include "engine/runner.h"

/* Compares resources of a stack with the world: `resource` is a name as drift_find_resource() takes it, NULL:
 * all. done() is called once, from the loop: with what the whole stack is like now, or NULL and the sentence.
 * The caller must be allowed to write to the stack. */
int drift_detect(struct runners *runners, struct caller *caller, int64_t stack_id, const char *resource,
	void (*done)(void *userdata, const struct drift_summary *summary, const struct fault *fault),
	void *userdata);
/* done() is not called any more for what was begun with this userdata. */
void drift_forget(struct runners *runners, const void *userdata);

/* Submits a run that brings about again what has drifted, in the order of the dependencies; `dry`: one that
 * only says what it would do. -ENOENT: nothing has drifted. */
int drift_fix(struct runners *runners, struct caller *caller, int64_t stack_id, const char *resource,
	bool dry, struct fault *fault, int64_t *ret_run);
