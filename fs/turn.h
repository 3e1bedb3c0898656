/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A turn of the loop is a transaction: the changes of all requests that were read in it are committed
 * together, with one fsync, before the loop blocks again. Until then every answer waits, also those to
 * readers, who might have seen what is not on disk yet. When the commit fails, all of them fail. Only what is
 * known to be another matter than the changes is told at once (tree_is_settled()).
 */
#include <ev.h>
#include <sys/queue.h>

#include "base/fair.h"
#include "engine/engine.h"

struct turn_reply {
	TAILQ_ENTRY(turn_reply) replies;
	/* `error` 0 or the -errno of the commit. Frees the reply. */
	void (*send)(struct turn_reply *reply, int error);
};

struct turn {
	struct engine *engine;
	struct ev_loop *loop;
	struct fair fair; /* whose requests are done in it */
	ev_prepare prepare;
	ev_timer patience; /* runs while the turn goes on although the loop blocks, see engine->patient */
	TAILQ_HEAD(, turn_reply) replies;
};

void turn_init(struct turn *turn, struct ev_loop *loop, struct engine *engine);
void turn_done(struct turn *turn);

/* Sends now when nothing is uncommitted, else after the commit. */
void turn_reply(struct turn *turn, struct turn_reply *reply);

/* Ends the turn now. */
void turn_end(struct turn *turn);
