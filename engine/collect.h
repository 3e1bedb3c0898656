/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Collecting versions: those whose time is over are deleted, and what deleted ones alone had is removed. In
 * slices of at most two milliseconds, from a timer, so that nobody waits for it.
 *
 * What stays of a stack: versions younger than its snapshot_retention, the newest one older than that, the
 * last KEPT_VERSIONS, the last KEPT_VERSIONS that were kept on purpose, and all that have names.
 */
#include "engine/engine.h"

enum { KEPT_VERSIONS = 20 };

struct collector;

/* For engine->collector: begins when the loop runs. NULL without memory. */
struct collector *collector_new(struct engine *engine);
void collector_free(struct collector *collector);

/* Something was deleted: there is work. */
void collector_wake(struct collector *collector);

/* Deletes what is to be deleted of all stacks, now and at once. 0 or -errno. */
int collect_retention(struct engine *engine);
/* Removes what deleted versions have left. One slice: 1: there is more, 0: all is done, or -errno. */
int collect_rest(struct engine *engine);
