/* SPDX-License-Identifier: MIT */
/*
 * Keys whose time is over. Nobody sees them any more from that moment; here their rows go, and the tree is
 * told that a name is gone. A timer goes off when the next one ends, and takes them in slices, so that ten
 * thousand that end together hold nobody up.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "engine/clock.h"
#include "engine/kv-internal.h"

enum { SLICE = 500 };		     /* rows a turn */
static const double SLEEP_MAX = 60;  /* seconds */
static const double RETRY_AFTER = 1; /* seconds, when rows could not be removed: the disk may be full */
static const double BETWEEN_SLICES = 0.001; /* seconds: others have their turn */

struct kv_expiry {
	struct engine *engine;
	ev_timer timer;
	int64_t next_ms; /* when the next key ends, 0: none does */
};

static void sleep_for(struct kv_expiry *expiry, double seconds)
{
	struct ev_loop *loop = expiry->engine->loop;

	ev_timer_stop(loop, &expiry->timer);
	ev_now_update(loop);
	ev_timer_set(&expiry->timer, seconds, 0);
	ev_timer_start(loop, &expiry->timer);
}

/* It wakes at the latest by then; a set before that may have made it earlier. */
static void arm(struct kv_expiry *expiry)
{
	double after = (double)(expiry->next_ms - clock_now_ms(expiry->engine)) / 1000;

	if (expiry->next_ms)
		sleep_for(expiry, after < BETWEEN_SLICES ? BETWEEN_SLICES
				  : after > SLEEP_MAX	 ? SLEEP_MAX
							 : after);
	else
		ev_timer_stop(expiry->engine->loop, &expiry->timer);
}

static int next_read(struct kv_expiry *expiry)
{
	int64_t next = 0;
	int r = store_get_int(expiry->engine->store, &next, SQL_KV_NEXT_EXPIRY, "");

	if (r == 0)
		expiry->next_ms = next;
	return r;
}

static int remove_slice(struct engine *engine)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(query_endp) struct query *query = NULL;
	int r = store_change_begin(engine->store, &change);

	if (r < 0)
		return r;
	query = query_begin(engine->store, SQL_KV_DELETE_EXPIRED, "ii", clock_now_ms(engine), (int64_t)SLICE);
	while ((r = query_step(query)) > 0) {
		struct kv_scope scope = { query_int(query, 1), query_int(query, 2) };

		kv_note(engine, scope, query_int(query, 0), ASPECT_NAMES);
	}
	query_end(TAKE(query));
	return r < 0 ? r : store_change_end(&change);
}

static void expired(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct kv_expiry *expiry = timer->data;
	int r = 0;

	if (expiry->next_ms && expiry->next_ms <= clock_now_ms(expiry->engine))
		r = remove_slice(expiry->engine);
	if (r == 0)
		r = next_read(expiry);
	if (r < 0)
		sleep_for(expiry, RETRY_AFTER);
	else
		arm(expiry);
}

void kv_expiry_note(struct engine *engine, int64_t expires_ms)
{
	struct kv_expiry *expiry = engine->kv_expiry;

	if (!expires_ms || !expiry || (expiry->next_ms && expiry->next_ms <= expires_ms))
		return;
	expiry->next_ms = expires_ms;
	arm(expiry);
}

int kv_expiry_new(struct engine *engine, struct kv_expiry **ret_expiry)
{
	struct kv_expiry *expiry = calloc(1, sizeof(*expiry));
	int r;

	if (!expiry)
		return -ENOMEM;
	expiry->engine = engine;
	ev_timer_init(&expiry->timer, expired, 0, 0);
	expiry->timer.data = expiry;
	r = next_read(expiry);
	if (r < 0) {
		free(expiry);
		return r;
	}
	arm(expiry);
	*ret_expiry = expiry;
	return 0;
}

void kv_expiry_free(struct kv_expiry *expiry)
{
	if (!expiry)
		return;
	ev_timer_stop(expiry->engine->loop, &expiry->timer);
	free(expiry);
}
