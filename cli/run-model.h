/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A run and its tasks as who follows it knows them: the tasks and what they depend on from plan.json, and
 * then what the lines of events.json say. Each line changes one thing, so that following costs what changes,
 * and not what there is.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum model_status {
	MODEL_PENDING,
	MODEL_READY,
	MODEL_RUNNING,
	MODEL_RETRY_WAIT,
	MODEL_SUCCESS,
	MODEL_UNCHANGED,
	MODEL_SKIPPED,
	MODEL_FAILED,
	MODEL_TIMED_OUT,
	MODEL_CANCELLED,
	MODEL_UPSTREAM_FAILED,
	MODEL_LOST,
	MODEL_STATUS_COUNT
};

const char *model_status_name(enum model_status status);
bool model_status_over(enum model_status status);
/* It was meant to run, and did not come to a good end. */
bool model_status_bad(enum model_status status);

struct model_task {
	const char *name; /* borrowed from the plan */
	enum model_status status;
	int try;
	int64_t first_ms, started_ms; /* when its first and its last try began; 0: none did */
	int64_t ended_ms;	      /* of its end; 0: it goes on */
	int64_t until_ms;	      /* when its next try is due; 0: none is */
	char *error;		      /* of its last try; NULL: none */
	size_t *depends;	      /* places of other tasks */
	size_t depends_count;
};

struct run_model {
	json_t *plan, *places; /* places: name → place; owned */
	struct model_task *tasks;
	size_t count;
	size_t with_status[MODEL_STATUS_COUNT];
	char status[32]; /* of the run; "": not known yet */
	int64_t started_ms;
};

/* One line of events.json, as it is told. */
struct model_change {
	struct model_task *task;      /* NULL: of the run itself */
	const char *from, *to;	      /* borrowed from the line; from "": it was submitted */
	const char *error;	      /* "": none */
	int64_t time_ms, duration_ms; /* duration_ms -1: nothing ended */
};

void model_done(struct run_model *model);
/* plan.json, which is borrowed; {} while it is not known. 0 or -ENOMEM. */
int model_set_plan(struct run_model *model, json_t *plan);
/* 0; -ENOENT: of a task that the plan does not have (yet); -EINVAL: no line of events.json. */
int model_apply(struct run_model *model, const json_t *line, struct model_change *ret_change);
/* NULL: none is called so. */
struct model_task *model_find(const struct run_model *model, const char *name);
/* How many tasks are over. */
size_t model_over(const struct run_model *model);
