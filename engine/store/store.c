/* SPDX-License-Identifier: MIT */
/* Turns, changes and queries on the open database. */
#include "engine/store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "engine/store/private.h"

/* SQLite rolls a whole transaction back by itself when the disk is full or fails. What comes after it in the
 * same turn must not be written as if nothing had happened. */
static int store_error(struct store *store, int result)
{
	int r = sqlite_error(store->db, result);

	if (store->in_turn && !store->failed && sqlite3_get_autocommit(store->db)) {
		if (store->changing)
			store->failed = -r;
		else
			store->in_turn = false; /* it only read: nobody else has lost anything */
	}
	return r;
}

/* The turn's own statements have neither parameters nor rows. */
static int store_control(struct store *store, enum statement statement)
{
	sqlite3_stmt *stmt = store->queries[statement].stmt;
	int result = sqlite3_step(stmt);

	sqlite3_reset(stmt);
	return result == SQLITE_DONE ? 0 : store_error(store, result);
}

/* Also before a turn's first read. A transaction that only reads stays open over its turn: nobody else
 * changes this database, and to take and drop SQLite's read lock for every statement costs more than most of
 * them do. */
static int turn_begin(struct store *store)
{
	int r;

	/* Given up where nobody saw it: what came now would be committed alone. */
	if (store->in_turn && sqlite3_get_autocommit(store->db) && !store->failed) {
		if (store->changing)
			store->failed = EIO;
		else
			store->in_turn = false;
	}
	if (store->in_turn)
		return -store->failed;
	r = store_control(store, SQL_BEGIN);
	if (r < 0)
		return r;
	store->in_turn = true;
	return 0;
}

int store_change_begin(struct store *store, struct store_change *change)
{
	int r;

	assert(!change->store);
	if (store->failed)
		return -store->failed;
	r = turn_begin(store);
	if (r < 0)
		return r;
	store->changing = true;
	r = store_control(store, SQL_CHANGE_BEGIN);
	if (r < 0)
		return r;
	if (store->depth == 0) {
		store->changes_before = sqlite3_total_changes64(store->db);
		store->change_serial++;
	}
	change->store = store;
	change->depth = ++store->depth;
	change->memory_failures = memory_failures();
	return 0;
}

int store_change_end(struct store_change *change)
{
	struct store *store = change->store;
	int r = store->failed ? -store->failed : 0;

	assert(store && change->depth == store->depth);
	if (r == 0 && change->memory_failures != memory_failures())
		r = -ENOMEM;
	if (r == 0)
		r = store_control(store, SQL_CHANGE_END);
	if (r < 0) {
		store_change_cancel(change);
		return r;
	}
	change->store = NULL;
	if (--store->depth == 0 && sqlite3_total_changes64(store->db) != store->changes_before)
		store->dirty = true;
	return 0;
}

void store_change_cancel(struct store_change *change)
{
	struct store *store = change->store;
	int r;

	if (!store)
		return;
	assert(change->depth == store->depth);
	change->store = NULL;
	store->depth--;
	store->undo_count++;
	if (store->failed)
		return;
	r = store_control(store, SQL_CHANGE_UNDO);
	if (r == 0)
		r = store_control(store, SQL_CHANGE_END);
	if (r < 0)
		store->failed = -r;
}

void store_fail(struct store *store, int error)
{
	if (store->changing && !store->failed)
		store->failed = error;
}

bool store_turn_dirty(const struct store *store)
{
	return store->dirty || store->depth > 0 || store->failed;
}

bool store_turn_failed(const struct store *store)
{
	return store->failed != 0;
}

uint64_t store_write_count(const struct store *store)
{
	return (uint64_t)sqlite3_total_changes64(store->db);
}

uint64_t store_commit_count(const struct store *store)
{
	return store->commit_count;
}

uint64_t store_undo_count(const struct store *store)
{
	return store->undo_count;
}

uint64_t store_change_serial(const struct store *store)
{
	return store->change_serial;
}

int store_turn_end(struct store *store)
{
	int r = -store->failed;

	assert(store->depth == 0);
	if (!store->in_turn || (!store->changing && r == 0))
		return 0;
	FAILPOINT("store.commit");
	if (r == 0)
		r = store_control(store, SQL_COMMIT);
	if (r == 0)
		store->commit_count++;
	FAILPOINT("store.committed");
	if (r < 0) {
		store->undo_count++;
		if (!sqlite3_get_autocommit(store->db))
			store_control(store, SQL_ROLLBACK);
	}
	store->in_turn = false;
	store->changing = false;
	store->dirty = false;
	store->failed = 0;
	return r;
}

static int query_bind(struct query *query, int place, char type, va_list *ap)
{
	const void *data;

	switch (type) {
	case 'i':
		return sqlite3_bind_int64(query->stmt, place, va_arg(*ap, int64_t));
	case 's':
		return sqlite3_bind_text(query->stmt, place, va_arg(*ap, const char *), -1, SQLITE_STATIC);
	case 'b':
		data = va_arg(*ap, const void *);
		return sqlite3_bind_blob64(
			query->stmt, place, data ? data : "", va_arg(*ap, size_t), SQLITE_STATIC);
	case 't':
		data = va_arg(*ap, const char *);
		return sqlite3_bind_text64(query->stmt, place, data ? data : "", va_arg(*ap, size_t),
			SQLITE_STATIC, SQLITE_UTF8);
	default:
		assert(type == 'n');
		return sqlite3_bind_null(query->stmt, place);
	}
}

/* Prepares a statement that was not wanted until now. -ENOTSUP: an older schema has no place for it, see
 * store_open_read(). */
static int query_first(struct store *store, enum statement statement)
{
	int result;

	if (store->schema_version && store->schema_version < store_schema.version)
		return -ENOTSUP;
	result = query_prepare(store, statement);
	return result == SQLITE_OK ? 0 : sqlite_error(store->db, result);
}

static struct query *query_vbegin(
	struct store *store, enum statement statement, const char *types, va_list *ap)
{
	struct query *query = &store->queries[statement];

	assert(!query->open);
	if (!query->stmt) {
		query->open = true;
		query->error = query_first(store, statement);
		if (query->error)
			return query;
	}
	/* Outside of a change a write would be a transaction of its own, and not go with the turn. */
	assert(store->depth > 0 || sqlite3_stmt_readonly(query->stmt));
	query->open = true;
	query->error = store->failed ? 0 : turn_begin(store);
	for (int i = 0; types[i]; i++) {
		int result;

		assert(i < QUERY_PARAMETER_MAX && query->place[i]);
		result = query_bind(query, query->place[i], types[i], ap);
		if (result != SQLITE_OK && !query->error)
			query->error = sqlite_error(store->db, result);
	}
	return query;
}

struct query *query_begin(struct store *store, enum statement statement, const char *types, ...)
{
	struct query *query;
	va_list ap;

	va_start(ap, types);
	query = query_vbegin(store, statement, types, &ap);
	va_end(ap);
	return query;
}

int query_step(struct query *query)
{
	int result;

	if (query->error)
		return query->error;
	if (query->store->failed)
		return -query->store->failed;
	result = sqlite3_step(query->stmt);
	if (result == SQLITE_ROW)
		return 1;
	if (result == SQLITE_DONE)
		return 0;
	query->error = store_error(query->store, result);
	return query->error;
}

int64_t query_int(struct query *query, int column)
{
	return sqlite3_column_int64(query->stmt, column);
}

const char *query_text(struct query *query, int column)
{
	bool null = sqlite3_column_type(query->stmt, column) == SQLITE_NULL;
	const char *text = (const char *)sqlite3_column_text(query->stmt, column);

	if (text || null)
		return text;
	memory_failed();
	return "";
}

const void *query_blob(struct query *query, int column, size_t *ret_size)
{
	size_t size = (size_t)sqlite3_column_bytes(query->stmt, column);
	const void *data = sqlite3_column_blob(query->stmt, column);

	if (size && !data) {
		memory_failed();
		size = 0;
	}
	*ret_size = size;
	return data;
}

bool query_null(struct query *query, int column)
{
	return sqlite3_column_type(query->stmt, column) == SQLITE_NULL;
}

void query_end(struct query *query)
{
	if (!query)
		return;
	query->open = false;
	if (!query->stmt)
		return;
	sqlite3_reset(query->stmt);
	sqlite3_clear_bindings(query->stmt);
}

int query_one(struct query *query, void (*load)(struct query *query, void *ret), void *ret)
{
	int r = query_step(query);

	if (r > 0)
		load(query, ret);
	query_end(query);
	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

int store_run(struct store *store, enum statement statement, const char *types, ...)
{
	CLEANUP(query_endp) struct query *query = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	query = query_vbegin(store, statement, types, &ap);
	va_end(ap);
	do
		r = query_step(query);
	while (r > 0);
	return r;
}

int store_insert(struct store *store, int64_t *ret_id, enum statement statement, const char *types, ...)
{
	CLEANUP(query_endp) struct query *query = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	query = query_vbegin(store, statement, types, &ap);
	va_end(ap);
	r = query_step(query);
	if (r < 0)
		return r;
	*ret_id = sqlite3_last_insert_rowid(store->db);
	return 0;
}

int store_get_int(struct store *store, int64_t *ret_value, enum statement statement, const char *types, ...)
{
	CLEANUP(query_endp) struct query *query = NULL;
	int64_t value;
	va_list ap;
	int r;

	va_start(ap, types);
	query = query_vbegin(store, statement, types, &ap);
	va_end(ap);
	r = query_step(query);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	value = query_int(query, 0);
	/* To its end: a write that is cut short could not be released. */
	do
		r = query_step(query);
	while (r > 0);
	if (r < 0)
		return r;
	*ret_value = value;
	return 0;
}

int64_t store_changed_rows(const struct store *store)
{
	return sqlite3_changes64(store->db);
}
