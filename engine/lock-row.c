/* SPDX-License-Identifier: MIT */
/* Rows of the table `locks`: each grant one row, coming and going with an event. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "engine/clock.h"
#include "engine/lock-table.h"
#include "engine/named-lock.h"

static const char *const kind_names[] = {
	[LOCK_SHARED] = "shared",
	[LOCK_SESSION] = "session",
	[LOCK_DURABLE] = "durable",
	[LOCK_MAINTENANCE] = "maintenance",
	[LOCK_RUN] = "run",
};

const char *lock_kind_name(enum lock_kind kind)
{
	return kind_names[kind];
}

static enum lock_kind kind_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++)
		if (!strcmp(kind_names[i], name))
			return (enum lock_kind)i;
	return LOCK_DURABLE; /* the schema's CHECK knows the same words */
}

bool lock_is_session(const struct lock *lock)
{
	return lock->kind == LOCK_SESSION || lock->kind == LOCK_SHARED;
}

bool lock_is_users(const struct lock *lock)
{
	return lock->kind == LOCK_DURABLE || lock->kind == LOCK_MAINTENANCE;
}

static void lock_load(struct query *query, struct lock *ret_lock)
{
	*ret_lock = (struct lock){
		.target = { query_int(query, 0), query_int(query, 1) },
		.token = query_int(query, 2),
		.kind = kind_parse(query_text(query, 3)),
		.owner = (uint64_t)query_int(query, 4),
		.uid = (uid_t)query_int(query, 6),
		.pid = (pid_t)query_int(query, 7),
		.opener = (pid_t)query_int(query, 8),
		.known_at = (uint64_t)query_int(query, 9),
		.since_ms = query_int(query, 10),
		.expires_ms = query_int(query, 11),
		.bound_pid = (pid_t)query_int(query, 12),
		.bound_start = (uint64_t)query_int(query, 13),
	};
	snprintf(ret_lock->part, LOCK_WORD_MAX, "%s", query_text(query, 5));
	snprintf(ret_lock->by, LOCK_WORD_MAX, "%s", query_text(query, 15));
	snprintf(ret_lock->command, LOCK_WORD_MAX, "%s", query_text(query, 16));
	snprintf(ret_lock->operation, LOCK_WORD_MAX, "%s", query_text(query, 17));
	snprintf(ret_lock->reason, LOCK_WORD_MAX, "%s", query_text(query, 18));
}

void lock_rows_done(struct lock_rows *rows)
{
	free(rows->rows);
	*rows = (struct lock_rows){ 0 };
}

static int rows_add(struct lock_rows *rows, struct query *query)
{
	struct lock *more = realloc(rows->rows, (rows->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	rows->rows = more;
	lock_load(query, &rows->rows[rows->count++]);
	return 0;
}

/* Ends the query. */
static int rows_read(struct query *query, struct lock_rows *ret_rows)
{
	CLEANUP(query_endp) struct query *owned = query;
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r;

	while ((r = query_step(owned)) > 0) {
		r = rows_add(&rows, owned);
		if (r < 0)
			break;
	}
	if (r < 0)
		return r;
	*ret_rows = rows;
	rows = (struct lock_rows){ 0 };
	return 0;
}

int lock_rows_get(struct engine *engine, struct lock_target target, struct lock_rows *ret_rows)
{
	return rows_read(query_begin(engine->store, SQL_LOCK_OF_TARGET, "iii", target.stack_id,
				 target.name_id, clock_now_ms(engine)),
		ret_rows);
}

int lock_rows_of_run(struct engine *engine, int64_t run_id, struct lock_rows *ret_rows)
{
	return rows_read(
		query_begin(engine->store, SQL_LOCK_OF_RUN, "ii", run_id, clock_now_ms(engine)), ret_rows);
}

int lock_rows_bound(struct engine *engine, struct lock_rows *ret_rows)
{
	return rows_read(query_begin(engine->store, SQL_LOCK_BOUND, ""), ret_rows);
}

int lock_rows_all(struct engine *engine, struct lock_rows *ret_rows)
{
	return rows_read(query_begin(engine->store, SQL_LOCK_ALL, "i", clock_now_ms(engine)), ret_rows);
}

/* The end of a lock by its holder needs no more words than its token: the rest stands at its beginning. */
static json_t *release_data(const struct lock *lock)
{
	return json_pack("{ss sI}", "kind", kind_names[lock->kind], "token", (json_int_t)lock->token);
}

static json_t *lock_data(const struct lock *lock, const char *reason)
{
	json_t *data = json_pack("{ss sI ss}", "kind", kind_names[lock->kind], "token",
		(json_int_t)lock->token, "holder", caller_login(lock->uid));
	const struct {
		const char *key, *value;
	} words[] = { { "by", lock->by }, { "command", lock->command }, { "operation", lock->operation },
		{ "reason", reason } };
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = { { "pid", lock->pid }, { "bound_pid", lock->bound_pid },
		{ "expires_ms", lock->expires_ms } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (data && words[i].value[0])
			json_object_set_new(data, words[i].key, json_string(words[i].value));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (data && numbers[i].value)
			json_object_set_new(data, numbers[i].key, json_integer(numbers[i].value));
	return data;
}

static int64_t run_of(const struct lock *lock)
{
	return lock->kind == LOCK_RUN ? (int64_t)lock->owner : 0;
}

static int row_insert(struct engine *engine, const struct lock *lock)
{
	return store_run(engine->store, SQL_LOCK_ADD, "iiisisiiiiiiiisssss", lock->target.stack_id,
		lock->target.name_id, lock->token, kind_names[lock->kind], (int64_t)lock->owner, lock->part,
		(int64_t)lock->uid, (int64_t)lock->pid, (int64_t)lock->opener, (int64_t)lock->known_at,
		lock->since_ms, lock->expires_ms, (int64_t)lock->bound_pid, (int64_t)lock->bound_start,
		lock->bound_pid ? engine->locks->boot_id : "", lock->by, lock->command, lock->operation,
		lock->reason);
}

int lock_row_add(
	struct engine *engine, struct caller *caller, const struct lock_object *object, struct lock *lock)
{
	int r = lock_object_next_token(engine, lock->target, &lock->token);

	FAILPOINT("lock.token");
	if (r == 0)
		r = row_insert(engine, lock);
	FAILPOINT("lock.granted");
	if (r == 0)
		r = lock_object_event(
			engine, caller, "lock.acquired", object, run_of(lock), lock_data(lock, lock->reason));
	if (r < 0)
		return r;
	if (lock->expires_ms)
		lock_expiry_note(engine->locks, lock->expires_ms);
	engine->locks->bound_changed |= lock->bound_pid != 0;
	lock_target_note(engine, lock->target);
	return 0;
}

int lock_row_delete(struct engine *engine, struct caller *caller, const struct lock *lock, const char *event,
	const char *reason)
{
	struct lock_object object;
	int r = lock_object_get(engine, lock->target, NULL, &object);

	if (r == 0)
		r = store_run(engine->store, SQL_LOCK_DELETE, "iii", lock->target.stack_id,
			lock->target.name_id, lock->token);
	if (r == 0 && event)
		r = lock_object_event(engine, caller, event, &object, run_of(lock),
			*reason ? lock_data(lock, reason) : release_data(lock));
	if (r < 0)
		return r;
	FAILPOINT("lock.released");
	engine->locks->bound_changed |= lock->bound_pid != 0;
	lock_target_note(engine, lock->target);
	lock_queue_kick(engine->locks, lock->target);
	return 0;
}

int lock_rows_expire(struct engine *engine)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r;

	if (!lock_expiry_due(engine->locks))
		return 0;
	r = rows_read(query_begin(engine->store, SQL_LOCK_EXPIRED, "i", clock_now_ms(engine)), &rows);
	for (size_t i = 0; i < rows.count && r == 0; i++) {
		FAILPOINT("lock.expire");
		r = lock_row_delete(engine, NULL, &rows.rows[i], "lock.expired", "its ttl is over");
	}
	return r;
}

static int rows_end(struct engine *engine, const struct lock_rows *rows, const char *reason)
{
	int r = 0;

	for (size_t i = 0; i < rows->count && r == 0; i++)
		r = lock_row_delete(engine, NULL, &rows->rows[i], "lock.released", reason);
	return r;
}

int lock_rows_start(struct engine *engine)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r = rows_read(query_begin(engine->store, SQL_LOCK_OF_SESSIONS, ""), &rows);

	FAILPOINT("lock.start");
	if (r == 0)
		r = rows_end(engine, &rows, "daemon ended");
	lock_rows_done(&rows);
	if (r == 0)
		r = rows_read(query_begin(engine->store, SQL_LOCK_BOUND_BEFORE, "s", engine->locks->boot_id),
			&rows);
	if (r == 0)
		r = rows_end(engine, &rows, "its process ended with the boot");
	return r < 0 ? r : named_lock_forget_unused(engine);
}
