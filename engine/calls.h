/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the process of a run asks the daemon for (doc/protocol.md, "Calls"): a table a noun, a row a function.
 * Everything is judged by the submitter's rights; changes of the stack need its lock, and carry the fencing
 * token of it.
 */
#include "engine/runner-internal.h"
#include "engine/stack.h"

struct call {
	struct runner *runner;
	struct engine *engine;
	struct run run;
	struct caller caller; /* the submitter, acting through the run; borrows the runner's */
	json_t *args;
	struct fault fault;
	json_t *value; /* the answer; NULL: null */
};

struct call_row {
	const char *name; /* NULL ends a table */
	int (*run)(struct call *call);
	bool changes; /* its answer is kept until the process has it, so that it is never done twice */
};

extern const struct call_row output_calls[];   /* calls-output.c */
extern const struct call_row resource_calls[]; /* calls-resource.c */

/* An argument that must be a string; borrowed. */
int call_need_text(struct call *call, const char *key, const char **ret_text);

/* Whether the run may still change its stack: it holds the lock under which it began, or began without one.
 */
int call_may_change(struct call *call);

/* The run's stack, or the one that the argument "stack" names; the submitter may read it. */
int call_stack(struct call *call, struct stack *ret_stack);
