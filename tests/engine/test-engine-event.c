/* SPDX-License-Identifier: MIT */
/* The audit trail: its lines, its places, its chain. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/audit.h"
#include "engine/store/private.h"

static int add(struct fixture *f, const char *type, json_t *data)
{
	struct store_change change = { 0 };
	int r;

	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	r = event_add(f->engine, &f->bob, type, 7, "prod", 42, data);
	if (r < 0)
		store_change_cancel(&change);
	else
		assert_int_equal(store_change_end(&change), 0);
	return r;
}

static int collect(void *userdata, const struct event *event)
{
	FILE **out = userdata;

	fputs(event->line, out[0]);
	fputs(event->json, out[1]);
	return 0;
}

static void texts(struct fixture *f, int64_t after, int64_t stack_id, char **ret_lines, char **ret_json)
{
	size_t n, m;
	FILE *out[2] = { open_memstream(ret_lines, &n), open_memstream(ret_json, &m) };

	assert_int_equal(event_each(f->engine, after, stack_id, collect, out), 0);
	fclose(out[0]);
	fclose(out[1]);
}

/* What a terminal obeys beyond ASCII is no part of what an event tells: the line that follows from it stays
 * as it is for all that were written before. */
static void test_harmless(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *lines = NULL, *json = NULL;

	assert_int_equal(add(f, "lock.acquired",
				 json_pack("{ss s[s] s{ss}}", "reason",
					 "\xc3\xa4\xc2\x9b"
					 "2J",
					 "list", "\xe2\x80\xae", "more", "\xe2\x80\xa8", "x")),
		0);
	texts(f, 0, 0, &lines, &json);
	assert_null(strstr(lines, "\xc2\x9b"));
	assert_null(strstr(json, "\xe2\x80"));
	assert_non_null(strstr(json, "\"reason\":\"\xc3\xa4\\\\xc2\\\\x9b2J\""));
}

static void test_line(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *lines = NULL, *json = NULL;
	json_t *object;

	assert_int_equal(
		add(f, "lock.acquired",
			json_pack("{ss ss sb s[i]}", "reason", "a\nb \"c\"", "uid", "0", "on", 1, "list", 1)),
		0);
	texts(f, 0, 0, &lines, &json);
	assert_int_equal(lines[10], 'T');
	assert_string_equal(lines + 24, " lock.acquired stack=prod run=42 user=54322 uid=54322 list=\"[1]\" "
					"on=true reason=\"a\\nb \\\"c\\\"\" "
					"data.uid=0\n");
	object = json_loads(json, 0, NULL);
	assert_non_null(object);
	assert_string_equal(json_string_value(json_object_get(object, "type")), "lock.acquired");
	assert_string_equal(json_string_value(json_object_get(json_object_get(object, "data"), "uid")), "0");
	assert_int_equal(json_integer_value(json_object_get(object, "uid")), 54322);
	json_decref(object);
	assert_int_equal(add(f, "two words", NULL), -EINVAL);
	assert_int_equal(event_last(f->engine), 1);
}

static void test_each(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *lines = NULL, *json = NULL;
	int64_t id = fixture_stack(f, "a");

	add(f, "x.one", NULL);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0700, NULL), 0);
	texts(f, 1, id, &lines, &json);
	assert_contains(lines, "stack.updated stack=a");
	assert_null(strstr(lines, "x.one"));
	assert_null(strstr(lines, "stack.created"));
}

static void check_seek(struct fixture *f, bool json, const char *text)
{
	int64_t size, id, start, at = 0;

	assert_int_equal(event_size(f->engine, json, &size), 0);
	assert_int_equal(size, strlen(text));
	for (int64_t i = 1; at < size; i++) {
		int64_t end = at + (int64_t)strcspn(text + at, "\n") + 1;

		for (int64_t offset = at; offset < end; offset++) {
			assert_int_equal(event_seek(f->engine, json, offset, &id, &start), 0);
			assert_int_equal(id, i);
			assert_int_equal(start, at);
		}
		at = end;
	}
	assert_int_equal(event_seek(f->engine, json, size, &id, &start), 0);
	assert_int_equal(id, event_last(f->engine) + 1);
	assert_int_equal(start, size);
}

static void test_seek(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *lines = NULL, *json = NULL;
	int64_t id, start;

	assert_int_equal(event_seek(f->engine, false, 0, &id, &start), 0);
	assert_int_equal(id, 1);
	assert_int_equal(start, 0);
	for (int i = 0; i < 9; i++)
		add(f, "x.one", json_pack("{si}", "n", 1 << (2 * i)));
	texts(f, 0, 0, &lines, &json);
	check_seek(f, false, lines);
	check_seek(f, true, json);
}

static void test_chain_goes_on(void **state)
{
	struct fixture *f = *state;
	struct store_change change = { 0 };

	add(f, "x.one", NULL);
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(event_add(f->engine, NULL, "x.undone", 0, NULL, 0, NULL), 0);
	store_change_cancel(&change);
	assert_int_equal(event_last(f->engine), 1);
	add(f, "x.two", NULL);
	fixture_restart(f);
	add(f, "x.three", NULL);
	assert_int_equal(event_last(f->engine), 3);
	assert_int_equal(event_verify(f->engine, &f->fault), 0);
}

static void tamper(const char *sql, const char *first)
{
	struct fixture *f;
	void *state;

	fixture_new(&state);
	f = state;
	for (int i = 0; i < 5; i++)
		add(f, "x.one", json_pack("{si}", "n", i));
	assert_int_equal(event_verify(f->engine, &f->fault), 0);
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(sqlite3_exec(f->engine->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(event_verify(f->engine, &f->fault), -EBADMSG);
	assert_contains(f->fault.text, first);
	fixture_free(&state);
}

static void test_verify(void **state)
{
	tamper("UPDATE events SET json = replace(json, '\"n\":2', '\"n\":9') WHERE id = 3", "event 3 ");
	tamper("UPDATE events SET line = replace(line, 'n=2', 'n=9') WHERE id = 3", "event 3 ");
	tamper("UPDATE events SET uid = 0 WHERE id = 2", "event 2 ");
	tamper("UPDATE events SET stack_id = 8 WHERE id = 2", "event 2 ");
	tamper("UPDATE events SET time_ms = time_ms + 1 WHERE id = 4", "event 4 ");
	tamper("DELETE FROM events WHERE id = 2", "event 3 ");
	tamper("UPDATE events SET hash = zeroblob(32) WHERE id = 1", "event 1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_line),
		TEST(test_harmless),
		TEST(test_each),
		TEST(test_seek),
		TEST(test_chain_goes_on),
		cmocka_unit_test(test_verify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
