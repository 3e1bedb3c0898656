/* SPDX-License-Identifier: MIT */
#pragma once
/* One validation. Shared by validate.c (how it goes) and validate-checks.c (what is looked at). */
#include "engine/config.h"
#include "engine/stack.h"
#include "engine/validate.h"

enum validate_status { VALIDATE_OK, VALIDATE_WARN, VALIDATE_FAIL, VALIDATE_SKIP };

struct check;

struct validation {
	struct engine *engine;
	struct runners *runners;
	struct caller caller;
	int64_t stack_id, run_id;
	void (*done)(void *userdata, const json_t *report, const struct fault *fault);
	void *userdata;
	ev_timer later;
	struct check *check; /* that is going on */
	bool has_workflow;

	/* While the checks are done. */
	struct stack stack;
	struct config config;
	const json_t *answer; /* of the process; NULL: see `unseen` */
	const char *unseen;   /* why nobody could look */
	const struct validate_check *current;
	json_t *results;
	bool said; /* the current check has said something */
};

struct validate_check {
	const char *id;
	const char *good, *bad; /* how it went, in words */
	void (*run)(struct validation *validation);
};

extern const struct validate_check validate_checks[];
extern const size_t validate_check_count;

/* One result of the current check; a check that says nothing is fine. */
void validate_say(struct validation *validation, enum validate_status status, const char *advice,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The files that the resources of a stack name, for the process: list of {path, of, write}. New reference. */
json_t *validate_paths(struct engine *engine, int64_t stack_id);
