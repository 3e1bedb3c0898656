/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What should be in order before a stack is changed: checks that are rows of one table
 * (engine/validate-checks.c). All are done whatever the others say. What needs the rights of the caller is
 * looked at by a process of his (check.h), so the answer comes later.
 *
 * A report is a JSON object: stack, passed, strict, errors, warnings, results: a list of { id, title, status
 * (ok, warn, fail, skip), message, advice }.
 */
#include <jansson.h>

#include "engine/caller.h"
#include "engine/engine.h"

struct runners;
struct validation;

struct validate_order {
	struct caller *caller;
	int64_t stack_id;
	int64_t run_id; /* of which it is the beginning: its own lock is no conflict; 0: none */
	/* From the loop, once: the report, borrowed; NULL with the sentence. */
	void (*done)(void *userdata, const json_t *report, const struct fault *fault);
	void *userdata;
};

/* `runners` NULL: what needs a process is skipped. */
int validate_start(struct engine *engine, struct runners *runners, const struct validate_order *order,
	struct validation **ret_validation);
/* done() is not called any more. */
void validate_cancel(struct validation *validation);

/* For people: a line for each result, and the end's sentence. */
void validate_show(const json_t *report, FILE *out);
/* What failed, in lines: the error of a run. */
void validate_show_failures(const json_t *report, FILE *out);
