/* SPDX-License-Identifier: MIT */
/* Rows of the table `locks`: each grant one row, coming and going with an event. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/lock-table.h"

static const char *const kind_names[] = {
	[LOCK_SHARED] = "shared",
	[LOCK_SESSION] = "session",
	[LOCK_DURABLE] = "durable",
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

static void lock_load(struct query *query, struct lock *ret_lock)
{
	*ret_lock = (struct lock){
		.stack_id = query_int(query, 0),
		.token = query_int(query, 1),
		.kind = kind_parse(query_text(query, 2)),
		.owner = (uint64_t)query_int(query, 3),
		.uid = (uid_t)query_int(query, 4),
		.pid = (pid_t)query_int(query, 5),
		.opener = (pid_t)query_int(query, 6),
		.known_at = (uint64_t)query_int(query, 7),
		.since_ms = query_int(query, 8),
		.expires_ms = query_int(query, 9),
	};
	snprintf(ret_lock->by, LOCK_WORD_MAX, "%s", query_text(query, 10));
	snprintf(ret_lock->command, LOCK_WORD_MAX, "%s", query_text(query, 11));
	snprintf(ret_lock->operation, LOCK_WORD_MAX, "%s", query_text(query, 12));
	snprintf(ret_lock->reason, LOCK_WORD_MAX, "%s", query_text(query, 13));
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

int lock_rows_get(struct engine *engine, int64_t stack_id, struct lock_rows *ret_rows)
{
	return rows_read(
		query_begin(engine->store, SQL_LOCK_OF_STACK, "ii", stack_id, time_now_ms()), ret_rows);
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

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (data && words[i].value[0])
			json_object_set_new(data, words[i].key, json_string(words[i].value));
	if (data && lock->pid)
		json_object_set_new(data, "pid", json_integer(lock->pid));
	if (data && lock->expires_ms)
		json_object_set_new(data, "expires_ms", json_integer(lock->expires_ms));
	return data;
}

int lock_row_add(struct engine *engine, struct caller *caller, const struct stack *stack, struct lock *lock)
{
	struct store *store = engine->store;
	int64_t token;
	int r;

	r = store_get_int(store, &token, SQL_STACK_NEXT_TOKEN, "i", stack->id);
	if (r < 0)
		return r;
	lock->token = token;
	r = store_run(store, SQL_LOCK_ADD, "iisiiiiiiissss", lock->stack_id, token, kind_names[lock->kind],
		(int64_t)lock->owner, (int64_t)lock->uid, (int64_t)lock->pid, (int64_t)lock->opener,
		(int64_t)lock->known_at, lock->since_ms, lock->expires_ms, lock->by, lock->command,
		lock->operation, lock->reason);
	if (r == 0)
		r = event_add(engine, caller, "lock.acquired", stack->id, stack->name,
			lock->kind == LOCK_RUN ? (int64_t)lock->owner : 0, lock_data(lock, lock->reason));
	if (r < 0)
		return r;
	if (lock->expires_ms)
		lock_expiry_note(engine->locks, lock->expires_ms);
	engine_note(engine, SUBJECT_STACK, stack->id, ASPECT_LOCK);
	return 0;
}

int lock_row_delete(struct engine *engine, struct caller *caller, const struct lock *lock, const char *event,
	const char *reason)
{
	struct stack stack;
	int r;

	r = stack_get(engine, lock->stack_id, &stack);
	if (r == 0)
		r = store_run(engine->store, SQL_LOCK_DELETE, "ii", lock->stack_id, lock->token);
	if (r == 0 && event)
		r = event_add(engine, caller, event, stack.id, stack.name,
			lock->kind == LOCK_RUN ? (int64_t)lock->owner : 0,
			*reason ? lock_data(lock, reason) : release_data(lock));
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_STACK, lock->stack_id, ASPECT_LOCK);
	lock_queue_kick(engine->locks, lock->stack_id);
	return 0;
}

int lock_rows_expire(struct engine *engine)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r;

	if (!lock_expiry_due(engine->locks))
		return 0;
	r = rows_read(query_begin(engine->store, SQL_LOCK_EXPIRED, "i", time_now_ms()), &rows);
	for (size_t i = 0; i < rows.count && r == 0; i++)
		r = lock_row_delete(engine, NULL, &rows.rows[i], "lock.expired", "its ttl is over");
	return r;
}

int lock_rows_drop_sessions(struct engine *engine)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r = rows_read(query_begin(engine->store, SQL_LOCK_OF_SESSIONS, ""), &rows);

	for (size_t i = 0; i < rows.count && r == 0; i++)
		r = lock_row_delete(engine, NULL, &rows.rows[i], "lock.released", "daemon ended");
	return r;
}
