/* SPDX-License-Identifier: MIT */
#pragma once
/* What the files of the store share: the connection, its statements, its schema. Tests look in here, nobody
 * else. */
#include <sqlite3.h>

#include "engine/store/store.h"

enum { QUERY_PARAMETER_MAX = 24, STORE_APPLICATION_ID = 0x536c5468 /* "SlTh" */ };

struct query {
	struct store *store;
	sqlite3_stmt *stmt;
	unsigned char
		place[QUERY_PARAMETER_MAX]; /* where SQLite put $1, $2 …: it counts in order of appearance */
	int error;			    /* of binding, told by the first step */
	bool open;
};

struct store {
	sqlite3 *db;
	int lock_fd; /* the lock file, held as long as the store is open */
	struct query queries[SQL_COUNT];
	int depth;		/* of open changes */
	bool in_turn;		/* a transaction was begun */
	bool changing;		/* … and a change in it: it ends with the turn */
	bool dirty;		/* a change of this turn has ended */
	int failed;		/* errno: SQLite gave the transaction up, the rest of the turn fails */
	int64_t changes_before; /* sqlite3_total_changes64() when the outermost change began */
	uint64_t undo_count;
	uint64_t commit_count;
	uint64_t change_serial; /* outermost changes that were begun */
	int64_t quick_ms;	/* store_check_quickly(): when it was, by a clock since boot; 0: never */
	int quick_result;
	struct fault quick_fault;
	int64_t schema_version; /* of a database that was opened to be read */
};

/* A step from the schema before to `version`. */
struct migration {
	int version;
	const char *sql;
};

/* The schema as it is today, and the way to it from older ones, in ascending order. */
struct schema {
	int version;
	const char *sql;
	const struct migration *migrations;
	size_t migration_count;
};

extern const struct schema store_schema;

/* store_open() with another schema. */
int store_open_schema(const char *path, const struct schema *schema, store_before_upgrade *before,
	struct fault *fault, struct store **ret_store);

/* Makes the schema in an empty database, or brings an older one up to date after `before` (which may be NULL)
 * was called. */
int store_migrate(sqlite3 *db, const char *path, const struct schema *schema, store_before_upgrade *before,
	struct fault *fault);

/* Which schema a database of ours has. SQLITE_OK or another result: SQLITE_NOTADB when it is not ours. */
int store_schema_version(sqlite3 *db, int64_t *ret_version);

/* An SQLite result. */
int query_prepare(struct store *store, enum statement statement);

/* The errno (negative) of an SQLite result on this connection. */
int sqlite_error(sqlite3 *db, int result);
