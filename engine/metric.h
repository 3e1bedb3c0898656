/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What workflows measure: series of numbers, each with a name and tags, of one stack. They go with it, and
 * are no part of its versions. Who shows them follows Prometheus' rules: a name is of one type everywhere.
 */
#include <jansson.h>
#include <stdio.h>

#include "engine/caller.h"
#include "engine/engine.h"

enum {
	METRIC_SERIES_MAX = 1000, /* of a stack */
	METRIC_TAGS_MAX = 10,
	METRIC_NAME_MAX = 128,	/* bytes, of tags, too */
	METRIC_VALUE_MAX = 256, /* bytes of a tag's value */
};

/* Texts are borrowed while `each` runs. */
struct metric {
	int64_t id, stack_id;
	const char *stack, *name;
	const char *family; /* the name that Prometheus sees */
	const char *type;   /* "gauge", "counter", "histogram", "timer" */
	const char *tags;   /* JSON: an object of strings, sorted */
	const char *value;  /* JSON: {value}, or {count, sum, min, max, last, buckets} */
	int64_t updated_ms;
};

/* A number for a series, which is made when it is new: gauges are it, counters go up by it, histograms and
 * timers (seconds) count it in. `tags`: an object of strings, borrowed; NULL: none. No permission is asked.
 * -EINVAL, -EEXIST (the name is taken by another type), -EDQUOT, -ERANGE, with the sentence. In a change. */
int metric_record(struct engine *engine, int64_t stack_id, const char *type, const char *name, json_t *tags,
	double number, struct fault *fault, double *ret_value);

/* By family, stack and tags; stack_id 0: of all stacks. Until `each` returns non-zero, which is returned. */
int metric_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct metric *metric), void *userdata);

/* Removes the series of a name (NULL: all) of a stack, and gives how many there were. */
int metric_remove(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	struct fault *fault, int64_t *ret_count);

/* What a workflow or a program sees of one: {name, type, tags, value …, updated}. New reference. */
json_t *metric_json(const struct metric *metric);

/* The bounds of a histogram's buckets, from the least one on: each bucket counts what is not above its bound.
 * The last one has none. 0 for other types. */
size_t metric_bounds(const char *type, const double **ret_bounds);
