/* SPDX-License-Identifier: MIT */
/*
 * Who waits for locks. All of it is memory: a waiter is a request, and ends with the daemon.
 *
 * Who wants several things stands in the queue of each, since the same moment: so the queues' orders agree,
 * and nobody holds one thing while he waits for the other.
 *
 * What a release makes possible happens in a callback of the loop of its own, right after the one that
 * released: inside of the same turn, so that release and next grant share their fsync, and never inside a
 * caller's call.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/lock-table.h"

static struct lock_queue *queue_find(struct lock_table *table, struct lock_target target)
{
	struct lock_queue *queue;

	TAILQ_FOREACH (queue, &table->queues, entry) {
		if (lock_target_same(queue->target, target))
			return queue;
	}
	return NULL;
}

static struct lock_queue *queue_make(struct lock_table *table, struct lock_target target)
{
	struct lock_queue *queue = queue_find(table, target);

	if (queue)
		return queue;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return NULL;
	queue->target = target;
	TAILQ_INIT(&queue->places);
	TAILQ_INSERT_TAIL(&table->queues, queue, entry);
	return queue;
}

/* Queues that have run empty stay until the next kick, because somebody may be walking over them. */
const struct lock_queue *lock_queue_get(struct lock_table *table, struct lock_target target)
{
	struct lock_queue *queue = queue_find(table, target);

	return queue && !TAILQ_EMPTY(&queue->places) ? queue : NULL;
}

static void kick(struct lock_table *table, struct lock_queue *queue)
{
	queue->kicked = true;
	if (!ev_is_pending(&table->kick))
		ev_feed_event(table->engine->loop, &table->kick, EV_CUSTOM);
}

void lock_queue_kick(struct lock_table *table, struct lock_target target)
{
	struct lock_queue *queue = table ? queue_find(table, target) : NULL;

	if (queue)
		kick(table, queue);
}

/* Leaves the queues; those behind may not have to wait any more: shared ones behind an exclusive one. */
static void wait_free(struct lock_wait *wait)
{
	struct lock_table *table = wait->table;

	for (size_t i = 0; i < wait->count; i++) {
		struct lock_place *place = &wait->places[i];

		if (!place->queue)
			continue;
		TAILQ_REMOVE(&place->queue->places, place, entry);
		lock_target_note(table->engine, place->queue->target);
		kick(table, place->queue);
	}
	TAILQ_REMOVE(&table->waits, wait, entry);
	ev_timer_stop(table->engine->loop, &wait->deadline);
	caller_done(&wait->caller);
	free(wait->drafts);
	free(wait->places);
	free(wait);
}

static void wait_finish(struct lock_wait *wait, int result, int64_t token, const struct fault *fault)
{
	lock_done done = wait->done;
	void *userdata = wait->userdata;

	wait_free(wait);
	done(userdata, result, token, fault);
}

static bool is_first_everywhere(const struct lock_wait *wait)
{
	for (size_t i = 0; i < wait->count; i++)
		if (TAILQ_FIRST(&wait->places[i].queue->places) != &wait->places[i])
			return false;
	return true;
}

/* One after the other, until somebody has to wait on. Shared ones that stand together get it together. */
static void queue_serve(struct lock_table *table, struct lock_queue *queue)
{
	struct lock_place *place;

	while ((place = TAILQ_FIRST(&queue->places))) {
		struct lock_wait *wait = place->wait;
		struct fault fault = { 0 };
		int64_t token = 0;
		int r;

		if (!is_first_everywhere(wait))
			return;
		r = lock_try(table->engine, &wait->caller, wait->drafts, wait->count, true, &fault, &token);
		if (r == -EBUSY)
			return;
		wait_finish(wait, r, token, &fault);
	}
}

static struct lock_queue *queue_kicked(struct lock_table *table)
{
	struct lock_queue *queue;

	TAILQ_FOREACH (queue, &table->queues, entry) {
		if (queue->kicked)
			return queue;
	}
	return NULL;
}

static void kick_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct lock_table *table = watcher->data;
	struct lock_queue *queue, *next;

	/* Whoever is served may leave other queues, too. */
	while ((queue = queue_kicked(table))) {
		queue->kicked = false;
		queue_serve(table, queue);
	}
	for (queue = TAILQ_FIRST(&table->queues); queue; queue = next) {
		next = TAILQ_NEXT(queue, entry);
		if (TAILQ_EMPTY(&queue->places) && !queue->kicked) {
			TAILQ_REMOVE(&table->queues, queue, entry);
			free(queue);
		}
	}
	/* The turn may have ended before this ran: the loop must come round again, and not sleep on a grant
	 * that is not committed. */
	if (events & EV_CUSTOM) {
		ev_timer_set(watcher, 0, 0);
		ev_timer_start(loop, watcher);
	}
}

static void deadline_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct lock_wait *wait = watcher->data;
	struct fault busy = { 0 }, fault = { 0 };
	char waited[32];
	int64_t token = 0;
	int r;

	r = lock_try(wait->table->engine, &wait->caller, wait->drafts, wait->count, is_first_everywhere(wait),
		&busy, &token);
	if (r == -EBUSY)
		r = fault_set(&fault, ETIMEDOUT, "waited %s in vain. %s",
			duration_format(wait->wait_ms, waited), busy.text);
	else
		fault = busy;
	wait_finish(wait, r, token, &fault);
}

static int stand_in_queues(struct lock_wait *wait)
{
	for (size_t i = 0; i < wait->count; i++) {
		struct lock_place *place = &wait->places[i];

		place->queue = queue_make(wait->table, wait->drafts[i].lock.target);
		if (!place->queue)
			return -ENOMEM;
		place->wait = wait;
		place->draft = &wait->drafts[i];
		TAILQ_INSERT_TAIL(&place->queue->places, place, entry);
		lock_target_note(wait->table->engine, place->queue->target);
	}
	return 0;
}

/* Takes the drafts when it succeeds. */
static int wait_new(struct lock_table *table, struct caller *caller, struct lock_draft *drafts, size_t count,
	struct lock_wait **ret_wait)
{
	struct lock_wait *wait = calloc(1, sizeof(*wait));
	int r;

	if (!wait)
		return -ENOMEM;
	wait->table = table;
	wait->places = calloc(count, sizeof(*wait->places));
	wait->since_ms = time_now_ms();
	TAILQ_INSERT_TAIL(&table->waits, wait, entry);
	r = wait->places ? 0 : -ENOMEM;
	if (r == 0 && caller) {
		r = caller_copy(caller, &wait->caller);
		wait->line_count = process_line(caller->pid, wait->line, LOCK_LINE_OF_PIDS);
	}
	if (r == 0) {
		wait->drafts = drafts;
		wait->count = count;
		r = stand_in_queues(wait);
	}
	if (r < 0) {
		wait->drafts = NULL;
		wait_free(wait);
		return r;
	}
	*ret_wait = wait;
	return 0;
}

static void deadline_start(struct lock_wait *wait, int64_t wait_ms)
{
	struct ev_loop *loop = wait->table->engine->loop;

	wait->wait_ms = wait_ms;
	ev_timer_init(&wait->deadline, deadline_fired, (double)wait_ms / 1000, 0);
	wait->deadline.data = wait;
	if (wait_ms <= 0)
		return;
	/* The loop's idea of now may be a while ago. */
	ev_now_update(loop);
	ev_timer_start(loop, &wait->deadline);
}

/* As flock(2): who converts a lock and has to wait gives up what he has. Two that wait for each other's
 * shared lock would wait for ever. */
static int give_up_session(struct engine *engine, const struct lock_draft *drafts, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		if (lock_is_session(&drafts[i].lock))
			r = lock_release_owner(
				engine, drafts[i].lock.target, drafts[i].lock.kind, drafts[i].lock.owner);
	return r;
}

int lock_wait_all(struct engine *engine, struct caller *caller, const struct lock_target *targets,
	size_t count, const struct lock_request *request, int64_t wait_ms, lock_done done, void *userdata,
	struct fault *fault, int64_t *ret_token, struct lock_wait **ret_wait)
{
	CLEANUP(cleanup_free) struct lock_draft *drafts = NULL;
	struct fault busy = { 0 };
	struct lock_wait *wait;
	int r = lock_drafts_make(engine, caller, targets, count, request, fault, &drafts, &count);

	if (r < 0)
		return r;
	r = lock_try(engine, caller, drafts, count, false, &busy, ret_token);
	if (r != -EBUSY) {
		*ret_wait = NULL;
		return r < 0 ? fault_set(fault, -r, "%s", busy.text) : 0;
	}
	r = lock_deadlock_check(engine->locks, caller, drafts, count, fault);
	if (r < 0)
		return r;
	r = give_up_session(engine, drafts, count);
	if (r < 0)
		return fault_set(
			fault, -r, "the lock that is held already cannot be released: %s", strerror(-r));
	r = wait_new(engine->locks, caller, drafts, count, &wait);
	if (r < 0)
		return fault_set(fault, -r, "no memory to wait with");
	drafts = NULL; /* the waiter has them */
	wait->done = done;
	wait->userdata = userdata;
	deadline_start(wait, wait_ms);
	*ret_wait = wait;
	return 0;
}

int lock_wait(struct engine *engine, struct caller *caller, struct lock_target target,
	const struct lock_request *request, int64_t wait_ms, lock_done done, void *userdata,
	struct fault *fault, int64_t *ret_token, struct lock_wait **ret_wait)
{
	return lock_wait_all(
		engine, caller, &target, 1, request, wait_ms, done, userdata, fault, ret_token, ret_wait);
}

void lock_wait_cancel(struct lock_wait *wait)
{
	if (wait)
		wait_free(wait);
}

static bool is_of_run(
	const struct lock_wait *wait, int64_t run_id, const struct lock_target *target, const char *part)
{
	const struct lock *lock = &wait->drafts[0].lock;

	return lock->kind == LOCK_RUN && (int64_t)lock->owner == run_id &&
	       (!target || lock_target_same(lock->target, *target)) && (!part || !strcmp(part, lock->part));
}

size_t lock_queue_cancel_run(
	struct lock_table *table, int64_t run_id, const struct lock_target *target, const char *part)
{
	struct lock_wait *wait, *next;
	struct fault fault = { 0 };
	size_t count = 0;

	fault_set(&fault, ECANCELED, "nobody waits for this lock any more");
	for (wait = TAILQ_FIRST(&table->waits); wait; wait = next) {
		next = TAILQ_NEXT(wait, entry);
		if (!is_of_run(wait, run_id, target, part))
			continue;
		wait_finish(wait, -ECANCELED, 0, &fault);
		count++;
	}
	return count;
}

void lock_queues_init(struct lock_table *table)
{
	TAILQ_INIT(&table->queues);
	TAILQ_INIT(&table->waits);
	ev_timer_init(&table->kick, kick_fired, 0, 0);
	/* Before the watcher that ends the turn. */
	ev_set_priority(&table->kick, EV_MAXPRI);
	table->kick.data = table;
}

void lock_queues_done(struct lock_table *table)
{
	struct lock_queue *queue;

	while (!TAILQ_EMPTY(&table->waits))
		wait_free(TAILQ_FIRST(&table->waits));
	ev_clear_pending(table->engine->loop, &table->kick);
	ev_timer_stop(table->engine->loop, &table->kick);
	while ((queue = TAILQ_FIRST(&table->queues))) {
		TAILQ_REMOVE(&table->queues, queue, entry);
		free(queue);
	}
}
