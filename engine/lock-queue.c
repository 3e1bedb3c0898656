/* SPDX-License-Identifier: MIT */
/*
 * Who waits for locks, and the clock of those that expire. All of it is memory: a waiter is a request, and
 * ends with the daemon.
 *
 * What a release makes possible happens in a callback of the loop of its own, right after the one that
 * released: inside of the same turn, so that release and next grant share their fsync, and never inside a
 * caller's call.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/lock-table.h"

/* A wall clock may be set; nobody wants to sleep past that for long. */
static const double EXPIRY_SLEEP_MAX = 60, RETRY_AFTER = 1;

/* A release that must hold: the file that had the lock is closed. */
struct release {
	int64_t stack_id, token;
	bool done; /* in this turn, not committed yet */
};

struct lock_table {
	struct engine *engine;
	TAILQ_HEAD(, lock_queue) queues;
	ev_timer kick, expiry, retry;
	int64_t next_expiry_ms; /* no lock ends before; 0: none ends at all */
	struct release *releases;
	size_t release_count;
};

static void lock_table_freep(struct lock_table **table)
{
	lock_table_free(*table);
}

static struct lock_queue *queue_find(struct lock_table *table, int64_t stack_id)
{
	struct lock_queue *queue;

	TAILQ_FOREACH (queue, &table->queues, entry) {
		if (queue->stack_id == stack_id)
			return queue;
	}
	return NULL;
}

static struct lock_queue *queue_make(struct lock_table *table, int64_t stack_id)
{
	struct lock_queue *queue = queue_find(table, stack_id);

	if (queue)
		return queue;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return NULL;
	queue->stack_id = stack_id;
	TAILQ_INIT(&queue->waits);
	TAILQ_INSERT_TAIL(&table->queues, queue, entry);
	return queue;
}

/* Queues that have run empty stay until the next kick, because somebody may be walking over them. */
const struct lock_queue *lock_queue_get(struct lock_table *table, int64_t stack_id)
{
	struct lock_queue *queue = queue_find(table, stack_id);

	return queue && !TAILQ_EMPTY(&queue->waits) ? queue : NULL;
}

void lock_queue_kick(struct lock_table *table, int64_t stack_id)
{
	struct lock_queue *queue = table ? queue_find(table, stack_id) : NULL;

	if (!queue)
		return;
	queue->kicked = true;
	if (!ev_is_pending(&table->kick))
		ev_feed_event(table->engine->loop, &table->kick, EV_CUSTOM);
}

static void wait_free(struct lock_wait *wait)
{
	TAILQ_REMOVE(&wait->queue->waits, wait, entry);
	ev_timer_stop(wait->table->engine->loop, &wait->deadline);
	caller_done(&wait->caller);
	free(wait);
}

static void wait_finish(struct lock_wait *wait, int result, int64_t token, const struct fault *fault)
{
	void (*done)(void *, int, int64_t, const struct fault *) = wait->done;
	void *userdata = wait->userdata;

	wait_free(wait);
	done(userdata, result, token, fault);
}

/* One after the other, until somebody has to wait on. Shared ones that stand together get it together. */
static void queue_serve(struct lock_table *table, struct lock_queue *queue)
{
	struct lock_wait *wait;

	while ((wait = TAILQ_FIRST(&queue->waits))) {
		struct fault fault = { 0 };
		int64_t token = 0;
		int r = lock_try(table->engine, &wait->caller, &wait->draft, true, &fault, &token);

		if (r == -EBUSY)
			return;
		wait_finish(wait, r, token, &fault);
	}
}

static void kick_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct lock_table *table = watcher->data;
	struct lock_queue *queue, *next;

	for (queue = TAILQ_FIRST(&table->queues); queue; queue = next) {
		if (queue->kicked) {
			queue->kicked = false;
			queue_serve(table, queue);
		}
		next = TAILQ_NEXT(queue, entry);
		if (TAILQ_EMPTY(&queue->waits) && !queue->kicked) {
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
	struct lock_table *table = wait->table;
	struct fault busy = { 0 }, fault = { 0 };
	char waited[32];
	int64_t stack_id = wait->queue->stack_id, token = 0;
	int r;

	r = lock_try(table->engine, &wait->caller, &wait->draft, wait == TAILQ_FIRST(&wait->queue->waits),
		&busy, &token);
	if (r == -EBUSY)
		r = fault_set(&fault, ETIMEDOUT, "waited %s in vain. %s",
			duration_format(wait->wait_ms, waited), busy.text);
	else
		fault = busy;
	wait_finish(wait, r, token, &fault);
	lock_queue_kick(table, stack_id);
}

static int wait_new(struct lock_table *table, struct caller *caller, const struct lock_draft *draft,
	struct lock_wait **ret_wait)
{
	CLEANUP(cleanup_free) struct lock_wait *wait = calloc(1, sizeof(*wait));
	struct lock_queue *queue;
	int r;

	if (!wait)
		return -ENOMEM;
	if (caller) {
		r = caller_copy(caller, &wait->caller);
		if (r < 0)
			return r;
	}
	queue = queue_make(table, draft->lock.stack_id);
	if (!queue) {
		caller_done(&wait->caller);
		return -ENOMEM;
	}
	wait->table = table;
	wait->queue = queue;
	wait->draft = *draft;
	wait->since_ms = time_now_ms();
	TAILQ_INSERT_TAIL(&queue->waits, wait, entry);
	*ret_wait = TAKE(wait);
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

int lock_wait(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct lock_request *request, int64_t wait_ms,
	void (*done)(void *userdata, int result, int64_t token, const struct fault *fault), void *userdata,
	struct fault *fault, int64_t *ret_token, struct lock_wait **ret_wait)
{
	struct fault busy = { 0 };
	struct lock_draft draft;
	struct lock_wait *wait;
	int r;

	r = lock_draft_make(engine, caller, stack_id, request, fault, &draft);
	if (r < 0)
		return r;
	r = lock_try(engine, caller, &draft, false, &busy, ret_token);
	if (r != -EBUSY) {
		*ret_wait = NULL;
		return r < 0 ? fault_set(fault, -r, "%s", busy.text) : 0;
	}
	/* As flock(2): who converts a lock and has to wait gives up what he has. Two that wait for each
	 * other's shared lock would wait for ever. */
	if (lock_is_session(&draft.lock)) {
		r = lock_release_owner(engine, stack_id, draft.lock.kind, draft.lock.owner);
		if (r < 0)
			return fault_set(fault, -r, "the lock that is held already cannot be released: %s",
				strerror(-r));
	}
	r = wait_new(engine->locks, caller, &draft, &wait);
	if (r < 0)
		return fault_set(fault, -r, "no memory to wait with");
	wait->done = done;
	wait->userdata = userdata;
	deadline_start(wait, wait_ms);
	engine_note(engine, SUBJECT_STACK, stack_id, ASPECT_LOCK);
	*ret_wait = wait;
	return 0;
}

void lock_wait_cancel(struct lock_wait *wait)
{
	struct lock_table *table;
	int64_t stack_id;

	if (!wait)
		return;
	table = wait->table;
	stack_id = wait->queue->stack_id;
	wait_free(wait);
	engine_note(table->engine, SUBJECT_STACK, stack_id, ASPECT_LOCK);
	/* Those behind may not have to wait any more: shared ones behind an exclusive one. */
	lock_queue_kick(table, stack_id);
}

void lock_forget_stack(struct engine *engine, int64_t stack_id)
{
	lock_queue_kick(engine->locks, stack_id);
}

static void expiry_arm(struct lock_table *table)
{
	struct ev_loop *loop = table->engine->loop;
	double after = (double)(table->next_expiry_ms - time_now_ms()) / 1000;

	ev_timer_stop(loop, &table->expiry);
	if (!table->next_expiry_ms)
		return;
	after = after < 0.001 ? 0.001 : after > EXPIRY_SLEEP_MAX ? EXPIRY_SLEEP_MAX : after;
	ev_now_update(loop);
	ev_timer_set(&table->expiry, after, 0);
	ev_timer_start(loop, &table->expiry);
}

void lock_expiry_note(struct lock_table *table, int64_t expires_ms)
{
	if (table->next_expiry_ms && table->next_expiry_ms <= expires_ms)
		return;
	table->next_expiry_ms = expires_ms;
	expiry_arm(table);
}

bool lock_expiry_due(struct lock_table *table)
{
	return table && table->next_expiry_ms && table->next_expiry_ms <= time_now_ms();
}

static int expire(struct engine *engine)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = lock_rows_expire(engine);
	return r < 0 ? r : store_change_end(&change);
}

static void expiry_read(struct lock_table *table)
{
	int64_t next = 0;

	store_get_int(table->engine->store, &next, SQL_LOCK_NEXT_EXPIRY, "");
	/* Not deleted just now, or not for good: the disk may be full. Try again, but do not spin. */
	if (next && next <= time_now_ms())
		next = time_now_ms() + (int64_t)(RETRY_AFTER * 1000);
	table->next_expiry_ms = next;
	expiry_arm(table);
}

static void expiry_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct lock_table *table = watcher->data;

	if (lock_expiry_due(table)) {
		expire(table->engine);
		expiry_read(table);
	} else {
		expiry_arm(table);
	}
}

void lock_release_note(struct lock_table *table, int64_t stack_id, int64_t token, bool done)
{
	struct release *more = realloc(table->releases, (table->release_count + 1) * sizeof(*more));

	if (!more)
		return; /* the lock may then stay until it is forced, or the daemon starts again */
	table->releases = more;
	table->releases[table->release_count++] = (struct release){ stack_id, token, done };
	if (!done)
		ev_timer_start(table->engine->loop, &table->retry);
}

static int release_again(struct engine *engine, const struct release *release)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r = lock_rows_get(engine, release->stack_id, &rows);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	for (size_t i = 0; i < rows.count && r == 0; i++) {
		struct caller holder = { .uid = rows.rows[i].uid };

		if (rows.rows[i].token == release->token)
			r = lock_row_delete(engine, &holder, &rows.rows[i], "lock.released", "");
	}
	return r < 0 ? r : store_change_end(&change);
}

static void retry_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct lock_table *table = watcher->data;
	bool all = true;

	for (size_t i = 0; i < table->release_count; i++) {
		table->releases[i].done =
			table->releases[i].done || release_again(table->engine, &table->releases[i]) == 0;
		all = all && table->releases[i].done;
	}
	if (!all) {
		ev_timer_set(watcher, RETRY_AFTER, 0);
		ev_timer_start(loop, watcher);
	}
}

void lock_turn_ended(struct lock_table *table, int result)
{
	size_t n = 0;

	if (!table || table->release_count == 0)
		return;
	for (size_t i = 0; i < table->release_count; i++) {
		struct release *release = &table->releases[i];

		if (result == 0 && release->done)
			continue;
		release->done = false;
		table->releases[n++] = *release;
	}
	table->release_count = n;
	if (n > 0 && !ev_is_active(&table->retry)) {
		ev_timer_set(&table->retry, RETRY_AFTER, 0);
		ev_timer_start(table->engine->loop, &table->retry);
	}
}

static int sessions_drop(struct engine *engine)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = lock_rows_drop_sessions(engine);
	return r < 0 ? r : store_change_end(&change);
}

int lock_table_new(struct engine *engine, struct lock_table **ret_table)
{
	CLEANUP(lock_table_freep) struct lock_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	table->engine = engine;
	TAILQ_INIT(&table->queues);
	ev_timer_init(&table->kick, kick_fired, 0, 0);
	ev_timer_init(&table->expiry, expiry_fired, 0, 0);
	ev_timer_init(&table->retry, retry_fired, RETRY_AFTER, 0);
	/* Before the watcher that ends the turn. */
	ev_set_priority(&table->kick, EV_MAXPRI);
	table->kick.data = table->expiry.data = table->retry.data = table;
	r = sessions_drop(engine);
	if (r < 0)
		return r;
	r = store_get_int(engine->store, &table->next_expiry_ms, SQL_LOCK_NEXT_EXPIRY, "");
	if (r < 0)
		return r;
	expiry_arm(table);
	*ret_table = TAKE(table);
	return 0;
}

void lock_table_free(struct lock_table *table)
{
	struct lock_queue *queue;

	if (!table)
		return;
	while ((queue = TAILQ_FIRST(&table->queues))) {
		struct lock_wait *wait;

		while ((wait = TAILQ_FIRST(&queue->waits)))
			wait_free(wait);
		TAILQ_REMOVE(&table->queues, queue, entry);
		free(queue);
	}
	ev_clear_pending(table->engine->loop, &table->kick);
	ev_timer_stop(table->engine->loop, &table->kick);
	ev_timer_stop(table->engine->loop, &table->expiry);
	ev_timer_stop(table->engine->loop, &table->retry);
	free(table->releases);
	free(table);
}
