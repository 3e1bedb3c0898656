/* SPDX-License-Identifier: MIT */
/* Opening: the lock file, damaged files, schemas that are older and newer. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/store/private.h"

#pragma GCC diagnostic ignored "-Woverlength-strings"

static void close_engine(struct fixture *f)
{
	engine_free(f->engine);
	f->engine = NULL;
}

static void test_modes(void **state)
{
	static const char *const names[] = { "", "-wal", "-shm", "-lock" };
	struct fixture *f = *state;

	fixture_stack(f, "a");
	assert_int_equal(engine_turn_end(f->engine), 0);
	for (size_t i = 0; i < 4; i++) {
		char path[128];
		struct stat st;

		snprintf(path, sizeof(path), "%s%s", f->database, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

static void test_second_daemon(void **state)
{
	struct fixture *f = *state;
	struct store *store = NULL;
	char pid[32];

	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	assert_int_equal(store_open(f->database, &f->fault, &store), -EBUSY);
	assert_null(store);
	assert_contains(f->fault.text, pid);
	close_engine(f);
	assert_int_equal(store_open(f->database, &f->fault, &store), 0);
	store_close(store);
}

static void sql(struct fixture *f, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_newer_schema(void **state)
{
	struct fixture *f = *state;
	struct store *store;

	close_engine(f);
	sql(f, "INSERT INTO schema_versions VALUES (999, 0)");
	assert_int_equal(store_open(f->database, &f->fault, &store), -ENOTSUP);
	assert_contains(f->fault.text, "999");
}

static void overwrite(const char *path, off_t at, size_t size)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(pwrite(fd, "x", 1, at + (off_t)i), 1);
	close(fd);
}

static void test_no_database(void **state)
{
	struct fixture *f = *state;
	struct store *store;

	close_engine(f);
	overwrite(f->database, 0, 100);
	assert_int_equal(store_open(f->database, &f->fault, &store), -EBADMSG);
	assert_contains(f->fault.text, f->database);
}

static void test_damaged_schema(void **state)
{
	struct fixture *f = *state;
	struct store *store;

	close_engine(f);
	overwrite(f->database, 100, 3000);
	assert_int_equal(store_open(f->database, &f->fault, &store), -EBADMSG);
}

static void test_foreign_database(void **state)
{
	struct fixture *f = *state;
	struct store *store;

	close_engine(f);
	sql(f, "PRAGMA application_id = 1");
	assert_int_equal(store_open(f->database, &f->fault, &store), -EBADMSG);
	assert_contains(f->fault.text, "none of Sloth's");
}

/* All of a database's shape, as text. */
static char *shape(const char *path)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	char *text = SHOWN({
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		sqlite3_prepare_v2(db,
			"SELECT type, name, sql FROM sqlite_schema UNION ALL "
			"SELECT 'version', '', MAX(version) FROM schema_versions ORDER BY 1, 2",
			-1, &stmt, NULL);
		while (sqlite3_step(stmt) == SQLITE_ROW)
			fprintf(out, "%s %s %s\n", sqlite3_column_text(stmt, 0), sqlite3_column_text(stmt, 1),
				sqlite3_column_text(stmt, 2));
		sqlite3_finalize(stmt);
		sqlite3_close(db);
	});

	return text;
}

/* Columns, indexes and foreign keys of all tables: what SQLite makes of the SQL, whose words may differ. */
static char *columns(const char *path)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	char *text = SHOWN({
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		assert_int_equal(
			sqlite3_prepare_v2(db,
				"SELECT m.name || ' column ' || c.name || ' ' || c.type || ' ' || "
				"c.\"notnull\" || "
				"' ' || COALESCE(c.dflt_value, '') || ' ' || c.pk "
				"FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c WHERE m.type = "
				"'table' "
				"UNION ALL SELECT m.name || ' key ' || k.\"from\" || ' ' || k.\"table\" || ' "
				"' || "
				"k.on_delete FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) k "
				"UNION ALL SELECT m.name || ' index ' || i.\"unique\" || ' ' || i.origin || "
				"' ' || "
				"i.partial || ' ' || (SELECT group_concat(COALESCE(x.name, '')) FROM "
				"pragma_index_info(i.name) x) FROM sqlite_schema m JOIN "
				"pragma_index_list(m.name) i "
				"UNION ALL SELECT 'version ' || MAX(version) FROM schema_versions ORDER BY 1",
				-1, &stmt, NULL),
			SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW)
			fprintf(out, "%s\n", sqlite3_column_text(stmt, 0));
		sqlite3_finalize(stmt);
		sqlite3_close(db);
	});

	return text;
}

static const char schema_1[] =
#include "tests/engine/schema-1.inc"
	;
static const char schema_2[] =
#include "tests/engine/schema-2.inc"
	;
static const char schema_3[] =
#include "tests/engine/schema-3.inc"
	;
static const char schema_4[] =
#include "tests/engine/schema-4.inc"
	;
static const struct schema older[] = {
	{ .version = 1, .sql = schema_1 },
	{ .version = 2, .sql = schema_2 },
	{ .version = 3, .sql = schema_3 },
	{ .version = 4, .sql = schema_4 },
};

static void test_migration_from_older(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *fresh = columns(f->database);

	close_engine(f);
	for (size_t i = 0; i < sizeof(older) / sizeof(older[0]); i++) {
		CLEANUP(cleanup_free) char *migrated = NULL;
		struct store *store;
		sqlite3 *db;

		assert_int_equal(unlink(f->database), 0);
		/* By hand: today's statements, which opening prepares, are not those of an old schema. */
		assert_int_equal(sqlite3_open(f->database, &db), SQLITE_OK);
		assert_int_equal(store_migrate(db, f->database, &older[i], NULL, &f->fault), 0);
		sqlite3_close(db);
		if (store_open(f->database, &f->fault, &store) < 0)
			fail_msg("%s", f->fault.text);
		store_close(store);
		migrated = columns(f->database);
		assert_string_equal(migrated, fresh);
	}
}

static int keep_copy(const char *path, int64_t version, struct fault *fault)
{
	char copy[128];

	snprintf(copy, sizeof(copy), "%s-before", path);
	assert_int_equal(version, store_schema.version - 1);
	return store_copy(path, copy, fault);
}

/* A step to the next version, and one that comes before it: without an index and a table, which both bring.
 */
static void test_migration(void **state)
{
	struct fixture *f = *state;
	const struct migration steps[] = {
		{ store_schema.version, "CREATE INDEX runs_of_file ON runs (file, id)" },
		{ store_schema.version + 1, "CREATE TABLE later (id INTEGER PRIMARY KEY)" },
	};
	const struct schema next = { store_schema.version + 1, store_schema.sql, steps, 2 };
	char copy[128], fresh[128];
	CLEANUP(cleanup_free)
	char *migrated_shape = NULL, *fresh_shape = NULL, *older_shape = NULL, *copy_shape = NULL;
	struct store *store;
	struct stat st;

	snprintf(copy, sizeof(copy), "%s-before", f->database);
	snprintf(fresh, sizeof(fresh), "%s/fresh.db", f->home);
	fixture_stack(f, "kept");
	assert_int_equal(engine_turn_end(f->engine), 0);
	close_engine(f);
	sql(f, "DROP INDEX runs_of_file; UPDATE schema_versions SET version = version - 1");
	older_shape = shape(f->database);
	if (store_open_schema(f->database, &next, keep_copy, &f->fault, &store) < 0)
		fail_msg("%s", f->fault.text);
	store_close(store);

	/* Fresh: today's schema and the made-up step behind it. */
	assert_int_equal(store_open(fresh, &f->fault, &store), 0);
	store_close(store);
	assert_int_equal(store_open_schema(fresh, &next, NULL, &f->fault, &store), 0);
	store_close(store);
	migrated_shape = shape(f->database);
	fresh_shape = shape(fresh);
	assert_string_equal(migrated_shape, fresh_shape);
	assert_string_not_equal(migrated_shape, older_shape);

	/* The copy is the older one, for its owner alone. */
	copy_shape = shape(copy);
	assert_string_equal(copy_shape, older_shape);
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_migration_that_fails(void **state)
{
	struct fixture *f = *state;
	const struct migration steps[] = {
		{ store_schema.version + 1,
			"CREATE TABLE half (id INTEGER PRIMARY KEY); CREATE TABLE stacks (id INTEGER)" },
	};
	const struct schema next = { store_schema.version + 1, store_schema.sql, steps, 1 };
	CLEANUP(cleanup_free) char *before = NULL, *after = NULL;
	struct store *store = NULL;

	close_engine(f);
	before = shape(f->database);
	assert_true(store_open_schema(f->database, &next, NULL, &f->fault, &store) < 0);
	assert_null(store);
	after = shape(f->database);
	assert_string_equal(before, after);
	assert_int_equal(store_open(f->database, &f->fault, &store), 0);
	store_close(store);
}

static void test_settings(void **state)
{
	static const struct {
		const char *sql, *value;
	} settings[] = {
		{ "PRAGMA journal_mode", "wal" },
		{ "PRAGMA synchronous", "2" },
		{ "PRAGMA foreign_keys", "1" },
		{ "PRAGMA trusted_schema", "0" },
		{ "PRAGMA cell_size_check", "1" },
		{ "PRAGMA mmap_size", "0" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		sqlite3_stmt *stmt;

		assert_int_equal(sqlite3_prepare_v2(f->engine->store->db, settings[i].sql, -1, &stmt, NULL),
			SQLITE_OK);
		if (sqlite3_step(stmt) == SQLITE_ROW) /* no row: mmap is not even compiled in */
			assert_string_equal((const char *)sqlite3_column_text(stmt, 0), settings[i].value);
		sqlite3_finalize(stmt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_modes),
		TEST(test_second_daemon),
		TEST(test_newer_schema),
		TEST(test_no_database),
		TEST(test_damaged_schema),
		TEST(test_foreign_database),
		TEST(test_migration_from_older),
		TEST(test_migration),
		TEST(test_migration_that_fails),
		TEST(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
