/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Undoing a whole run: a workflow is made that puts back what the run has changed, the last change first, and
 * then what the stack says; it is submitted like any other, as the one who asks. What it puts back it keeps
 * before-images of itself: undoing such a run does the run again.
 */
#include "base/fault.h"
#include "engine/caller.h"
#include "engine/runner.h"

/* What the workflow of an undo is called. */
#define RUN_UNDO_FILE "run-undo.sloth"

struct run_undo {
	int64_t run_id;
	bool force; /* also what later runs have changed, and though something can't be put back */
	bool dry;   /* only says whether it would */
};

/* -EBUSY: the run is not over. -EPERM: it was somebody else's: what it kept is put back with the rights of
 * who asks, and may be what nobody else may see. -ENOENT: nothing of it is left to be undone. -ESTALE: later
 * runs have changed the same, they are named. -ENOTSUP: something can't be put back. loaded() and *ret_run as
 * of runner_submit(). */
int run_undo(struct runners *runners, struct caller *caller, const struct run_undo *undo, struct fault *fault,
	void (*loaded)(void *userdata, int result, const struct fault *fault), void *userdata,
	int64_t *ret_run);

/* The run that this one undoes; 0: none. */
int64_t run_undo_of(struct engine *engine, int64_t run_id);
