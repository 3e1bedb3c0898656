/* SPDX-License-Identifier: MIT */
/* Masking: lines, spellings, texts that come in pieces. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after those four, as cmocka wants it */
#include <cmocka.h>

#include "base/cleanup.h"
#include "engine/mask.h"

static struct mask *mask_of(const char *const *values)
{
	struct mask *mask = mask_new();

	assert_non_null(mask);
	for (; *values; values++)
		assert_int_equal(mask_add(mask, *values, strlen(*values)), 0);
	return mask;
}

static void expect(const struct mask *mask, const char *text, const char *wanted)
{
	CLEANUP(buffer_done) struct buffer masked = { 0 };

	assert_int_equal(mask_text(mask, text, strlen(text), false, &masked, NULL), 0);
	assert_string_equal(buffer_text(&masked), wanted);
	assert_int_equal(mask_hits(mask, text, strlen(text)), strcmp(text, wanted) != 0);
}

static void test_text(void **state)
{
	struct mask *mask =
		mask_of((const char *const[]){ "hunter22", "abcd", "abcdef", "one\nline two\r\nxy", NULL });

	expect(mask, "", "");
	expect(mask, "nothing here", "nothing here");
	expect(mask, "hunter22", "***");
	expect(mask, "pw=hunter22hunter22!", "pw=******!");
	expect(mask, "hunter2", "hunter2");
	expect(mask, "abcdef abcde", "*** ***e");	   /* the longest first */
	expect(mask, "line two, xy, one", "***, xy, one"); /* short lines are no secrets */
	mask_free(mask);
}

static void test_spellings(void **state)
{
	struct mask *mask = mask_of((const char *const[]){ "p@ss \"w\"", NULL });

	expect(mask, "{\"a\":\"p@ss \\\"w\\\"\"}", "{\"a\":\"***\"}");
	expect(mask, "http://u:p%40ss%20%22w%22@h", "http://u:***@h");
	expect(mask, "cEBzcyAidyI=", "***dyI="); /* base64, but for what depends on its end */
	mask_free(mask);
}

static void test_json(void **state)
{
	struct mask *mask = mask_of((const char *const[]){ "hunter22", "12345678", NULL });
	json_auto_t *value = json_pack("{s:s, s:[s, i, i, b], s:i}", "a", "x hunter22 y", "list", "ok",
		12345678, 1, 1, "hunter22", 2);
	json_auto_t *masked = mask_json(mask, value);
	CLEANUP(cleanup_free) char *text = json_dumps(masked, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, "{\"***\":2,\"a\":\"x *** y\",\"list\":[\"ok\",\"***\",1,true]}");
	assert_true(mask_hits_json(mask, value));
	assert_false(mask_hits_json(mask, masked));
	mask_free(mask);
	mask = mask_new();
	assert_int_equal(mask_add_json(mask, value), 0);
	expect(mask, "see x hunter22 y and 12345678", "see *** and ***");
	mask_free(mask);
}

/* In pieces of every size, nothing is seen that is not seen in the whole. */
static void test_pieces(void **state)
{
	static const char text[] = "abcab hunter22 huntehunter22\nhunter2 abcdef abcde abc hunter22";
	struct mask *mask = mask_of((const char *const[]){ "hunter22", "abcd", "abcdef", "22 hunte", NULL });
	CLEANUP(buffer_done) struct buffer whole = { 0 };

	assert_int_equal(mask_text(mask, text, strlen(text), false, &whole, NULL), 0);
	for (size_t size = 1; size <= strlen(text); size++) {
		CLEANUP(buffer_done) struct buffer masked = { 0 };
		CLEANUP(buffer_done) struct buffer rest = { 0 };

		for (size_t i = 0; i < strlen(text); i += size) {
			size_t n = strlen(text) - i < size ? strlen(text) - i : size, left;

			assert_int_equal(buffer_append(&rest, text + i, n), 0);
			assert_int_equal(mask_text(mask, rest.data, rest.size, true, &masked, &left), 0);
			buffer_consume(&rest, rest.size - left);
		}
		if (rest.size)
			assert_int_equal(mask_text(mask, rest.data, rest.size, false, &masked, NULL), 0);
		assert_string_equal(buffer_text(&masked), buffer_text(&whole));
	}
	mask_free(mask);
}

static void test_bounds(void **state)
{
	struct mask *mask = mask_new();
	char value[32];
	int r = 0;

	assert_int_equal(mask_add(mask, "abc", 3), 0);
	assert_true(mask_knows(mask, "abc", 3));
	assert_false(mask_hits(mask, "abc", 3));
	assert_int_equal(mask_add(mask, "a\0bc", 4), 0); /* bytes, not text */
	assert_true(mask_hits(mask, "xa\0bcx", 6));
	assert_false(mask_knows(mask, "hunter22", 8));
	for (int i = 0; i <= MASK_COUNT_MAX && r == 0; i++) {
		snprintf(value, sizeof(value), "value-%08d", i);
		r = mask_add(mask, value, strlen(value));
	}
	assert_int_equal(r, -ENOSPC);
	mask_free(mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_bounds),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
