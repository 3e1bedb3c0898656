/* SPDX-License-Identifier: MIT */
/*
 * Fair queueing by start times: each user has a clock of the loop's time that he has used, the one furthest
 * behind is next, and who comes back after a pause does not bring along what he left unused. That somebody is
 * awaited is known from disks (anticipatory scheduling); the half is a bucket that empties as time goes by.
 */
#include "base/fair.h"

#include <stdlib.h>
#include <time.h>

#include "base/flaw.h"

enum {
	MS = 1000000, /* nanoseconds */
	/* A pass takes so long at most (what takes longer by itself is done anyway): while several users are
	 * here, and while there is one, whom many things at once cost less (one fsync for all). */
	SLICE_SHARED = MS / 2,
	SLICE_ALONE = 10 * MS,
	AWAITED_FOR = MS / 5,
	/* Who asked for something that long ago is not here any more. */
	HERE_FOR = 1000 * MS,
	/* What somebody may use beyond his half, all at once. */
	DEBT_MAX = 2 * MS,
};

struct fair_user {
	TAILQ_ENTRY(fair_user) users;
	uid_t uid;
	int64_t used; /* the clock */
	int64_t here; /* when he asked for something last */
	int64_t debt; /* beyond his half, at `owed` */
	int64_t owed;
	int64_t pass; /* used in this pass */
	TAILQ_HEAD(, fair_item) items;
};

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Whether several users are here. Who has not been for long is forgotten. */
static bool is_shared(struct fair *fair, int64_t at)
{
	struct fair_user *user, *next;
	int count = 0;

	for (user = TAILQ_FIRST(&fair->users); user; user = next) {
		next = TAILQ_NEXT(user, users);
		if (!TAILQ_EMPTY(&user->items) || at - user->here < HERE_FOR) {
			count++;
			continue;
		}
		TAILQ_REMOVE(&fair->users, user, users);
		if (fair->awaited == user)
			fair->awaited = NULL;
		free(user);
	}
	return count > 1;
}

static int64_t debt_at(const struct fair_user *user, int64_t at)
{
	int64_t debt = user->debt - (at - user->owed) / 2;

	return debt > 0 ? debt : 0;
}

static void user_spend(struct fair_user *user, int64_t at, int64_t spent)
{
	user->debt = debt_at(user, at) + spent;
	user->owed = at;
	user->used += spent;
}

/* Who is furthest behind; NULL: nobody may have anything. *ret_wait: when somebody may again, 0: nobody
 * waits. */
static struct fair_user *user_next(struct fair *fair, bool shared, int64_t at, int64_t *ret_wait)
{
	struct fair_user *user, *next = NULL;

	*ret_wait = 0;
	TAILQ_FOREACH (user, &fair->users, users) {
		int64_t debt = shared ? debt_at(user, at) : 0;

		if (TAILQ_EMPTY(&user->items))
			continue;
		if (debt > DEBT_MAX) {
			if (!*ret_wait || 2 * (debt - DEBT_MAX / 2) < *ret_wait)
				*ret_wait = 2 * (debt - DEBT_MAX / 2);
		} else if (!next || user->used < next->used) {
			next = user;
		}
	}
	return next;
}

static int64_t item_do(struct fair *fair, struct fair_user *user, int64_t began)
{
	struct fair_item *item = TAILQ_FIRST(&user->items);
	int64_t at;

	fair_remove(fair, item);
	fair->clock = user->used;
	item->run(item);
	at = now();
	user_spend(user, at, at - began);
	user->pass += at - began;
	user->here = at;
	fair->awaited = user;
	fair->awaited_until = at + AWAITED_FOR;
	return at;
}

/* Whether somebody else who uses less may be about to ask for more. */
static bool is_awaited(struct fair *fair, const struct fair_user *user, int64_t at)
{
	struct fair_user *awaited = fair->awaited;

	if (!awaited || awaited == user || awaited->used >= user->used)
		return false;
	if (at < fair->awaited_until)
		return true;
	awaited->used += AWAITED_FOR;
	fair->awaited = NULL;
	return false;
}

static void fair_prepare(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct fair *fair = prepare->data;
	int64_t at, wait = 0, slice;
	struct fair_user *user = NULL;
	bool shared;

	if (!fair->count) {
		ev_idle_stop(loop, &fair->more);
		return;
	}
	fair->began = at = now();
	shared = !fair->unfair && is_shared(fair, at);
	/* A flood that is spread over many short passes would do nothing but commit. */
	slice = fair->unfair		     ? INT64_MAX
		: !shared		     ? SLICE_ALONE
		: fair->after > SLICE_SHARED ? fair->after
					     : SLICE_SHARED;
	while (at - fair->began < slice && (user = user_next(fair, shared, at, &wait)) &&
		(!shared || !is_awaited(fair, user, at)))
		at = item_do(fair, user, at);
	fair->ended = at;
	ev_timer_stop(loop, &fair->later);
	if (fair->count && !user && wait) {
		ev_idle_stop(loop, &fair->more);
		ev_timer_set(&fair->later, (double)wait / 1e9, 0);
		ev_timer_start(loop, &fair->later);
	} else if (fair->count) {
		ev_idle_start(loop, &fair->more);
	} else {
		ev_idle_stop(loop, &fair->more);
	}
}

void fair_settle(struct fair *fair)
{
	int64_t pass = fair->ended - fair->began, after, at;
	struct fair_user *user;

	if (!fair->ended)
		return;
	at = now();
	after = at - fair->ended;
	fair->ended = 0;
	if (pass <= 0)
		return;
	fair->after = (3 * fair->after + after) / 4;
	TAILQ_FOREACH (user, &fair->users, users) {
		if (user->pass)
			user_spend(user, at, (int64_t)((double)after * (double)user->pass / (double)pass));
		user->pass = 0;
	}
}

static void go_on(struct ev_loop *loop, ev_idle *idle, int revents)
{
}

static void go_on_later(struct ev_loop *loop, ev_timer *timer, int revents)
{
}

void fair_init(struct fair *fair, struct ev_loop *loop)
{
	*fair = (struct fair){ .loop = loop, .unfair = flaw("unfair") };
	TAILQ_INIT(&fair->users);
	ev_prepare_init(&fair->prepare, fair_prepare);
	/* Before the turn ends, which commits what is done here. */
	ev_set_priority(&fair->prepare, EV_MAXPRI);
	fair->prepare.data = fair;
	ev_prepare_start(loop, &fair->prepare);
	ev_unref(loop);
	ev_idle_init(&fair->more, go_on);
	ev_timer_init(&fair->later, go_on_later, 0, 0);
}

void fair_done(struct fair *fair)
{
	struct fair_user *user;

	ev_idle_stop(fair->loop, &fair->more);
	ev_timer_stop(fair->loop, &fair->later);
	ev_ref(fair->loop);
	ev_prepare_stop(fair->loop, &fair->prepare);
	while ((user = TAILQ_FIRST(&fair->users))) {
		TAILQ_REMOVE(&fair->users, user, users);
		free(user);
	}
}

static struct fair_user *user_get(struct fair *fair, uid_t uid)
{
	struct fair_user *user;

	if (fair->unfair)
		uid = 0; /* as if all were one */
	TAILQ_FOREACH (user, &fair->users, users)
		if (user->uid == uid)
			return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	TAILQ_INIT(&user->items);
	TAILQ_INSERT_TAIL(&fair->users, user, users);
	return user;
}

void fair_add(struct fair *fair, uid_t uid, struct fair_item *item)
{
	struct fair_user *user = user_get(fair, uid);

	if (!user) { /* no memory: in its order, as it came */
		item->run(item);
		return;
	}
	if (TAILQ_EMPTY(&user->items) && user->used < fair->clock && user != fair->awaited)
		user->used = fair->clock;
	item->user = user;
	TAILQ_INSERT_TAIL(&user->items, item, items);
	fair->count++;
}

void fair_remove(struct fair *fair, struct fair_item *item)
{
	if (!item->user)
		return;
	TAILQ_REMOVE(&item->user->items, item, items);
	item->user = NULL;
	fair->count--;
}

bool fair_alone(struct fair *fair, uid_t uid)
{
	struct fair_user *user = user_get(fair, uid);

	if (user)
		user->here = now();
	return fair->count == 0 && user && !is_shared(fair, user->here);
}
