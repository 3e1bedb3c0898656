/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the process of a run asks the daemon for (doc/protocol.md, "Calls"): a table a noun, a row a function,
 * run in a change of its own. Everything is judged by the submitter's rights; changes of the stack need its
 * lock, and carry the fencing token of it.
 */
#include <jansson.h>

#include "engine/runner-internal.h"
#include "engine/stack.h"

struct call {
	struct runner *runner;
	struct engine *engine;
	struct run run;
	struct caller caller; /* the submitter, acting through the run; borrows the runner's */
	int64_t seq;	      /* of the frame; names the answer */
	const char *task;     /* that asks; NULL: the run itself */
	json_t *args;
	struct fault fault;
	json_t *value;	 /* the answer; NULL: null */
	bool idempotent; /* done again it would do nothing */
};

/* Returned by a row that answers later, through runner_call_answer(). */
enum { CALL_LATER = 1 };

struct call_row {
	const char *name; /* NULL ends a table */
	/* 0, CALL_LATER, or -errno with the sentence in the fault. */
	int (*run)(struct call *call);
	bool changes; /* its answer is kept until the process has it, so that it is never done twice */
};

extern const struct call_row event_calls[];    /* calls-event.c */
extern const struct call_row artifact_calls[]; /* calls-artifact.c */
extern const struct call_row image_calls[];    /* calls-image.c */
extern const struct call_row lock_calls[];     /* calls-lock.c */
extern const struct call_row metric_calls[];   /* calls-metric.c */
extern const struct call_row output_calls[];   /* calls-output.c */
extern const struct call_row resource_calls[]; /* calls-resource.c */
extern const struct call_row rollback_calls[]; /* calls-rollback.c */
extern const struct call_row secret_calls[];   /* calls-secret.c */
extern const struct call_row state_calls[];    /* calls-state.c */

/* An argument that is a string, NULL if it is none; borrowed. The same where it must be one. */
const char *call_text(struct call *call, const char *key);
int call_need_text(struct call *call, const char *key, const char **ret_text);

/* Whether the run may still change its stack: it holds the lock under which it began, or began without one.
 */
int call_may_change(struct call *call);

/* The run's stack, to read it: the submitter may have lost the right since he submitted. */
int call_own_stack(struct call *call, struct stack *ret_stack);

/* The run's stack, or the one that the argument "stack" names; the submitter may read it. */
int call_stack(struct call *call, struct stack *ret_stack);

/* An event of the run's stack that the run tells of; `data` (borrowed) may be NULL. */
int call_add_event(struct call *call, const char *type, json_t *data);

/* The answer to a call that said CALL_LATER: `value` is stolen (NULL: null). */
int runner_call_answer(
	struct runner *runner, int64_t seq, int result, const struct fault *fault, json_t *value);
/* Whether a call waits already: it was sent again. */
bool lock_call_waits(struct runner *runner, int64_t seq);
/* The runner goes: nobody waits for the answers any more. */
void lock_calls_done(struct runner *runner);
