/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Drift that is fixed without anybody asking (auto_fix in sloth.yaml(5)), with the rights of the stack's
 * owner, never more, by a run like that of drift_fix(). Here is what may be fixed, and when; what was done is
 * in the tables auto_fixes and auto_fix_tries. The one who does it is engine/auto-fixer.h.
 *
 * Fixed is what the world has changed of what the stack's owner or root asked for: not what can't be read, is
 * ignored or flapping, was never brought about, or has to come from elsewhere. A drift must have lasted for
 * a while; the same resource waits longer each time; a stack has so many fixes a day, and hours without any.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/engine.h"
#include "engine/stack.h"

struct auto_fix {
	bool on;	      /* the stack wants it */
	const char *severity; /* up to which one */
	json_t *due;	      /* "TYPE/NAME" → properties (a set) that are to be fixed now; empty: none */
	int64_t next_ms;      /* when the next ones will be; 0: there are none, INT64_MAX: never */
	const char *waits;    /* … and for what; "": it does not wait */
	int64_t used, budget; /* fixes of the last 24 hours, and how many there may be */
};

/* What there is to do at a moment. auto_fix_done() in any case. */
int auto_fix_look(struct engine *engine, const struct stack *stack, int64_t now_ms, struct auto_fix *ret_fix);
void auto_fix_done(struct auto_fix *fix);

/* Somebody or something is at work in the stack, which nothing is done under: its lock is held, whoever has
 * it, or a run of it is not over. */
int auto_fix_is_blocked(struct engine *engine, int64_t stack_id, bool *ret_blocked);

/* A run for what is due was submitted (run_id 0: could not be). */
int auto_fix_begun(struct engine *engine, const struct stack *stack, int64_t run_id, const json_t *due,
	int64_t now_ms, const char *error);
/* Runs of the stack that are over and were not told of yet: which resources are as they should be, and which
 * are not; and whether some are not over. */
int auto_fix_tell(struct engine *engine, const struct stack *stack, int64_t now_ms, bool *ret_goes_on);
/* The run was nobody's wish. */
bool auto_fix_is_run(struct engine *engine, int64_t run_id);
/* The resource is looked after no more. In a change. */
int auto_fix_forget(struct engine *engine, int64_t stack_id, const char *type, const char *name);

/* As drift.json has it, a new reference; as a line of drift. Nothing where the stack does not want it. */
int auto_fix_json(struct engine *engine, const struct stack *stack, json_t **ret_value);
int auto_fix_show(struct engine *engine, const struct stack *stack, FILE *out);
