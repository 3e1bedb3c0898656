/* SPDX-License-Identifier: MIT */
/* A turn of the loop is a transaction. */
#include "fs/turn.h"

#include <string.h>

#include "base/failpoint.h"
#include "base/flaw.h"
#include "base/log.h"

static const double PATIENCE = 0.01; /* seconds; nobody sees it, and a commit takes a thirtieth of it */

static void answer(struct turn *turn, int r)
{
	struct turn_reply *reply;

	while ((reply = TAILQ_FIRST(&turn->replies))) {
		TAILQ_REMOVE(&turn->replies, reply, replies);
		reply->send(reply, r);
		FAILPOINT("turn.answered");
	}
}

void turn_end(struct turn *turn)
{
	int r;

	/* Telling the listeners can answer waiting requests, and those answers wait for nothing any more: the
	 * changes that they tell of are on disk. It can also make new changes; they are committed at once. */
	while (store_turn_dirty(turn->engine->store) || !TAILQ_EMPTY(&turn->replies)) {
		/* With it a test shows that it sees what is acknowledged and not kept. */
		if (flaw("answer-first"))
			answer(turn, 0);
		FAILPOINT("turn.end");
		r = engine_turn_end(turn->engine);
		FAILPOINT("turn.answer");
		if (r < 0)
			log_error("a turn could not be committed: %s", strerror(-r));
		answer(turn, r);
	}
}

static void turn_prepare(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct turn *turn = prepare->data;

	if (!turn->engine->patient) {
		ev_timer_stop(loop, &turn->patience);
		turn_end(turn);
		fair_settle(&turn->fair);
	} else if (!ev_is_active(&turn->patience)) {
		ev_timer_set(&turn->patience, PATIENCE, 0);
		ev_timer_start(loop, &turn->patience);
	}
}

static void turn_impatient(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct turn *turn = timer->data;

	turn->engine->patient = false;
}

void turn_init(struct turn *turn, struct ev_loop *loop, struct engine *engine)
{
	turn->engine = engine;
	turn->loop = loop;
	TAILQ_INIT(&turn->replies);
	fair_init(&turn->fair, loop);
	ev_prepare_init(&turn->prepare, turn_prepare);
	ev_init(&turn->patience, turn_impatient);
	turn->patience.data = turn;
	turn->prepare.data = turn;
	ev_prepare_start(loop, &turn->prepare);
	ev_unref(loop);
}

void turn_done(struct turn *turn)
{
	if (!turn->loop)
		return;
	turn_end(turn);
	fair_done(&turn->fair);
	ev_timer_stop(turn->loop, &turn->patience);
	ev_ref(turn->loop);
	ev_prepare_stop(turn->loop, &turn->prepare);
	turn->loop = NULL;
}

void turn_reply(struct turn *turn, struct turn_reply *reply)
{
	if (!store_turn_dirty(turn->engine->store)) {
		reply->send(reply, 0);
		return;
	}
	turn->engine->patient = false;
	TAILQ_INSERT_TAIL(&turn->replies, reply, replies);
}
