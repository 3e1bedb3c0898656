/* SPDX-License-Identifier: MIT */
/* Outputs: setting, showing, refusals. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/lock.h"
#include "engine/output.h"
#include "engine/seal.h"

static int set(struct fixture *f, struct caller *caller, int64_t id, const char *name, json_t *value)
{
	int r = output_set(f->engine, caller, id, name, value, &f->fault);

	json_decref(value);
	return r;
}

static void test_show(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	CLEANUP(cleanup_free) char *lines = NULL, *json = NULL;

	assert_int_equal(output_time(f->engine, id), 0);
	assert_int_equal(set(f, &f->alice, id, "url", json_string("http://x")), 0);
	assert_int_equal(set(f, &f->alice, id, "count", json_integer(2)), 0);
	assert_int_equal(set(f, &f->alice, id, "text", json_string("a\nb")), 0);
	assert_int_equal(set(f, &f->alice, id, "list", json_pack("[i,{sisi}]", 1, "b", 2, "a", 3)), 0);
	lines = SHOWN(output_show(f->engine, id, out));
	assert_string_equal(lines, "count=2\nlist=[1,{\"a\":3,\"b\":2}]\ntext=a\\nb\nurl=http://x\n");
	json = SHOWN(output_show_json(f->engine, id, out));
	assert_string_equal(json,
		"{\"count\":2,\"list\":[1,{\"a\":3,\"b\":2}],\"text\":\"a\\nb\",\"url\":\"http://x\"}\n");
	assert_true(output_time(f->engine, id) > 0);
}

static void test_raw(void **state)
{
	json_t *text = json_string("a\nb"), *list = json_pack("[i]", 1);
	CLEANUP(cleanup_free) char *raw = SHOWN(output_write_raw(text, out); output_write_raw(list, out));

	assert_string_equal(raw, "a\nb\n[1]\n");
	json_decref(text);
	json_decref(list);
}

static void test_set_and_delete(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), output, again, stack_id, time;
	char name[NAME_SIZE];
	json_t *value;

	assert_int_equal(set(f, &f->alice, id, "x", json_integer(1)), 0);
	assert_int_equal(output_find(f->engine, id, "x", &output), 0);
	assert_int_equal(set(f, &f->alice, id, "x", json_integer(2)), 0);
	assert_int_equal(output_find(f->engine, id, "x", &again), 0);
	assert_int_equal(again, output); /* it is the same file still */
	assert_int_equal(output_get(f->engine, output, name, &stack_id, &value, &time), 0);
	assert_string_equal(name, "x");
	assert_int_equal(stack_id, id);
	assert_int_equal(json_integer_value(value), 2);
	json_decref(value);
	assert_int_equal(event_last(f->engine), 3);
	assert_int_equal(output_delete(f->engine, &f->alice, id, "x", &f->fault), 0);
	assert_int_equal(output_delete(f->engine, &f->alice, id, "x", &f->fault), -ENOENT);
	assert_int_equal(output_get(f->engine, output, NULL, NULL, NULL, NULL), -ENOENT);
	assert_int_equal(output_find(f->engine, id, "x", &output), -ENOENT);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), token;
	struct lock_request request = { .kind = LOCK_DURABLE };

	assert_int_equal(set(f, &f->alice, id, "../x", json_true()), -EINVAL);
	assert_int_equal(lock_acquire(f->engine, &f->bob, lock_of_stack(id), &request, &f->fault, &token), 0);
	assert_int_equal(set(f, &f->alice, id, "x", json_true()), -EBUSY);
	assert_contains(f->fault.text, "54322 (uid 54322)");
	assert_int_equal(set(f, &f->root, id, "x", json_true()), -EBUSY);
	assert_int_equal(set(f, &f->bob, id, "x", json_true()), 0);
	assert_int_equal(output_delete(f->engine, &f->alice, id, "x", &f->fault), -EBUSY);
	assert_int_equal(set(f, NULL, id, "y", json_true()), 0);
	assert_int_equal(lock_release(f->engine, &f->bob, lock_of_stack(id), 0, &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0755, NULL), 0);
	assert_int_equal(set(f, &f->bob, id, "x", json_true()), -EACCES);
	assert_int_equal(set(f, &f->alice, 999, "x", json_true()), -ENOENT);
}

static char *row_value(struct fixture *f, int64_t id)
{
	struct query *query = query_begin(f->engine->store, SQL_OUTPUT_GET, "i", id);
	char *text;

	assert_int_equal(query_step(query), 1);
	text = strdup(query_text(query, 2));
	query_end(query);
	return text;
}

static void test_sensitive(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), output;
	CLEANUP(cleanup_free) char *lines = NULL, *json = NULL, *row = NULL, *again = NULL, *other = NULL;
	json_auto_t *text = json_string("hunter22"), *number = json_integer(7);
	json_t *value = NULL;

	assert_int_equal(output_set_as(f->engine, &f->alice, id, "pw", text, true, &f->fault), 0);
	assert_int_equal(set(f, &f->alice, id, "url", json_string("http://x")), 0);
	assert_int_equal(output_find(f->engine, id, "pw", &output), 0);
	assert_true(output_sensitive(f->engine, output));
	lines = SHOWN(output_show(f->engine, id, out));
	assert_string_equal(lines, "pw=<sensitive>\nurl=http://x\n");
	json = SHOWN(output_show_json(f->engine, id, out));
	assert_string_equal(json, "{\"pw\":\"<sensitive>\",\"url\":\"http://x\"}\n");
	assert_int_equal(output_get(f->engine, output, NULL, NULL, &value, NULL), 0);
	assert_string_equal(json_string_value(value), "<sensitive>");
	json_decref(value);
	row = row_value(f, output);
	assert_true(seal_is(row, strlen(row)));
	/* The same again is the same row. */
	assert_int_equal(output_set(f->engine, &f->alice, id, "pw", text, &f->fault), 0);
	again = row_value(f, output);
	assert_string_equal(row, again);
	/* It stays sensitive, whoever sets it: bob may write here, and not read. */
	assert_int_equal(output_set(f->engine, &f->bob, id, "pw", number, &f->fault), 0);
	other = row_value(f, output);
	assert_true(seal_is(other, strlen(other)));
	assert_int_equal(output_value(f->engine, &f->bob, output, &f->fault, &value), -EACCES);
	assert_contains(f->fault.text, "54321");
	assert_int_equal(output_value(f->engine, &f->alice, output, &f->fault, &value), 0);
	assert_int_equal(json_integer_value(value), 7);
	json_decref(value);
	assert_int_equal(output_value(f->engine, &f->root, output, &f->fault, &value), 0);
	json_decref(value);
}

static void test_made_sensitive(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), output, before;
	struct store_change change = { 0 };
	json_t *value;

	assert_int_equal(set(f, &f->alice, id, "pw", json_string("hunter22")), 0);
	assert_int_equal(output_find(f->engine, id, "pw", &output), 0);
	before = event_last(f->engine);
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(output_note_read(f->engine, &f->bob, output), 0);
	assert_int_equal(event_last(f->engine), before); /* that is no secret */
	assert_int_equal(output_make_sensitive(f->engine, &f->alice, output, &f->fault), 0);
	assert_int_equal(output_make_sensitive(f->engine, &f->alice, output, &f->fault), 0);
	assert_int_equal(event_last(f->engine), before + 1);
	assert_int_equal(output_note_read(f->engine, &f->alice, output), 0);
	assert_int_equal(event_last(f->engine), before + 2);
	assert_int_equal(output_value(f->engine, &f->bob, output, &f->fault, &value), -EACCES);
	assert_int_equal(output_make_sensitive(f->engine, &f->alice, 999, &f->fault), -ENOENT);
	/* What is damaged says so. */
	assert_int_equal(store_run(f->engine->store, SQL_OUTPUT_RESEAL, "is", output, "sealed:1:1:AAAA"), 0);
	assert_int_equal(store_change_end(&change), 0);
	assert_int_equal(output_value(f->engine, &f->alice, output, &f->fault, &value), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_show),
		TEST(test_raw),
		TEST(test_set_and_delete),
		TEST(test_refusals),
		TEST(test_sensitive),
		TEST(test_made_sensitive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
