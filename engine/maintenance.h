/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The maintenance lock that a run leaves whose rollback has failed: nothing runs on the stack by itself until
 * the stack's owner (or root) has looked and released it, or has undone the run. It is the owner's, and has
 * the run's number.
 */
#include "base/fault.h"
#include "engine/run.h"

/* The run ends as `status`, and its own lock is gone. Also for a run that undoes another one whose rollback
 * has failed, when it fails in its turn. Nothing happens where a person holds the lock meanwhile. In a
 * change. */
int maintenance_begin(struct engine *engine, const struct run *run, enum run_status status);

/* A run that undoes another one may work on the stack which that one left, for whoever could release the
 * lock: then it is gone. In a change. */
int maintenance_lift(struct engine *engine, struct caller *caller, int64_t run_id, const struct stack *stack,
	struct fault *fault);
