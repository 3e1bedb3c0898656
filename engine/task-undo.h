/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Tasks of a run that say themselves how they are undone, by a word of the workflow: when the run is undone
 * later, that is called in the place of their before-images, as in a rollback. It counts on all that the task
 * has done, so it is of those only that ended well, in this run.
 */
#include <stdbool.h>

#include "engine/run.h"

/* Until `each` returns non-zero, in the order of their definition. `undone`: it was called, and went well. */
int task_undo_each(struct engine *engine, int64_t run_id,
	int (*each)(void *userdata, const struct task *task, bool undone), void *userdata);

/* It was called, and went well: all that the task has changed is undone. In a change. */
int task_undo_done(struct engine *engine, const struct task *task);
