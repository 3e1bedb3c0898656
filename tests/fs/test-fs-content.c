/* SPDX-License-Identifier: MIT */
/* Which opens the kernel's page cache may serve. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fs/content.h"

static const int here, there; /* mounts */
enum { OLD = CONTENT_REST_MS, NEW = 0 };

static void test_same_content_keeps_pages(void **state)
{
	struct content_table *table = *state;
	bool same = true;

	assert_true(content_open(table, 7, &here, "one", 3, OLD, 1, &same));
	assert_false(same);
	assert_true(content_open(table, 7, &here, "one", 3, OLD, 1, &same));
	assert_true(same);
	content_close(table, 7);
	content_close(table, 7);
	assert_true(content_open(table, 7, &here, "one", 3, OLD, 1, &same));
	assert_true(same);
	content_close(table, 7);
}

/* Pages of one mount are not those of another, and who reads through the socket makes none. */
static void test_each_mount_has_its_pages(void **state)
{
	struct content_table *table = *state;
	bool same = true;

	assert_true(content_open(table, 7, &here, "one", 3, OLD, 1, &same));
	content_close(table, 7);
	assert_true(content_open(table, 7, &there, "one", 3, OLD, 1, &same));
	assert_false(same);
	content_close(table, 7);
	assert_true(content_open(table, 7, &here, "one", 3, OLD, 1, &same));
	assert_false(same);
	assert_true(content_open(table, 7, &here, "one", 3, OLD, 1, &same));
	assert_true(same);
	content_close(table, 7);
	content_close(table, 7);
}

/* While one reader sees the old content, a new one must not share pages with it. */
static void test_other_content_is_not_shared(void **state)
{
	struct content_table *table = *state;
	bool same = true;

	assert_true(content_open(table, 8, &here, "old", 3, OLD, 1, &same));
	assert_false(content_open(table, 8, &here, "new", 3, OLD, 1, &same));
	content_close(table, 8);
	assert_false(content_open(table, 8, &here, "new", 3, OLD, 1, &same));
	assert_true(content_open(table, 8, &here, "new", 3, OLD, 1 + CONTENT_REST_MS, &same));
	assert_false(same);
	content_close(table, 8);
}

/* Of a file that was not looked at before, it is known by its time. */
static void test_what_is_new_is_not_cached(void **state)
{
	struct content_table *table = *state;
	bool same = true;

	assert_false(content_knows(table, 8));
	assert_false(content_open(table, 8, &here, "new", 3, NEW, 500, &same));
	assert_true(content_knows(table, 8));
	assert_false(content_open(table, 8, &here, "new", 3, OLD, 499 + CONTENT_REST_MS, &same));
	assert_true(content_open(table, 8, &here, "new", 3, NEW, 500 + CONTENT_REST_MS, &same));
	assert_false(same);
	content_close(table, 8);
}

/* Who may be reading it would read its end by the size of what comes next. */
static void test_what_changes_is_not_cached(void **state)
{
	struct content_table *table = *state;
	bool same = true;

	assert_true(content_open(table, 8, &here, "old", 3, OLD, 1, &same));
	content_close(table, 8);
	assert_false(content_open(table, 8, &here, "newer", 5, OLD, 500, &same));
	assert_false(content_open(table, 8, &here, "newer", 5, OLD, 499 + CONTENT_REST_MS, &same));
	assert_true(content_open(table, 8, &here, "newer", 5, OLD, 500 + CONTENT_REST_MS, &same));
	assert_false(same);
	content_close(table, 8);
	assert_true(content_open(table, 8, &here, "newer", 5, OLD, 500 + CONTENT_REST_MS, &same));
	assert_true(same);
	content_close(table, 8);
}

static void test_the_size_is_the_readers(void **state)
{
	struct content_table *table = *state;
	bool same;

	assert_int_equal(content_size_told(table, 8, 5, 1), 5);
	assert_true(content_open(table, 8, &here, "old", 3, OLD, 1, &same));
	assert_int_equal(content_size_told(table, 8, 5, 2), 3);
	assert_int_equal(content_size_told(table, 9, 5, 2), 5);
	/* For as long as reading takes, and not for as long as somebody keeps it open. */
	assert_int_equal(content_size_told(table, 8, 5, 1 + CONTENT_READING_MS), 5);
	content_close(table, 8);
	assert_int_equal(content_size_told(table, 8, 5, 2), 5);
}

/* When the file shrinks the kernel puts zeros behind its end. */
static void test_pages_are_no_good_after_a_smaller_size(void **state)
{
	struct content_table *table = *state;
	bool same = true;

	assert_true(content_open(table, 7, &here, "three", 5, OLD, 1, &same));
	content_close(table, 7);
	content_told(table, 7, 5);
	assert_true(content_open(table, 7, &here, "three", 5, OLD, 1, &same));
	assert_true(same);
	content_close(table, 7);
	content_told(table, 7, 4);
	assert_true(content_open(table, 7, &here, "three", 5, OLD, 1, &same));
	assert_false(same);
	assert_true(content_open(table, 7, &here, "three", 5, OLD, 1, &same));
	assert_true(same);
	content_close(table, 7);
	content_close(table, 7);
}

static void test_large_content_is_never_cached(void **state)
{
	struct content_table *table = *state;
	char *large = calloc(1, CONTENT_CACHED_MAX + 1);
	bool same;

	assert_non_null(large);
	assert_true(content_open(table, 9, &here, large, CONTENT_CACHED_MAX, OLD, 1, &same));
	content_close(table, 9);
	assert_false(content_open(table, 9, &here, large, CONTENT_CACHED_MAX + 1, OLD, 1, &same));
	free(large);
}

/* Numbers that share a slot of the table take turns. */
static void test_collisions_are_safe(void **state)
{
	struct content_table *table = *state;
	bool same;

	for (uint64_t number = 100; number < 20000; number++) {
		if (!content_open(table, number, &here, "x", 1, OLD, 1, &same))
			continue;
		assert_false(same);
	}
}

static int setup(void **state)
{
	*state = content_table_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	content_table_free(*state);
	return 0;
}

/* Whoever opens it with O_TRUNC makes its size 0 for all that the kernel reads from its pages. */
static void test_what_may_be_written_is_not_cached(void **state)
{
	struct content_table *table = *state;
	bool same = true;

	content_write_begin(table, 11);
	assert_false(content_open(table, 11, &here, "one", 3, OLD, 5000, &same));
	content_write_begin(table, 11);
	content_write_end(table, 11);
	assert_false(content_open(table, 11, &here, "one", 3, OLD, 5000, &same));
	content_write_end(table, 11);
	assert_true(content_open(table, 11, &here, "one", 3, OLD, 5000, &same));
	content_close(table, 11);
}

static void test_who_may_be_reading_is_known(void **state)
{
	struct content_table *table = *state;
	bool same = true;

	assert_false(content_being_read(table, 12, 5000));
	assert_true(content_open(table, 12, &here, "one", 3, OLD, 5000, &same));
	assert_true(content_being_read(table, 12, 5000));
	assert_false(content_being_read(table, 13, 5000));
	/* He has gone away with the file open. */
	assert_false(content_being_read(table, 12, 5000 + CONTENT_CUT_MS));
	content_close(table, 12);
	assert_false(content_being_read(table, 12, 5000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_content_keeps_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_mount_has_its_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_content_is_not_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_new_is_not_cached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_changes_is_not_cached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_may_be_written_is_not_cached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_may_be_reading_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_size_is_the_readers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages_are_no_good_after_a_smaller_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_content_is_never_cached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_collisions_are_safe, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
