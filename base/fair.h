/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whose turn it is. What users ask for is queued by user, and done in the order of who has had the least of
 * the loop's time: a user's flood waits behind itself, and not others behind it.
 *
 * What is queued in one pass of the loop is done in that pass, before it blocks, as far as the time goes that
 * a pass may take; the rest in the next ones, with what arrives meanwhile. While others are here, too, a user
 * gets half of the loop's time at most, and somebody who asks for little is awaited for a moment after his
 * answer: what a program does is mostly several requests, one after the other, and each of them would wait
 * for the flood.
 *
 * One thread, one loop. Whoever queues something owns it.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct fair_item {
	TAILQ_ENTRY(fair_item) items;
	struct fair_user *user; /* NULL: not queued */
	/* Does it. It is not queued any more, and may be freed, or queued again. */
	void (*run)(struct fair_item *item);
};

struct fair {
	struct ev_loop *loop;
	TAILQ_HEAD(, fair_user) users;
	ev_prepare prepare;
	ev_idle more;	/* the next pass must not block */
	ev_timer later; /* somebody who had his half goes on then */
	/* Times are in nanoseconds. */
	int64_t clock;		   /* of who had his turn last */
	int64_t began, ended;	   /* the last pass */
	int64_t after;		   /* what comes after a pass takes so long: the turn's commit */
	struct fair_user *awaited; /* who may ask for something more, */
	int64_t awaited_until;
	size_t count; /* of what is queued */
	bool unfair;  /* a flaw: whoever came first */
};

void fair_init(struct fair *fair, struct ev_loop *loop);
/* Nothing may be queued any more. */
void fair_done(struct fair *fair);

void fair_add(struct fair *fair, uid_t uid, struct fair_item *item);
/* Takes it back, if it is queued. */
void fair_remove(struct fair *fair, struct fair_item *item);

/* Notes that this user asks for something. Whether nobody else does, nor has lately: then it can be done at
 * once.
 */
bool fair_alone(struct fair *fair, uid_t uid);

/* What was done in this pass has been brought to its end (a commit): that belongs to what it cost. */
void fair_settle(struct fair *fair);
