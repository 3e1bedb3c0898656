/* SPDX-License-Identifier: MIT */
/* How SQLite goes about each statement: none steps through a table that grows, unless it is for all of it;
 * and what is asked of one stack is found by the stack. */
#include "tests/engine/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/store/private.h"

/* Small ones, in a database with years of work in it. */
static const char *const small_tables[] = { "auto_fixes", "clock", "CONSTANT", "data_keys",
	"destroyed_stacks", "event_archives", "image_keys", "locks", "master_keys", "named_locks",
	"namespaces", "resource_secrets", "resource_types", "run_secrets", "saved_workflows",
	"schema_versions", "secrets", "undone", NULL };

/* Those that are meant for a whole table, and when that is. */
static const struct {
	enum statement statement;
	const char *when;
} whole[] = {
	{ SQL_CONTENT_EACH, "a check of everything" },
	{ SQL_DEPS_ALL, "the graph of all stacks is loaded" },
	{ SQL_DEPS_ALL_STACKS, "the graph of all stacks is loaded" },
	{ SQL_EVENT_TAIL, "by the key, one row" },
	{ SQL_AUTO_FIX_STACKS, "an index of open ones alone" },
	{ SQL_EVENT_DELETE, "by the key, as many as it is told" },
	{ SQL_FIGURE_RUNS, "metrics" },
	{ SQL_FIGURE_STACKS, "metrics" },
	{ SQL_METRIC_EACH, "metrics" },
	{ SQL_OUTPUT_SEALED, "keys are rotated" },
	{ SQL_QUOTA_STORAGE, "storage is counted, by a process of its own" },
	{ SQL_QUOTA_USERS, "root looks at quotas" },
	{ SQL_RUN_EACH, "all runs are listed" },
	{ SQL_STACK_EACH, "all stacks are listed" },
	{ SQL_STACK_LIST, "all stacks are listed" },
	{ SQL_STACK_LIST_TAGS, "all stacks are listed" },
	{ SQL_STACK_RAISE_TOKENS, "a backup was restored" },
	{ SQL_STACK_UNVERSIONED, "a database from before versions is opened" },
	{ SQL_TAG_WORDS, "all tags are listed" },
	{ SQL_VERSION_DROPPED, "an index of those alone" },
};

static bool is_small(const char *table)
{
	for (size_t i = 0; small_tables[i]; i++) {
		size_t n = strlen(small_tables[i]);

		if (!strncmp(table, small_tables[i], n) && (table[n] == '\0' || table[n] == ' '))
			return true;
	}
	return false;
}

static bool is_whole(enum statement statement)
{
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (whole[i].statement == statement)
			return true;
	return false;
}

/* A stack has few of all runs: an index of something else goes through those of all stacks. */
static bool asks_around(const char *detail, const char *text)
{
	return (strstr(detail, "SEARCH runs USING INDEX runs_by_status") ||
		       strstr(detail, "SEARCH runs USING INDEX runs_of_file")) &&
	       strstr(text, "stack_id = $") && !strstr(text, "OR stack_id = $");
}

static unsigned look_at(struct store *store, enum statement statement)
{
	const char *text = statement_text(statement);
	char *sql = NULL;
	sqlite3_stmt *stmt;
	unsigned bad = 0;

	assert_true(asprintf(&sql, "EXPLAIN QUERY PLAN %s", text) > 0);
	assert_int_equal(sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(stmt, 3);
		const char *scan = strstr(detail, "SCAN ");

		if (scan && !is_small(scan + 5) && !is_whole(statement)) {
			print_error("%s\n    of: %s\n", detail, text);
			bad++;
		}
		if (asks_around(detail, text)) {
			print_error("%s\n    by another index than that of its stack: %s\n", detail, text);
			bad++;
		}
	}
	sqlite3_finalize(stmt);
	free(sql);
	return bad;
}

static void test_no_statement_steps_through_a_table(void **state)
{
	struct fixture *f = *state;
	unsigned bad = 0;

	for (enum statement i = 0; i < SQL_COUNT; i++)
		bad += look_at(f->engine->store, i);
	assert_int_equal(bad, 0);
}

/* It can fail: without its index a statement does step through the table. */
static void test_a_missing_index_is_seen(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = f->engine->store->db;

	assert_int_equal(
		sqlite3_exec(db, "DROP INDEX items_of_content; DROP INDEX runs_timed", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_not_equal(look_at(f->engine->store, SQL_CONTENT_DELETE), 0);
	assert_int_not_equal(look_at(f->engine->store, SQL_STACK_RUN_TIMES), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_no_statement_steps_through_a_table, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_a_missing_index_is_seen, fixture_new, fixture_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
