/* SPDX-License-Identifier: MIT */
/* Locks in time: those that expire, by the clock since boot, and releases that must hold. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/clock.h"
#include "engine/lock-table.h"

/* libev's timers stand still while the machine sleeps; nobody wants to sleep past that for long. */
static const double EXPIRY_SLEEP_MAX = 60, RETRY_AFTER = 1;

static void expiry_arm(struct lock_table *table)
{
	struct ev_loop *loop = table->engine->loop;
	double after = (double)(table->next_expiry_ms - clock_now_ms(table->engine)) / 1000;

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
	return table && table->next_expiry_ms && table->next_expiry_ms <= clock_now_ms(table->engine);
}

static int expire(struct engine *engine)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = lock_rows_expire(engine);
	return r < 0 ? r : store_change_end(&change);
}

void lock_expiry_read(struct lock_table *table)
{
	int64_t next = 0;

	store_get_int(table->engine->store, &next, SQL_LOCK_NEXT_EXPIRY, "");
	/* Not deleted just now, or not for good: the disk may be full. Try again, but do not spin. */
	if (next && next <= clock_now_ms(table->engine))
		next = clock_now_ms(table->engine) + (int64_t)(RETRY_AFTER * 1000);
	table->next_expiry_ms = next;
	expiry_arm(table);
}

static void expiry_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct lock_table *table = watcher->data;

	if (lock_expiry_due(table)) {
		expire(table->engine);
		lock_expiry_read(table);
	} else {
		expiry_arm(table);
	}
}

void lock_release_note(struct lock_table *table, struct lock_target target, int64_t token, bool done)
{
	struct lock_release *more = realloc(table->releases, (table->release_count + 1) * sizeof(*more));

	if (!more)
		return; /* the lock may then stay until it is forced, or the daemon starts again */
	table->releases = more;
	table->releases[table->release_count++] = (struct lock_release){ target, token, done };
	if (!done)
		ev_timer_start(table->engine->loop, &table->retry);
}

int lock_release_token(struct engine *engine, struct lock_target target, int64_t token, const char *reason)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r = lock_rows_get(engine, target, &rows);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	for (size_t i = 0; i < rows.count && r == 0; i++) {
		struct caller holder = { .uid = rows.rows[i].uid };

		if (rows.rows[i].token == token)
			r = lock_row_delete(engine, &holder, &rows.rows[i], "lock.released", reason);
	}
	return r < 0 ? r : store_change_end(&change);
}

static void retry_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct lock_table *table = watcher->data;
	bool all = true;

	for (size_t i = 0; i < table->release_count; i++) {
		struct lock_release *release = &table->releases[i];

		release->done = release->done ||
				lock_release_token(table->engine, release->target, release->token, "") == 0;
		all = all && release->done;
	}
	if (!all) {
		ev_timer_set(watcher, RETRY_AFTER, 0);
		ev_timer_start(loop, watcher);
	}
}

void lock_releases_settle(struct lock_table *table, int result)
{
	size_t n = 0;

	if (table->release_count == 0)
		return;
	for (size_t i = 0; i < table->release_count; i++) {
		struct lock_release *release = &table->releases[i];

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

void lock_clock_init(struct lock_table *table)
{
	ev_timer_init(&table->expiry, expiry_fired, 0, 0);
	ev_timer_init(&table->retry, retry_fired, RETRY_AFTER, 0);
	table->expiry.data = table->retry.data = table;
}

void lock_clock_done(struct lock_table *table)
{
	ev_timer_stop(table->engine->loop, &table->expiry);
	ev_timer_stop(table->engine->loop, &table->retry);
	free(table->releases);
}
