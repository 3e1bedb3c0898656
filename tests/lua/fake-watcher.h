/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The process that watches, for tests of providers: the one that really runs, beside the workflow's. A test
 * asks by keys of state:
 *
 *   state.set("watch", { type = …, name = …, given = … })  a registered resource is watched from now on, it
 * alone state.get("watch")        the first look at it: { state, polled, unwatched, why, findings }
 *   state.get("watch.drifted"), state.get("watch.in_sync")
 *                             waits until it is seen to be so, by whatever the watcher hears: { state, at }
 *   state.get("watch.again")  a look from now on, whether anything was heard or not
 */
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* `program`: sloth-runner; `work`: a folder for it, that is made. What it sends is for watcher_readable(). */
int watcher_start(char *program, const char *work);
void watcher_readable(void);
/* Nothing has come for long: who waits gets null, and can say what he waited for. */
void watcher_impatient(void);
void watcher_end(void);

/* The answer to a call with such a key, when there is one; a frame of `return` with this seq. */
void watcher_call(const char *fn, const json_t *args, json_t *resources, json_int_t seq,
	void (*answer)(json_int_t seq, json_t *value));
