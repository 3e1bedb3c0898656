/* SPDX-License-Identifier: MIT */
/* The dependencies of all stacks together: what is shown, to whom, that it follows changes; cycles that came
 * from elsewhere. */
#include "tests/engine/fixture.h"

#include <stdlib.h>
#include <string.h>

#include "engine/deps-graph.h"
#include "engine/deps.h"
#include "engine/run.h"
#include "engine/stack.h"

static void set(struct fixture *f, int64_t id, const char *on, const char *requires)
{
	assert_int_equal(deps_set(f->engine, &f->alice, id, on, requires, &f->fault, NULL), 0);
}

/* Past the check for cycles. */
static void force(struct fixture *f, int64_t id, int64_t on_id, const char *on)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct store *store = f->engine->store;
	int64_t dep;

	assert_int_equal(store_change_begin(store, &change), 0);
	assert_int_equal(store_get_int(store, &dep, SQL_DEPS_SET, "iissi", id, on_id, on, "", INT64_C(1)), 0);
	assert_int_equal(store_change_end(&change), 0);
	engine_note(f->engine, SUBJECT_STACK, id, ASPECT_DEPS);
}

/* As if the run, which is under way, had begun so long ago. */
static void backdate(struct fixture *f, const struct run *run, int64_t ms)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct store *store = f->engine->store;

	assert_int_equal(store_change_begin(store, &change), 0);
	assert_int_equal(store_run(store, SQL_RUN_SET_STATUS, "isiii", run->id, "running",
				 run->started_ms - ms, INT64_C(0), run->started_ms),
		0);
	assert_int_equal(store_change_end(&change), 0);
}

static void assert_order(struct fixture *f, struct caller *caller, const char *expected)
{
	CLEANUP(cleanup_free) char *text = SHOWN(deps_graph_show_order(f->engine, caller, out));

	assert_string_equal(text, expected);
}

static void assert_json(struct fixture *f, struct caller *caller, const char *expected)
{
	CLEANUP(cleanup_free) char *text = SHOWN(deps_graph_show_json(f->engine, caller, out));
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(value);
	json_decref(value);
	assert_string_equal(text, expected);
}

static void test_order_follows_changes(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db"), cache = fixture_stack(f, "cache");

	assert_order(f, NULL, "1  cache\n1  db\n1  web\n");
	set(f, web, "db", "");
	set(f, web, "cache", "");
	set(f, cache, "db", "");
	assert_order(f, NULL, "1  db\n2  cache\n3  web\n");
	assert_int_equal(stack_rename(f->engine, &f->alice, db, "zdb", &f->fault), 0);
	assert_order(f, NULL, "1  zdb\n2  cache\n3  web\n");
	assert_int_equal(deps_remove(f->engine, &f->alice, web, "cache", &f->fault), 0);
	assert_order(f, NULL, "1  zdb\n2  cache\n2  web\n");
	assert_int_equal(stack_destroy(f->engine, &f->alice, web, &f->fault), 0);
	assert_order(f, NULL, "1  zdb\n2  cache\n");
}

/* A change that is undone is no longer seen. */
static void test_order_after_an_undone_change(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a");
	struct store_change change = { 0 };

	fixture_stack(f, "b");
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	set(f, a, "b", "");
	assert_order(f, NULL, "1  b\n2  a\n");
	store_change_cancel(&change);
	assert_order(f, NULL, "1  a\n1  b\n");
}

static void test_json(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db"), gone = fixture_stack(f, "gone");
	struct dep dep;

	set(f, web, "db", ">=2");
	set(f, web, "gone", "");
	assert_int_equal(deps_find(f->engine, NULL, web, "gone", &dep), 0);
	assert_int_equal(deps_release(f->engine, &f->alice, dep.id, &f->fault), 0);
	assert_int_equal(stack_destroy(f->engine, &f->alice, gone, &f->fault), 0);
	assert_int_equal(stack_set_text(f->engine, &f->alice, db, STACK_VERSION, "1 \"x\"", 5, &f->fault), 0);
	assert_json(f, NULL,
		"{\n\"db\":{\"missing\":false,\"run_ms\":0,\"version\":\"1 \\\"x\\\"\"},\n"
		"\"gone\":{\"missing\":true,\"run_ms\":0,\"version\":\"\"},\n"
		"\"web\":{\"depends\":{\"db\":\">=2\",\"gone\":\"\"},\"missing\":false,"
		"\"problems\":{\"db\":\"version 1 \\\"x\\\" does not satisfy >=2\","
		"\"gone\":\"there is no stack gone\"},\"run_ms\":0,\"version\":\"\"}\n}\n");
	/* One that was let go and is there still is no dependency for the whole. */
	assert_int_equal(deps_find(f->engine, NULL, web, "db", &dep), 0);
	assert_int_equal(deps_release(f->engine, &f->alice, dep.id, &f->fault), 0);
	assert_order(f, NULL, "1  db\n2  web\n");
	assert_int_equal(deps_remove(f->engine, &f->alice, web, "gone", &f->fault), 0);
	assert_order(f, NULL, "1  db\n1  web\n");
}

static void test_private_stacks_show_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db");

	set(f, web, "db", ">=2");
	assert_int_equal(stack_set_text(f->engine, &f->alice, db, STACK_VERSION, "1", 1, &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, db, 0700, &f->fault), 0);
	assert_json(f, &f->bob,
		"{\n\"db\":{\"missing\":false,\"run_ms\":0,\"version\":\"\"},\n"
		"\"web\":{\"depends\":{\"db\":\">=2\"},\"missing\":false,\"problems\":"
		"{\"db\":\"its version does not satisfy >=2\"},\"run_ms\":0,\"version\":\"\"}\n}\n");
	assert_int_equal(stack_chmod(f->engine, &f->alice, web, 0700, &f->fault), 0);
	assert_order(f, &f->bob, "1  db\n1  web\n");
	assert_order(f, &f->alice, "1  db\n2  web\n");
}

static void test_cycles(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b"), c = fixture_stack(f, "c");
	CLEANUP(cleanup_free) char *none = NULL, *some = NULL, *json = NULL;

	fixture_stack(f, "d");
	set(f, a, "b", "");
	set(f, b, "c", "");
	none = SHOWN(deps_graph_show_cycles(f->engine, NULL, out));
	assert_string_equal(none, "");
	force(f, c, a, "a");
	set(f, a, "d", "");
	some = SHOWN(deps_graph_show_cycles(f->engine, NULL, out));
	assert_string_equal(some, "a → b → c → a  cut c → a\n");
	json = SHOWN(deps_graph_show_cycles_json(f->engine, NULL, out));
	assert_contains(json, "\"cut\"");
	assert_order(f, NULL, "1  d\n-  a\n-  b\n-  c\n");
}

/* How long runs take: the median of the last five that succeeded. */
static void test_run_times(void **state)
{
	const int64_t took[] = { 90000, 100, 500, 200, 400, 300 };
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web");
	const struct deps_graph *graph;

	for (size_t i = 0; i < sizeof(took) / sizeof(took[0]); i++) {
		struct run run;

		assert_int_equal(run_create(f->engine, &f->alice, "x.sloth", web, "", 0, &run), 0);
		assert_int_equal(run_set_status(f->engine, run.id, RUN_RUNNING, NULL), 0);
		assert_int_equal(run_get(f->engine, run.id, &run), 0);
		backdate(f, &run, took[i]);
		assert_int_equal(run_set_status(f->engine, run.id, RUN_SUCCESS, NULL), 0);
	}
	assert_int_equal(deps_graph_get(f->engine, &graph), 0);
	assert_in_range(graph->nodes[0].run_ms, 300, 399);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order_follows_changes),
		TEST(test_order_after_an_undone_change),
		TEST(test_json),
		TEST(test_private_stacks_show_nothing),
		TEST(test_cycles),
		TEST(test_run_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
