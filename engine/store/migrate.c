/* SPDX-License-Identifier: MIT */
/* The schema and its versions: fresh databases get schema.sql, older ones go there step by step. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/text.h"
#include "engine/store/private.h"

#pragma GCC diagnostic ignored "-Woverlength-strings"
static const char schema_sql[] =
#include "engine/schema.inc"
	;
static const char migration_2_sql[] =
#include "engine/migration-2.inc"
	;
static const char migration_3_sql[] =
#include "engine/migration-3.inc"
	;
static const char migration_4_sql[] =
#include "engine/migration-4.inc"
	;
static const char migration_5_sql[] =
#include "engine/migration-5.inc"
	;

/* A new version is: the change in schema.sql, the same as a file migration-N.sql, and its row here. */
static const struct migration migrations[] = {
	{ 2, migration_2_sql },
	{ 3, migration_3_sql },
	{ 4, migration_4_sql },
	{ 5, migration_5_sql },
};

const struct schema store_schema = {
	.version = 5,
	.sql = schema_sql,
	.migrations = migrations,
	.migration_count = sizeof(migrations) / sizeof(migrations[0]),
};

static int migrate_fault(sqlite3 *db, int result, const char *path, const char *what, struct fault *fault)
{
	int r = sqlite_error(db, result);

	if (r == -EBADMSG)
		return fault_set(fault, EBADMSG, "%s: the database is damaged, or is none: %s", path,
			sqlite3_errmsg(db));
	return fault_set(fault, -r, "%s: %s: %s", path, what, sqlite3_errmsg(db));
}

static int get_int(sqlite3 *db, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *stmt = NULL;
	int result = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (result == SQLITE_OK)
		result = sqlite3_step(stmt);
	if (result == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return result == SQLITE_ROW ? SQLITE_OK : result;
}

/* One step: the SQL and the new version, together or not at all. */
static int apply(sqlite3 *db, const char *path, int version, const char *sql, struct fault *fault)
{
	char record[256];
	int result;

	snprintf(record, sizeof(record),
		"INSERT INTO schema_versions (version, applied_ms) VALUES (%d, %lld); PRAGMA application_id "
		"= %d; COMMIT",
		version, (long long)time_now_ms(), STORE_APPLICATION_ID);
	result = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	FAILPOINT("migrate.begun");
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, sql, NULL, NULL, NULL);
	FAILPOINT("migrate.changed");
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, record, NULL, NULL, NULL);
	FAILPOINT("migrate.applied");
	if (result == SQLITE_OK)
		return 0;
	result = migrate_fault(db, result, path, "the schema cannot be brought up to date", fault);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

static int upgrade(sqlite3 *db, const char *path, const struct schema *schema, int64_t version,
	store_before_upgrade *before, struct fault *fault)
{
	int r = before ? before(path, version, fault) : 0;

	FAILPOINT("migrate.kept");
	for (size_t i = 0; i < schema->migration_count && r == 0; i++)
		if (schema->migrations[i].version > version)
			r = apply(db, path, schema->migrations[i].version, schema->migrations[i].sql, fault);
	return r;
}

int store_schema_version(sqlite3 *db, int64_t *ret_version)
{
	int64_t application = 0;
	int result = get_int(db, "PRAGMA application_id", &application);

	if (result == SQLITE_OK && application != STORE_APPLICATION_ID)
		return SQLITE_NOTADB;
	return result == SQLITE_OK
		       ? get_int(db, "SELECT COALESCE(MAX(version), 0) FROM schema_versions", ret_version)
		       : result;
}

int store_migrate(sqlite3 *db, const char *path, const struct schema *schema, store_before_upgrade *before,
	struct fault *fault)
{
	int64_t application = 0, objects = 0, version = 0;
	int result;

	result = get_int(db, "PRAGMA application_id", &application);
	if (result == SQLITE_OK)
		result = get_int(db, "SELECT COUNT(*) FROM sqlite_schema", &objects);
	if (result != SQLITE_OK)
		return migrate_fault(db, result, path, "the schema cannot be read", fault);
	if (objects == 0)
		return apply(db, path, schema->version, schema->sql, fault);
	if (application != STORE_APPLICATION_ID)
		return fault_set(fault, EBADMSG, "%s: this is a database, but none of Sloth's", path);
	result = store_schema_version(db, &version);
	if (result != SQLITE_OK)
		return migrate_fault(db, result, path, "the version of the schema cannot be read", fault);
	if (version > schema->version)
		return fault_set(fault, ENOTSUP,
			"%s: its schema is version %lld, this program knows up to %d: a newer Sloth wrote it",
			path, (long long)version, schema->version);
	return version < schema->version ? upgrade(db, path, schema, version, before, fault) : 0;
}
