/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Watching what stacks look after, as it changes. For each owner of stacks there is one process with his
 * rights, never more (doc/protocol.md, `watch`), which is told of the resources of all his stacks, hears of
 * changes from the kernel, and says which are to be looked at. What it sees then is a report like those of
 * engine/detect.h, and becomes findings in the same way (drift_take()).
 *
 * While a run of a stack is at work, what it looks after changes in many small steps that are nobody's
 * business: it is looked at when the run is over, or WATCH_HOLD_SECONDS later, and what the run is just
 * changing (pending) never before.
 *
 * Nothing of this is stored. A process that ends, and a daemon that begins, look at all there is.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "engine/engine.h"

struct drift_summary;
struct runners;
struct watches;

enum { WATCH_HOLD_SECONDS = 30 };

/* Begins with all stacks that are to be watched, from the loop. NULL without memory. */
struct watches *watches_new(struct runners *runners);
void watches_free(struct watches *watches);

/* For the spawner's answers. Ids are below 0. */
void watches_started(struct watches *watches, int64_t id, pid_t pid);

/* How a stack is watched: {watched, polled, unwatched, why}; null when it is not. New reference. */
json_t *watch_json(struct engine *engine, int64_t stack_id, const struct drift_summary *summary);
/* The same as a line of the file drift; nothing when there is nothing to say. */
void watch_show(struct engine *engine, int64_t stack_id, const struct drift_summary *summary, FILE *out);
