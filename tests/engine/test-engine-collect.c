/* SPDX-License-Identifier: MIT */
/* Versions whose time is over, and what deleted ones leave. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/collect.h"
#include "engine/output.h"
#include "engine/snapshot.h"

static bool there(struct fixture *f, int64_t id, int64_t number)
{
	struct version version;

	return version_find(f->engine, id, number, &version) == 0;
}

static void delete_version(struct fixture *f, int64_t id, int64_t number)
{
	struct version version;

	assert_int_equal(version_find(f->engine, id, number, &version), 0);
	if (snapshot_delete(f->engine, &f->alice, version.id, &f->fault) < 0)
		fail_msg("%s", f->fault.text);
}

static void collect_all(struct fixture *f)
{
	int r;

	while ((r = collect_rest(f->engine)) > 0)
		;
	assert_int_equal(r, 0);
}

static void age(struct fixture *f, int64_t below, int64_t days)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "UPDATE versions SET time_ms = time_ms - %lld WHERE number < %lld",
		(long long)days * 86400000, (long long)below);
	fixture_sql(f, sql);
}

static char *value_in(struct fixture *f, int64_t id, int64_t number)
{
	static char text[32];
	CLEANUP(buffer_done) struct buffer content = { 0 };
	struct version_item item;

	if (version_item_find(f->engine, id, VERSION_OUTPUT, "n", number, &item) < 0)
		return NULL;
	assert_int_equal(version_item_read(f->engine, &item, &f->fault, &content), 0);
	snprintf(text, sizeof(text), "%s", buffer_text(&content));
	return text;
}

/* What others have stays, what nobody has goes, in whatever order versions are deleted. */
static void test_what_is_left(void **state)
{
	static const int64_t orders[][4] = { { 3, 4, 5, 6 }, { 6, 5, 4, 3 }, { 4, 6, 3, 5 } };

	for (size_t i = 0; i < 3; i++) {
		struct fixture *f;
		int64_t id;

		assert_int_equal(fixture_new((void **)&f), 0);
		id = fixture_stack(f, "a");
		for (int n = 2; n <= 8; n++)
			fixture_output(f, id, "n", json_integer(n));
		fixture_output(f, id, "other", json_integer(1));
		for (size_t j = 0; j < 4; j++) {
			delete_version(f, id, orders[i][j]);
			collect_all(f);
			assert_false(there(f, id, orders[i][j]));
			assert_string_equal(value_in(f, id, 2), "2");
			assert_string_equal(value_in(f, id, 7), "7");
		}
		assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM items WHERE name = 'n'"), 3);
		assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM contents"), 5);
		assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM versions"), 5);
		fixture_free((void **)&f);
	}
}

/* A version that is gone is still known as the origin of what has stayed. */
static void test_origin(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct version version;

	fixture_output(f, id, "n", json_integer(2));
	fixture_output(f, id, "other", json_integer(3));
	delete_version(f, id, 2);
	collect_all(f);
	assert_int_equal(version_trace(f->engine, id, 2, &version), 0);
	assert_int_equal(version.uid, f->alice.uid);
	assert_true(version.dropped);
	assert_int_equal(output_delete(f->engine, &f->alice, id, "n", &f->fault), 0);
	delete_version(f, id, 3);
	collect_all(f);
	assert_int_equal(version_trace(f->engine, id, 2, &version), -ENOENT);
}

static void test_retention(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), pin, number;
	struct snapshot_request request = { .description = "on purpose" };

	for (int n = 2; n <= 60; n++)
		fixture_output(f, id, "n", json_integer(n));
	assert_int_equal(snapshot_pin(f->engine, &f->alice, id, "good", 5, &f->fault, &pin), 0);
	/* All young: nothing goes. */
	assert_int_equal(collect_retention(f->engine), 0);
	assert_true(there(f, id, 1));
	age(f, 31, 40);
	assert_int_equal(collect_retention(f->engine), 0);
	for (int n = 1; n <= 60; n++)
		assert_int_equal(there(f, id, n), n == 5 || n >= 30);
	collect_all(f);
	assert_string_equal(value_in(f, id, 5), "5");
	assert_string_equal(value_in(f, id, 30), "30");
	/* All old: the last twenty. Those on purpose are among the last twenty of their own. */
	assert_int_equal(snapshot_create(f->engine, &f->alice, id, &request, &f->fault, &number), 0);
	for (int n = 62; n <= 90; n++)
		fixture_output(f, id, "n", json_integer(n));
	age(f, 91, 400);
	assert_int_equal(collect_retention(f->engine), 0);
	for (int n = 1; n <= 90; n++)
		assert_int_equal(there(f, id, n), n == 5 || n == 61 || n >= 71);
	collect_all(f);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM items WHERE name = 'n'"), 22);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM versions WHERE dropped = 1"), 0);
	assert_int_equal(
		fixture_query(f,
			"SELECT COUNT(*) FROM contents WHERE refs <> (SELECT COUNT(*) FROM items WHERE "
			"content_id = contents.id) + (SELECT COUNT(*) FROM contents AS c WHERE "
			"c.base_id = contents.id)"),
		0);
}

static void test_setting(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	static const char text[] = "snapshot_retention: 400d\n";

	for (int n = 2; n <= 60; n++)
		fixture_output(f, id, "n", json_integer(n));
	assert_int_equal(
		stack_set_text(f->engine, &f->alice, id, STACK_CONFIG, text, strlen(text), &f->fault), 0);
	age(f, 31, 40);
	assert_int_equal(collect_retention(f->engine), 0);
	assert_true(there(f, id, 1));
}

/* By itself, from the loop. */
static void test_timer(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	for (int n = 2; n <= 6; n++)
		fixture_output(f, id, "n", json_integer(n));
	delete_version(f, id, 3);
	assert_int_equal(engine_turn_end(f->engine), 0);
	for (int i = 0; i < 1000 && fixture_query(f, "SELECT COUNT(*) FROM versions WHERE dropped > 0") > 0;
		i++) {
		ev_run(f->loop, EVRUN_ONCE);
		assert_int_equal(engine_turn_end(f->engine), 0);
	}
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM versions WHERE dropped > 0"), 0);
	assert_string_equal(value_in(f, id, 4), "4");
}

static void test_automatic(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	static const char off[] = "snapshot_triggers: [on_drift_fix]\n", none[] = "auto_snapshot: false\n";

	assert_int_equal(snapshot_auto(f->engine, &f->alice, id, SNAPSHOT_BEFORE_DEPLOYMENT, "x"), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM snapshots"), 1);
	assert_int_equal(
		stack_set_text(f->engine, &f->alice, id, STACK_CONFIG, off, strlen(off), &f->fault), 0);
	assert_int_equal(snapshot_auto(f->engine, &f->alice, id, SNAPSHOT_BEFORE_DEPLOYMENT, "x"), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM snapshots"), 1);
	assert_int_equal(snapshot_auto(f->engine, &f->alice, id, SNAPSHOT_ON_DRIFT_FIX, "x"), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM snapshots"), 2);
	assert_int_equal(
		stack_set_text(f->engine, &f->alice, id, STACK_CONFIG, none, strlen(none), &f->fault), 0);
	assert_int_equal(snapshot_auto(f->engine, &f->alice, id, SNAPSHOT_ON_DRIFT_FIX, "x"), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM snapshots"), 2);
	assert_int_equal(stack_set_text(f->engine, &f->alice, id, STACK_CONFIG,
				 "snapshot_triggers: [never]\n", 27, &f->fault),
		-EINVAL);
	assert_contains(f->fault.text, "a list of before_deployment");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left),
		TEST(test_origin),
		TEST(test_retention),
		TEST(test_setting),
		TEST(test_timer),
		TEST(test_automatic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
