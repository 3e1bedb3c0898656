/* SPDX-License-Identifier: MIT */
#pragma once
/* What the files drift*.c share. */
#include "engine/drift.h"
#include "engine/finding.h"

/* What somebody has seen of a resource, or decided about it. NULL leaves a thing as it was. */
struct drift_sight {
	const char *status, *error;
	const char *actual, *applied; /* canonical JSON */
	bool settled;		      /* resource.h; not as it was, but as it is said here */
};

/* Puts it into the resource's row, if something of it is new. In a change. */
int drift_see(struct engine *engine, const struct resource *resource, const struct drift_sight *sight);
/* The status that follows from the findings, where the row says drifted or applied. In a change. */
int drift_settle(struct engine *engine, const struct resource *resource);
/* Who shows drift is told that it is another one. */
void drift_note(struct engine *engine, int64_t stack_id, int64_t resource_id);

/* As a text that Lua reads. */
void drift_write_string(const char *text, FILE *out);

/* Ends a finding. `how`: fixed, adopted, by_itself, removed. In a change. */
int drift_resolve(
	struct engine *engine, struct caller *caller, const struct finding *finding, const char *how);
/* What is known of a property that is found to differ once more. */
struct drift_past {
	int64_t times;	     /* how often it was found before */
	int64_t flapping_ms; /* as of struct finding; a new finding of it inherits that */
	int64_t calm_ms;     /* when somebody has dealt with that last, 0: nobody */
};

int drift_past(struct engine *engine, const struct resource *resource, const char *property,
	struct drift_past *ret_past);
/* It is found now: whether it comes and goes too often, from now on. */
int drift_begins_to_flap(struct engine *engine, const struct resource *resource, const char *property,
	const struct drift_past *past, int64_t now_ms, bool *ret_flaps);
/* Somebody has dealt with it: what was found before does not count. In a change. */
int drift_calm(struct engine *engine, const struct finding *finding);

/* Forgets the oldest of the history that are too many. In a change. */
int drift_trim(struct engine *engine, int64_t stack_id);

/* Leaves the event `what` ("drift.detected") about properties of a resource, a list, and `more`, which is
 * stolen (NULL: nothing). In a change. */
int drift_event(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct resource *resource, const char *what, const json_t *properties, json_t *more);

/* Rules in force about a resource: property → { reason, until, uid }. New reference. */
int drift_rules(
	struct engine *engine, int64_t stack_id, const char *type, const char *name, json_t **ret_rules);
/* The one that is about a property. Borrowed; NULL: none. */
const json_t *drift_rule(const json_t *rules, const char *property);

/* Whether the finding is drift that a decision is about. */
bool drift_means(const struct drift_target *target, const struct finding *finding);
/* -ENOENT: nothing was found that it could be about; or, of the resource's findings, nothing that is not
 * ignored. */
int drift_nothing(const struct stack *stack, const struct resource *resource,
	const struct drift_target *target, const struct finding *list, size_t count, struct fault *fault);
