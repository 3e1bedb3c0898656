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

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"
#include "engine/resource.h"
#include "engine/stack.h"

enum { DRIFT_IGNORE_MAX = 1000 }; /* rules of a stack */

/* Resources of a stack by what was seen last. Those with a finding that is open and not ignored are drifted
 * (the world changed) or unapplied (the wish did, and nothing was done yet); one that is both is drifted. */
struct drift_summary {
	int64_t total, in_sync, drifted, unapplied, unknown;
	int64_t findings;   /* open and not ignored */
	int64_t ignored;    /* findings that are */
	int64_t checked_ms; /* when resources of it were looked at last, to the minute; 0: never */
};

int drift_summarise(struct engine *engine, int64_t stack_id, struct drift_summary *ret_summary);

/* Takes what a process reported (doc/protocol.md, `detected`): opens, touches and resolves findings, sets
 * status and actual of the resources, and leaves events drift.detected, drift.resolved and drift.unknown. All
 * rows or none; nothing is written when nothing changed but the time, and that once a minute. Rows of
 * resources that are gone, or that changed after the row's `read_ms` (when its reading began; it may be left
 * out), are passed over. What is no report is -EINVAL. The caller (NULL: the daemon) is who asked; whether he
 * may is for whoever calls this to find out. */
int drift_take(struct engine *engine, struct caller *caller, int64_t stack_id, const json_t *rows);

/* The resource that a person means: by its name, or TYPE/NAME where two have it. -ENOENT, -EINVAL. */
int drift_find_resource(
	struct engine *engine, int64_t stack_id, const char *name, struct fault *fault, int64_t *ret_id);

/* A run has brought the resource about: its findings are fixed. In a change. */
int drift_fixed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct resource *resource);
/* Nobody looks after it any more. In a change. */
int drift_removed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct resource *resource);
