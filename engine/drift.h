/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Drift: where the world differs from what a stack asks for. Processes with the rights of the stack's owner
 * look (engine/detect.h) and report; this is what is kept of it: findings (engine/finding.h) and the status
 * of the resources, and what people decide about them.
 *
 * A finding is pending, acknowledged (somebody knows; it is drift as before), ignored (a rule says so; it is
 * no drift while the rule holds) or resolved: fixed (a run brought the thing about), adopted (what is, is the
 * wish now), by itself, or removed with its resource.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"
#include "engine/finding.h"
#include "engine/resource.h"
#include "engine/stack.h"

enum { DRIFT_IGNORE_MAX = 1000 }; /* rules of a stack */

/* Resources of a stack by what was seen last. Those with a finding that is open and not ignored are drifted
 * (the world changed) or unapplied (the wish did, and nothing was done yet); one that is both is drifted. */
struct drift_summary {
	int64_t total, in_sync, drifted, unapplied, unknown;
	int64_t failed;	    /* of those drifted and unapplied: that a run could not bring about */
	int64_t findings;   /* open and not ignored */
	int64_t ignored;    /* findings that are */
	int64_t checked_ms; /* when resources of it were looked at last, to the minute; 0: never */
};

int drift_summarise(struct engine *engine, int64_t stack_id, struct drift_summary *ret_summary);

/* Takes what a process reported (doc/protocol.md, `detected`): opens, touches and resolves findings, sets
 * status and actual of the resources, and leaves events drift.detected, drift.resolved and drift.unknown. All
 * rows or none; nothing is written when nothing changed but the time, and that once a minute. Rows of
 * resources that are gone, or that changed after the row's `read_ms` (when its reading began; it may be left
 * out), are passed over. A resource whose row makes no sense is unknown, and says why. -EINVAL: a row has no
 * type or name. The caller (NULL: the daemon) is who asked; whether he may is for whoever calls this to find
 * out. */
int drift_take(struct engine *engine, struct caller *caller, int64_t stack_id, const json_t *rows);

/* The resource that a person means: by its name, or TYPE/NAME where two have it. -ENOENT, -EINVAL. */
int drift_find_resource(
	struct engine *engine, int64_t stack_id, const char *name, struct fault *fault, int64_t *ret_id);

/* A run has brought the resource about: its findings are fixed. In a change. */
int drift_fixed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct resource *resource);
/* … or only these properties of it: a list of names. What differs besides stays. */
int drift_fixed_some(
	struct engine *engine, struct caller *caller, int64_t resource_id, const json_t *properties);
/* Nobody looks after it any more. In a change. */
int drift_removed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct resource *resource);

/* What a person decides about: a resource, or one property of it. */
struct drift_target {
	int64_t resource_id;
	char property[FINDING_PROPERTY_MAX + 1]; /* "": all of it */
};

/* "NAME", "TYPE/NAME", or one of them with "/PROPERTY" behind it: a property that is asked for, was seen, or
 * has a finding. -ENOENT, -EINVAL. */
int drift_find_target(struct engine *engine, int64_t stack_id, const char *name, struct fault *fault,
	struct drift_target *ret_target);

/* The decisions are changes of the stack: the caller must be allowed to, and nobody else may hold its lock.
 */

/* From now on it is no drift, whether it is there now or comes later. `until_ms` 0: for good. -EINVAL for a
 * time that is over, -EDQUOT. */
int drift_ignore(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct drift_target *target, const char *reason, int64_t until_ms, struct fault *fault);
/* The rule that was made for this very target ends. -ENOENT. */
int drift_unignore(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct drift_target *target, struct fault *fault);
/* Somebody knows of it; it stays drift. -ENOENT: nothing was found that is not ignored. */
int drift_acknowledge(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct drift_target *target, const char *reason, struct fault *fault);
/* What was seen last is what is asked for, from now on, until a workflow asks for something else. A text that
 * is kept as a digest only is asked for as that: drift of it is found then, but can't be fixed. -ENOENT;
 * -EINVAL where what was found can't be asked for. */
int drift_adopt(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct drift_target *target, struct fault *fault);

struct drift_ignored {
	const char *type, *name; /* of the resource */
	const char *property;	 /* "": all of it */
	const char *reason;
	int64_t until_ms; /* 0: for good */
	int64_t uid, created_ms;
};
/* By type, name and property; also rules that have ended. The texts are borrowed. */
int drift_ignored_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct drift_ignored *ignored), void *userdata);

/* The files drift, drift.json, drift.d/RESOURCE and drift.history of the tree. drift_json() makes the whole
 * object. */
int drift_show(struct engine *engine, int64_t stack_id, FILE *out);
int drift_show_resource(struct engine *engine, const struct resource *resource, FILE *out);
/* What fixing would do: of one resource, or (0) of all. */
int drift_show_plan(struct engine *engine, int64_t stack_id, int64_t resource_id, FILE *out);
int drift_show_history(struct engine *engine, int64_t stack_id, FILE *out);
/* As in drift.json. New reference; NULL without memory. */
json_t *drift_summary_json(const struct drift_summary *summary);
int drift_json(struct engine *engine, int64_t stack_id, json_t **ret_value);
int drift_history_json(struct engine *engine, int64_t stack_id, json_t **ret_list);
