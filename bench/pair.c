/* SPDX-License-Identifier: MIT */
/* The transactions of a lock, statement by statement as engine/lock.c and engine/event.c run them. */
#include "bench/pair.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "engine/store/statements.h"
#include "engine/store/store.h"

enum { EVENT_LINE_SIZE = 110, EVENT_JSON_SIZE = 330 }; /* as events of locks are long */

static const char *const settings[] = {
	"PRAGMA synchronous = FULL",
	"PRAGMA foreign_keys = ON",
	"PRAGMA wal_autocheckpoint = 1000",
	"PRAGMA temp_store = MEMORY",
};

struct pair {
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT];
	int64_t stack_id, events, touched;
	char line[EVENT_LINE_SIZE + 1], json[EVENT_JSON_SIZE + 1];
};

static void check(struct pair *pair, int result)
{
	if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE)
		die("SQLite: %s", sqlite3_errmsg(pair->db));
}

static sqlite3_stmt *statement_of(struct pair *pair, enum statement statement)
{
	sqlite3_stmt **stmt = &pair->statements[statement];

	if (!*stmt)
		check(pair, sqlite3_prepare_v3(pair->db, statement_text(statement), -1,
				    SQLITE_PREPARE_PERSISTENT, stmt, NULL));
	return *stmt;
}

static void bind(struct pair *pair, sqlite3_stmt *stmt, const char *types, va_list *ap)
{
	for (int i = 0; types[i]; i++) {
		char name[16];
		int place;

		snprintf(name, sizeof(name), "$%d", i + 1);
		place = sqlite3_bind_parameter_index(stmt, name);
		if (types[i] == 'i')
			check(pair, sqlite3_bind_int64(stmt, place, va_arg(*ap, int64_t)));
		else if (types[i] == 's')
			check(pair,
				sqlite3_bind_text(stmt, place, va_arg(*ap, const char *), -1, SQLITE_STATIC));
		else
			check(pair, sqlite3_bind_zeroblob(stmt, place, va_arg(*ap, int)));
	}
}

/* Runs a statement to its end; the first integer of its last row, 0 when there is none. */
static int64_t run(struct pair *pair, enum statement statement, const char *types, ...)
{
	sqlite3_stmt *stmt = statement_of(pair, statement);
	int64_t value = 0;
	int result;
	va_list ap;

	va_start(ap, types);
	bind(pair, stmt, types, &ap);
	va_end(ap);
	while ((result = sqlite3_step(stmt)) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	check(pair, result);
	sqlite3_reset(stmt);
	return value;
}

static void add_event(struct pair *pair, const char *type)
{
	int64_t id = ++pair->events;

	run(pair, SQL_EVENT_ADD, "iiiiiiisbss", id, time_now_ms(), id * EVENT_LINE_SIZE, id * EVENT_JSON_SIZE,
		pair->stack_id, (int64_t)0, (int64_t)0, type, 32, pair->line, pair->json);
}

static int64_t lock(struct pair *pair)
{
	int64_t time = time_now_ms(), token;

	run(pair, SQL_BEGIN, "");
	run(pair, SQL_STACK_GET, "i", pair->stack_id);
	run(pair, SQL_LOCK_OF_TARGET, "iii", pair->stack_id, (int64_t)0, time);
	run(pair, SQL_CHANGE_BEGIN, "");
	run(pair, SQL_STACK_NEXT_TOKEN, "i", pair->stack_id);
	token = run(pair, SQL_STACK_TOKEN, "i", pair->stack_id);
	run(pair, SQL_LOCK_ADD, "iiisisiiiiiiiisssss", pair->stack_id, (int64_t)0, token, "durable",
		(int64_t)0, "", (int64_t)0, (int64_t)1, (int64_t)1, (int64_t)1, time, time + 3600000,
		(int64_t)0, (int64_t)0, "01234567-89ab-cdef-0123-456789abcdef", "", "sloth-bench lock", "",
		"a benchmark");
	add_event(pair, "lock.acquired");
	run(pair, SQL_CHANGE_END, "");
	run(pair, SQL_COMMIT, "");
	return token;
}

static void unlock(struct pair *pair, int64_t token)
{
	run(pair, SQL_BEGIN, "");
	run(pair, SQL_STACK_GET, "i", pair->stack_id);
	run(pair, SQL_LOCK_OF_TARGET, "iii", pair->stack_id, (int64_t)0, time_now_ms());
	run(pair, SQL_CHANGE_BEGIN, "");
	run(pair, SQL_LOCK_DELETE, "iii", pair->stack_id, (int64_t)0, token);
	add_event(pair, "lock.released");
	run(pair, SQL_CHANGE_END, "");
	run(pair, SQL_COMMIT, "");
}

void pair_lock_unlock(void *data)
{
	struct pair *pair = data;

	unlock(pair, lock(pair));
}

void pair_commit(struct pair *pair)
{
	run(pair, SQL_BEGIN, "");
	/* Another value each time: what stays the same is not written. */
	run(pair, SQL_STACK_TOUCH, "ii", pair->stack_id, ++pair->touched);
	run(pair, SQL_COMMIT, "");
}

void pair_begin(struct pair *pair)
{
	run(pair, SQL_BEGIN, "");
}

void pair_set_key(struct pair *pair, const char *key, const char *value)
{
	run(pair, SQL_KV_SET, "iissii", (int64_t)0, (int64_t)1, key, value, time_now_ms(), (int64_t)0);
}

void pair_end(struct pair *pair)
{
	run(pair, SQL_COMMIT, "");
}

void pair_set_keys(struct pair *pair, unsigned count, unsigned keys)
{
	char key[64], value[64];

	pair_begin(pair);
	for (unsigned i = 0; i < count; i++) {
		int64_t turn = pair->touched++;

		snprintf(key, sizeof(key), "client-%u-key-%u", (unsigned)(turn % 50),
			(unsigned)(turn / 50 % keys));
		snprintf(value, sizeof(value), "\"value-%lld\"", (long long)turn);
		pair_set_key(pair, key, value);
	}
	pair_end(pair);
}

struct pair *pair_open(const struct bench *bench, const char *name)
{
	struct pair *pair = need(calloc(1, sizeof(*pair)));
	char *path = text_of("%s/%s", bench->directory, name);
	struct fault fault = { 0 };
	struct store *store;

	/* Schema, page size and a WAL that is grown already: all as the daemon makes them. */
	if (store_open(path, &fault, &store) < 0)
		die("%s", fault.text);
	store_close(store);
	check(pair, sqlite3_open_v2(path, &pair->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
	free(path);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		check(pair, sqlite3_exec(pair->db, settings[i], NULL, NULL, NULL));
	memset(pair->line, 'l', EVENT_LINE_SIZE);
	memset(pair->json, 'j', EVENT_JSON_SIZE);
	run(pair, SQL_STACK_ADD, "siiii", "bench", (int64_t)0, (int64_t)0, (int64_t)0755, time_now_ms());
	pair->stack_id = sqlite3_last_insert_rowid(pair->db);
	return pair;
}
