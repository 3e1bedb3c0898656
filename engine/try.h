/* SPDX-License-Identifier: MIT */
#pragma once
/* Tries of tasks as rows. The log of a try is a part of its task's log: only where it begins is stored. */
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "engine/run.h"

struct
try {
	int64_t task_id;
	int number; /* from 1 */
	enum task_status status;
	bool undo;			 /* of what the task did, see rollback.h */
	int64_t started_ms, finished_ms; /* 0: not yet */
	int64_t log_start, log_end;	 /* offsets in the task's log */
};

/* `task` is as it was before; a try that is new begins at the end of its log. In a change. */
int try_set(struct engine *engine, const struct task *task, int number, bool undo, enum task_status status,
	int64_t time_ms, const char *error);

int try_get(struct engine *engine, int64_t task_id, int number, struct try *ret_try);
/* Until `each` returns non-zero. `error`, "" for none, is borrowed. */
int try_each(struct engine *engine, int64_t task_id,
	int (*each)(void *userdata, const struct try *try, const char *error), void *userdata);
int try_error(struct engine *engine, int64_t task_id, int number, struct buffer *ret_text);
