/* SPDX-License-Identifier: MIT */
/* Versions whose time is over, and what deleted versions leave behind. */
#include "engine/collect.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/content.h"
#include "engine/destroyed.h"
#include "engine/event.h"
#include "engine/stack.h"
#include "engine/version.h"

static const double slice_seconds = 0.002, pause_seconds = 0.02, first_seconds = 2, round_seconds = 600;

enum { DROPPED_AT_ONCE = 16, REMOVED_AT_ONCE = 16 };

struct collector {
	struct engine *engine;
	ev_timer slice, round;
	int64_t stack_id; /* the stack of this round that comes after this one */
	bool in_round;
};

/* One stack: what is too old, from the oldest on. 1: there may be more. */
static int stack_expire(struct engine *engine, const struct stack *stack)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct config config = engine->config;
	int64_t before, number[DROPPED_AT_ONCE], id[DROPPED_AT_ONCE];
	struct query *query;
	size_t count = 0;
	int r = stack_config(engine, stack->id, &config);

	if (r < 0)
		return r;
	before = time_now_ms() - config.snapshot_retention_ms;
	query = query_begin(engine->store, SQL_VERSION_EXPIRED, "iiii", stack->id, before,
		(int64_t)KEPT_VERSIONS, (int64_t)DROPPED_AT_ONCE);
	while (count < DROPPED_AT_ONCE && (r = query_step(query)) > 0) {
		id[count] = query_int(query, 0);
		number[count++] = query_int(query, 1);
	}
	query_end(query);
	if (r < 0 || count == 0)
		return r;
	r = store_change_begin(engine->store, &change);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = store_run(engine->store, SQL_SNAPSHOT_DELETE, "i", id[i]);
		if (r == 0)
			r = store_run(engine->store, SQL_VERSION_DROP, "i", id[i]);
		engine_note(engine, SUBJECT_VERSION, id[i], ASPECT_ALL);
	}
	FAILPOINT("collect.expired");
	if (r == 0)
		r = event_add(engine, NULL, "snapshot.expired", stack->id, stack->name, 0,
			json_pack("{s:I, s:I, s:I}", "from", (json_int_t)number[0], "to",
				(json_int_t)number[count - 1], "versions", (json_int_t)count));
	if (r == 0)
		r = store_change_end(&change);
	engine_note(engine, SUBJECT_STACK, stack->id, ASPECT_VERSIONS);
	return r < 0 ? r : count == DROPPED_AT_ONCE;
}

/* The next stack of the round; the whole round is over when there is none. */
static int round_step(struct engine *engine, int64_t *stack_id)
{
	struct stack stack;
	int64_t id;
	int r = store_get_int(engine->store, &id, SQL_STACK_AFTER, "i", *stack_id);

	if (r == 0)
		r = stack_get(engine, id, &stack);
	if (r == 0)
		r = stack_expire(engine, &stack);
	if (r == 0)
		*stack_id = id;
	/* After the last stack, those that were destroyed. */
	if (r == -ENOENT)
		return destroyed_expire(engine);
	return r < 0 ? r : 1;
}

int collect_retention(struct engine *engine)
{
	int64_t stack_id = 0;
	int r;

	while ((r = round_step(engine, &stack_id)) > 0)
		;
	return r;
}

/* A version that was deleted, and the living ones around it: 0 and INT64_MAX where there is none. */
struct gap {
	int64_t id, stack_id, number, below, above;
	bool empty; /* none of the stack's versions lives */
};

static int gap_find(struct engine *engine, struct gap *ret_gap)
{
	struct query *query = query_begin(engine->store, SQL_VERSION_DROPPED, "");
	int r = query_step(query);

	if (r > 0)
		*ret_gap = (struct gap){
			.id = query_int(query, 0),
			.stack_id = query_int(query, 1),
			.number = query_int(query, 2),
			.below = query_int(query, 3),
			.above = query_int(query, 4),
		};
	query_end(query);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	ret_gap->empty = !ret_gap->below && !ret_gap->above;
	if (!ret_gap->above)
		ret_gap->above = INT64_MAX;
	return 0;
}

static int item_remove(struct engine *engine, int64_t stack_id, int64_t id, int64_t content, int64_t from)
{
	int r = store_run(engine->store, SQL_ITEM_DELETE, "i", id);

	FAILPOINT("collect.item");
	if (r == 0)
		r = content_release(engine, content);
	if (r == -EBADMSG)
		r = 0; /* damaged it was, and it is gone now */
	/* The row of the version that it began in has stayed for its sake. */
	return r < 0 ? r : store_run(engine->store, SQL_VERSION_FORGET, "ii", stack_id, from);
}

/* Items that only deleted versions have, some of them: how many. */
static int items_remove(struct engine *engine, const struct gap *gap)
{
	int64_t id[REMOVED_AT_ONCE], content[REMOVED_AT_ONCE], from[REMOVED_AT_ONCE];
	struct query *query = gap->empty ? query_begin(engine->store, SQL_ITEM_ANY, "ii", gap->stack_id,
						   (int64_t)REMOVED_AT_ONCE)
					 : query_begin(engine->store, SQL_ITEM_BETWEEN, "iiii", gap->stack_id,
						   gap->below, gap->above, (int64_t)REMOVED_AT_ONCE);
	int count = 0, r = 0;

	while (count < REMOVED_AT_ONCE && (r = query_step(query)) > 0) {
		id[count] = query_int(query, 0);
		content[count] = query_int(query, 1);
		from[count++] = query_int(query, 2);
	}
	query_end(query);
	for (int i = 0; r >= 0 && i < count; i++)
		r = item_remove(engine, gap->stack_id, id[i], content[i], from[i]);
	return r < 0 ? r : count;
}

/* 1: there is more. */
static int rest_step(struct engine *engine)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct gap gap;
	int r = gap_find(engine, &gap);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = items_remove(engine, &gap);
	FAILPOINT("collect.removed");
	if (r >= 0 && r < REMOVED_AT_ONCE) {
		r = store_run(engine->store, SQL_VERSION_SWEPT, "i", gap.id);
		if (r == 0)
			r = store_run(engine->store, SQL_VERSION_FORGET, "ii", gap.stack_id, gap.number);
	}
	if (r >= 0)
		r = store_change_end(&change);
	return r < 0 ? r : 1;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int collect_rest(struct engine *engine)
{
	double end = seconds_now() + slice_seconds;
	int r;

	do
		r = rest_step(engine);
	while (r > 0 && seconds_now() < end);
	return r;
}

static void collector_again(struct collector *collector)
{
	if (ev_is_active(&collector->slice))
		return;
	ev_timer_set(&collector->slice, pause_seconds, 0);
	ev_timer_start(collector->engine->loop, &collector->slice);
}

/* First the round over all stacks, a stack a slice, then what it leaves. */
static void slice_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct collector *collector = watcher->data;
	int r;

	if (collector->in_round) {
		r = round_step(collector->engine, &collector->stack_id);
		collector->in_round = r > 0;
		if (r >= 0)
			collector_again(collector);
	} else {
		r = collect_rest(collector->engine);
		if (r > 0)
			collector_again(collector);
	}
	/* Nobody waits: it goes with the next turn, or with this one when that has more. */
	if (r < 0)
		log_error("old versions cannot be collected: %s", strerror(-r));
}

static void round_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct collector *collector = watcher->data;

	collector->in_round = true;
	collector->stack_id = 0;
	collector_again(collector);
}

struct collector *collector_new(struct engine *engine)
{
	struct collector *collector = calloc(1, sizeof(*collector));

	if (!collector)
		return NULL;
	collector->engine = engine;
	ev_timer_init(&collector->slice, slice_fired, 0, 0);
	ev_timer_init(&collector->round, round_fired, first_seconds, round_seconds);
	collector->slice.data = collector->round.data = collector;
	ev_timer_start(engine->loop, &collector->round);
	/* It keeps no loop alive that has nothing else to do. */
	ev_unref(engine->loop);
	return collector;
}

void collector_free(struct collector *collector)
{
	if (!collector)
		return;
	ev_ref(collector->engine->loop);
	ev_timer_stop(collector->engine->loop, &collector->round);
	ev_timer_stop(collector->engine->loop, &collector->slice);
	free(collector);
}

void collector_wake(struct collector *collector)
{
	if (collector)
		collector_again(collector);
}
