/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What can be said of a run as a whole: how long its tasks took and waited, which were the slowest, and which
 * chain of them made it last as long as it did. Worked out from the rows of its tasks whenever it is asked
 * for; nothing of it is stored. Pure but for report_load().
 */
#include <jansson.h>

#include "engine/run.h"

struct report_task {
	struct task task;
	size_t *depends; /* places of other tasks; owned */
	size_t depends_count;
	int64_t ready_ms; /* when the last one that it waited for had ended; 0: it never began */
};

struct report {
	struct run run;
	struct report_task *tasks; /* in the order of definition */
	size_t count;
	size_t *path; /* the critical path, first task first: places */
	size_t path_count;
};

int report_load(struct engine *engine, int64_t run_id, struct report *ret_report);
void report_done(struct report *report);
/* Fills ready_ms and path: when each task could have begun, and which chain of tasks determined the end: from
 * the one that ended last back, always to the one that was waited for longest. */
int report_find_path(struct report *report);

/* From its first try to its end, with the waits between tries; -1: it never began, or goes on. */
int64_t report_task_ms(const struct report_task *task);
/* How long it could have run and did not; -1: it never began. */
int64_t report_wait_ms(const struct report_task *task);

/* summary.json, but for its errors. New reference; NULL without memory. */
json_t *report_json(const struct report *report);
json_t *report_path_json(const struct report *report);
