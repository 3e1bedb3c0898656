/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a stack says after things were put back from before-images (engine/image.h): its own items go back to
 * what they were before the run, and its resources to what was known of them.
 */
#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"
#include "engine/run.h"

/* What the run has changed of the stack itself becomes what it was before it. `by_run` goes on meanwhile. In
 * a change. *ret_number: the version that it became (or is, when nothing differs). */
int undo_stack(struct engine *engine, struct caller *caller, const struct run *run, int64_t by_run,
	bool force, struct fault *fault, int64_t *ret_count, int64_t *ret_number);
/* Whether it could be: -ESTALE, -ENOENT. */
int undo_stack_check(struct engine *engine, const struct run *run, bool force, struct fault *fault);

/* How much of what the run has changed of the stack itself is still so. */
int undo_stack_left(struct engine *engine, const struct run *run, int64_t *ret_count);

/* Status and applied properties of the resources that the run had changed, where their wish is what it was
 * before. In a change. */
int undo_resource_rows(struct engine *engine, struct caller *caller, int64_t stack_id, int64_t run_id);
