/* SPDX-License-Identifier: MIT */
#pragma once
/* What there is, in numbers: for whoever watches a daemon. */
#include <jansson.h>

#include "engine/engine.h"

struct figures {
	json_t *stacks, *runs, *locks; /* objects: how many of each status, of each kind; owned */
	int64_t waiters;	       /* requests that wait for locks */
	int64_t events, archived;      /* all that ever were; of these in archives */
	int64_t commits, failed_commits;
	int64_t database_bytes, wal_bytes;
};

int figures_get(struct engine *engine, struct figures *ret_figures);
/* At the engine's end. */
void figures_forget(struct engine *engine);
void figures_done(struct figures *figures);
