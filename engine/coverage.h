/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How much of the folders that a stack declares as its own (roots in its config.yaml, and in the config of
 * the newest workflow that names some) its resources look after, and what they do not. A process of the
 * caller's looks, with his rights (check.h): nobody learns more by it than by find(1). So the answer comes
 * later.
 *
 * A report is a JSON object: stack, roots: a list of { root, error }, ignore, files, managed, percent,
 * ignored, unmanaged: a list of { path, type }, more: how many there are beyond it, truncated.
 */
#include <jansson.h>
#include <stdio.h>

#include "engine/caller.h"
#include "engine/engine.h"

struct runners;
struct coverage;

struct coverage_order {
	struct caller *caller;
	int64_t stack_id;
	/* From the loop, once: the report, borrowed; NULL with the sentence. */
	void (*done)(void *userdata, const json_t *report, const struct fault *fault);
	void *userdata;
};

int coverage_start(struct engine *engine, struct runners *runners, const struct coverage_order *order,
	struct coverage **ret_coverage);
/* done() is not called any more. */
void coverage_cancel(struct coverage *coverage);

/* For people. */
void coverage_show(const json_t *report, FILE *out);
