/* SPDX-License-Identifier: MIT */
/* Outputs: setting, showing, refusals. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/lock.h"
#include "engine/output.h"

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
	assert_int_equal(lock_acquire(f->engine, &f->bob, id, &request, &f->fault, &token), 0);
	assert_int_equal(set(f, &f->alice, id, "x", json_true()), -EBUSY);
	assert_contains(f->fault.text, "54322 (uid 54322)");
	assert_int_equal(set(f, &f->root, id, "x", json_true()), -EBUSY);
	assert_int_equal(set(f, &f->bob, id, "x", json_true()), 0);
	assert_int_equal(output_delete(f->engine, &f->alice, id, "x", &f->fault), -EBUSY);
	assert_int_equal(set(f, NULL, id, "y", json_true()), 0);
	assert_int_equal(lock_release(f->engine, &f->bob, id, &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0755, NULL), 0);
	assert_int_equal(set(f, &f->bob, id, "x", json_true()), -EACCES);
	assert_int_equal(set(f, &f->alice, 999, "x", json_true()), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_show),
		TEST(test_raw),
		TEST(test_set_and_delete),
		TEST(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
