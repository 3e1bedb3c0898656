/* SPDX-License-Identifier: MIT */
/* Hours of the week: how they are written, and when they are over. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
/* after those, as cmocka wants it */
#include <cmocka.h>

#include "base/text.h"
#include "engine/hours.h"

static void test_texts(void **state)
{
	static const char *const good[] = { "22:00-06:00", "00:00-24:00", "Mon 08:00-18:00",
		"mon-fri 08:00-18:00", "Sat,Sun", "Fri-Mon", "Mon-Wed,Fri 23:59-00:00" };
	static const char *const bad[] = { "", "22:00", "22:00-", "22:00-22:00", "24:00-06:00", "25:00-06:00",
		"22:60-06:00", "22:00-06:00 x", "Mo 08:00-18:00", "Mon,", "Mon-", "8:00-9:00", "Mon 08:00",
		"+8:00-09:00", "never" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (hours_check(good[i]) != 0)
			fail_msg("\"%s\" is refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (hours_check(bad[i]) != -EINVAL)
			fail_msg("\"%s\" is taken", bad[i]);
}

/* When the hours that `at` is in are over; "" where it is in none, "never". */
static const char *over(const char *lines, const char *at, char ret_text[32])
{
	int64_t ms, until;

	assert_int_equal(time_parse(at, &ms), 0);
	until = hours_until(lines, ms);
	if (until == INT64_MAX)
		return "never";
	return until ? time_format(until, ret_text) : "";
}

/* 2026-11-20 is a Friday. */
static void test_ends(void **state)
{
	static const struct {
		const char *lines, *at, *end;
	} rows[] = {
		{ "22:00-06:00", "2026-11-20T21:59:59Z", "" },
		{ "22:00-06:00", "2026-11-20T22:00:00Z", "2026-11-21T06:00:00.000Z" },
		{ "22:00-06:00", "2026-11-20T05:59:59Z", "2026-11-20T06:00:00.000Z" },
		{ "22:00-06:00", "2026-11-20T06:00:00Z", "" },
		/* The days are those on which they begin. */
		{ "Fri 22:00-06:00", "2026-11-21T05:00:00Z", "2026-11-21T06:00:00.000Z" },
		{ "Fri 22:00-06:00", "2026-11-20T05:00:00Z", "" },
		{ "Fri 22:00-06:00", "2026-11-21T23:00:00Z", "" },
		{ "Sat,Sun", "2026-11-20T23:59:59Z", "" },
		{ "Sat,Sun", "2026-11-21T12:00:00Z", "2026-11-23T00:00:00.000Z" },
		/* Over the end of the week. */
		{ "Fri-Mon", "2026-11-20T12:00:00Z", "2026-11-24T00:00:00.000Z" },
		/* One goes on into another. */
		{ "Sat,Sun\n22:00-06:00", "2026-11-20T22:30:00Z", "2026-11-23T06:00:00.000Z" },
		{ "08:00-12:00\n11:00-14:00", "2026-11-20T09:00:00Z", "2026-11-20T14:00:00.000Z" },
		{ "00:00-24:00", "2026-11-20T09:00:00Z", "never" },
		{ "", "2026-11-20T09:00:00Z", "" },
	};

	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[32];
		const char *end = over(rows[i].lines, rows[i].at, text);

		assert_string_equal(end, rows[i].end);
	}
}

/* The clock is put back at 03:00 on 2026-10-25, and forward at 02:00 on 2026-03-29. */
static void test_local(void **state)
{
	char text[32];

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	assert_string_equal(over("22:00-06:00", "2026-10-24T21:00:00Z", text), "2026-10-25T05:00:00.000Z");
	assert_string_equal(over("22:00-06:00", "2026-03-28T22:00:00Z", text), "2026-03-29T04:00:00.000Z");
	assert_string_equal(over("22:00-06:00", "2026-07-01T20:30:00Z", text), "2026-07-02T04:00:00.000Z");
	assert_string_equal(over("22:00-06:00", "2026-07-01T19:30:00Z", text), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
