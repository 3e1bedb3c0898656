/* SPDX-License-Identifier: MIT */
/* --set, times, and the exit status of a run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/follow.h"
#include "cli/print.h"
#include "cli/values.h"

static void expect(const char *const *assignments, const char *text)
{
	json_t *object = json_object();
	struct fault fault = { 0 };
	char *got;

	for (; *assignments; assignments++)
		assert_int_equal(values_set(object, *assignments, &fault), 0);
	got = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
	assert_string_equal(got, text);
	free(got);
	json_decref(object);
}

static void test_set(void **state)
{
	expect((const char *[]){ "a=1", NULL }, "{\"a\":1}");
	expect((const char *[]){ "a.b.c=x", "a.b.d=y", NULL }, "{\"a\":{\"b\":{\"c\":\"x\",\"d\":\"y\"}}}");
	expect((const char *[]){ "a=", "b=x=y.z", NULL }, "{\"a\":\"\",\"b\":\"x=y.z\"}");
	expect((const char *[]){ "t=true", "n=null", "l=[1,\"x\"]", NULL },
		"{\"l\":[1,\"x\"],\"n\":null,\"t\":true}");
	/* The last one counts. */
	expect((const char *[]){ "a=1", "a=2", NULL }, "{\"a\":2}");
}

/* Version numbers, telephone numbers and the like must not lose a digit. */
static void test_set_keeps_text(void **state)
{
	expect((const char *[]){ "a=1.10", "b=007", "c=0.5", "d=1e3", "e=0.1", NULL },
		"{\"a\":\"1.10\",\"b\":\"007\",\"c\":0.5,\"d\":\"1e3\",\"e\":0.1}");
	expect((const char *[]){ "a=99999999999999999999", NULL }, "{\"a\":\"99999999999999999999\"}");
	expect((const char *[]){ "a=\"5\"", NULL }, "{\"a\":\"5\"}");
}

static void refuse(const char *first, const char *assignment)
{
	json_t *object = json_object();
	struct fault fault = { 0 };

	if (first)
		assert_int_equal(values_set(object, first, &fault), 0);
	assert_int_equal(values_set(object, assignment, &fault), -EINVAL);
	assert_int_equal(fault.code, EINVAL);
	assert_non_null(strstr(fault.text, "--set"));
	json_decref(object);
}

static void test_set_refusals(void **state)
{
	refuse(NULL, "a");
	refuse(NULL, "=1");
	refuse(NULL, "a..b=1");
	refuse(NULL, "a.=1");
	refuse(NULL, "a=\xff");
	refuse("a=1", "a.b=2");
}

static void test_times(void **state)
{
	json_t *text = json_string("2026-11-21T14:03:05.123Z"), *whole = json_string("1970-01-01T00:00:01Z");
	json_t *number = json_integer(77), *bad = json_string("yesterday");

	assert_int_equal(print_ms(text), 1795269785123);
	assert_int_equal(print_ms(whole), 1000);
	assert_int_equal(print_ms(number), 77);
	assert_int_equal(print_ms(bad), 0);
	assert_int_equal(print_ms(NULL), 0);
	json_decref(text);
	json_decref(whole);
	json_decref(number);
	json_decref(bad);
}

static void test_exit_status(void **state)
{
	assert_int_equal(follow_exit_status("success"), 0);
	assert_int_equal(follow_exit_status("failed"), 1);
	assert_int_equal(follow_exit_status("interrupted"), 1);
	assert_int_equal(follow_exit_status("rolled_back"), 1);
	assert_int_equal(follow_exit_status("cancelled"), 15);
	assert_int_equal(follow_exit_status("timed_out"), 6);
	assert_int_equal(follow_exit_status(""), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_keeps_text),
		cmocka_unit_test(test_set_refusals),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_exit_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
