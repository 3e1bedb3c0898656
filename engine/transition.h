/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What became of a run and its tasks, in order: the lines of runs/ID/events.json. Rows are added with the
 * change of status itself; their text is made when it is read, but its size is known from the start, so that
 * reading anywhere is one search.
 */
#include "engine/run.h"

struct transition {
	int64_t run_id, task_id; /* task_id 0: of the run itself */
	const char *task;	 /* its name; "" of the run */
	int try;
	int64_t time_ms;
	const char *from, *to; /* from "": it was submitted */
	int64_t duration_ms;   /* of the try or the run that ended by it; -1: none did */
	int64_t until_ms;      /* when the next try is due; 0: none is */
	const char *error;     /* NULL or "": nothing to say */
};

/* In a change. */
int transition_add(struct engine *engine, const struct transition *transition);
/* Bytes of events.json, or -errno. */
int64_t transition_size(struct engine *engine, int64_t run_id);
/* Like pread(2). */
ssize_t transition_read(struct engine *engine, int64_t run_id, int64_t offset, char *ret_data, size_t size);
