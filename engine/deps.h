/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Dependencies: a stack stands on another, perhaps in certain versions only.
 *
 * A dependency is by identity: it follows when the other stack is renamed. When that is destroyed, its name
 * stays and the dependency is missing until there is a stack of that name again. No change makes a cycle.
 *
 * What is kept of others' stacks is shown to a caller only as far as he may look into them (NULL: the daemon,
 * which may).
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/constraint.h"
#include "engine/engine.h"

struct stack;

enum { DEPS_MAX = 1024 /* of one stack */, DEPS_VERSION_SIZE = 256 };

enum deps_state { DEPS_OK, DEPS_MISSING, DEPS_UNMET };

struct dep {
	int64_t id;
	int64_t stack_id, on_id; /* on_id 0: missing */
	char stack[NAME_SIZE], on[NAME_SIZE];
	char requires[CONSTRAINT_SIZE];	 /* of the other's version; "": nothing */
	char version[DEPS_VERSION_SIZE]; /* the other's, "": none, or not for this caller */
	bool visible;			 /* whether the version is */
	enum deps_state state;
	int64_t created_ms;
};

/* Adds the dependency, or changes what it requires (NULL: stays as it is). Permission and lock are checked as
 * for every change of the stack. -ENOENT: there is no stack `on`; -ELOOP with the cycle; -EINVAL from
 * constraint_parse(); -EDQUOT above DEPS_MAX. */
int deps_set(struct engine *engine, struct caller *caller, int64_t stack_id, const char *on,
	const char *requires, struct fault *fault, int64_t *ret_id);
/* The same for what comes from an old version: a stack that is not there (any more) is missing, and no error.
 */
int deps_restore(struct engine *engine, struct caller *caller, int64_t stack_id, const char *on,
	const char *requires, struct fault *fault);
/* -ENOENT when there is none on a stack of this name. */
int deps_remove(
	struct engine *engine, struct caller *caller, int64_t stack_id, const char *on, struct fault *fault);
/* From the other side, for who may change the stack that others stand on: the dependency is missing from now
 * on, and does not keep that stack from being destroyed. */
int deps_release(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault);

/* A line of the control file: "NAME [CONSTRAINT]" or "remove NAME". */
int deps_command(struct engine *engine, struct caller *caller, int64_t stack_id, const char *line,
	size_t size, struct fault *fault);

/* -ENOENT. */
int deps_get(struct engine *engine, struct caller *caller, int64_t id, struct dep *ret_dep);
int deps_find(
	struct engine *engine, struct caller *caller, int64_t stack_id, const char *on, struct dep *ret_dep);
/* What a stack stands on, in the order of names, until `each` returns non-zero, which is then returned. */
int deps_each(struct engine *engine, struct caller *caller, int64_t stack_id,
	int (*each)(void *userdata, const struct dep *dep), void *userdata);
/* Who stands on it, of those into which the caller may look; all of them if he may change this stack. */
int deps_dependent_find(
	struct engine *engine, struct caller *caller, int64_t on_id, const char *stack, struct dep *ret_dep);
int deps_dependents_each(struct engine *engine, struct caller *caller, int64_t on_id,
	int (*each)(void *userdata, const struct dep *dep), void *userdata);

/* "ok", "missing", "unmet". */
const char *deps_state_name(enum deps_state state);
/* What is wrong with it, in words, "" where it is well: "version 1.9 does not satisfy >=2.1". */
void deps_problem(const struct dep *dep, char *ret_text, size_t size);

/* The files `depends` and `depends.json`. */
int deps_show(struct engine *engine, struct caller *caller, int64_t stack_id, FILE *out);
/* New reference. */
json_t *deps_json(struct engine *engine, struct caller *caller, const struct stack *stack);

/* stack.c's: in its changes. What was missing and has this name is found. */
int deps_stack_created(struct engine *engine, const struct stack *stack);
/* After the name was changed: -ELOOP when it would make a cycle of what others have missed. */
int deps_stack_renamed(
	struct engine *engine, struct caller *caller, const struct stack *stack, struct fault *fault);
/* Before it goes: -EBUSY while others stand on it. */
int deps_stack_destroyed(struct engine *engine, const struct stack *stack, struct fault *fault);
