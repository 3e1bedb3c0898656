/* SPDX-License-Identifier: MIT */
/* Constraints on versions: the order of versions, each relation, what is refused. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <string.h>

#include "engine/constraint.h"

static const struct {
	const char *constraint, *version;
	int holds;
} rows[] = {
	{ "", "anything", 1 },
	{ ">=2.1", "2.1", 1 },
	{ ">=2.1", "2.1.0", 1 },
	{ ">=2.1", "v2.1.7", 1 },
	{ ">=2.1", "2.0.9", 0 },
	{ ">=2.1", "10.0", 1 },
	{ ">2.1", "2.1.0", 0 },
	{ ">2.1", "2.1.1", 1 },
	{ "<3", "2.99.99", 1 },
	{ "<3", "3.0", 0 },
	{ "<=3", "3.0.0", 1 },
	{ "<=3", "3.0.1", 0 },
	{ "=2", "2.0.0", 1 },
	{ "==2", "v2", 1 },
	{ "2.1", "2.1.0+build7", 1 },
	{ "2.1", "2.2", 0 },
	{ "!=2.1", "2.1.0", 0 },
	{ "!=2.1", "2.1.1", 1 },
	{ ">=2.1 <3", "2.5", 1 },
	{ ">=2.1, <3", "3.1", 0 },
	{ ">=2.1,<3,!=2.4", "2.4.0", 0 },
	/* The last number may rise. */
	{ "~>2.1", "2.9", 1 },
	{ "~>2.1", "2.0", 0 },
	{ "~>2.1", "3.0", 0 },
	{ "~>2.1.4", "2.1.9", 1 },
	{ "~>2.1.4", "2.2.0", 0 },
	{ "~>2", "2.7", 1 },
	{ "~>2", "3.0", 0 },
	{ "~2.1.4", "2.1.5", 1 },
	/* Nothing that was promised may change. */
	{ "^1.4", "1.9.9", 1 },
	{ "^1.4", "1.3", 0 },
	{ "^1.4", "2.0", 0 },
	{ "^0.4.1", "0.4.9", 1 },
	{ "^0.4.1", "0.5.0", 0 },
	{ "^0.0.3", "0.0.4", 0 },
	{ "^0.0.3", "0.0.3", 1 },
	/* Prereleases: below their release, in no range that ends before it; semver.org's own example. */
	{ "<2.0.0", "2.0.0-rc1", 1 },
	{ "^1.2", "2.0.0-rc1", 0 },
	{ "~>1.2", "2.0-alpha", 0 },
	{ ">1.0.0-alpha", "1.0.0-alpha.1", 1 },
	{ ">1.0.0-alpha.1", "1.0.0-alpha.beta", 1 },
	{ ">1.0.0-alpha.beta", "1.0.0-beta", 1 },
	{ ">1.0.0-beta", "1.0.0-beta.2", 1 },
	{ ">1.0.0-beta.2", "1.0.0-beta.11", 1 },
	{ ">1.0.0-beta.11", "1.0.0-rc.1", 1 },
	{ ">1.0.0-rc.1", "1.0.0", 1 },
	{ "=1.0.0-rc.01", "1.0.0-rc.1", 1 },
	/* What is no version is compared as a text, or not at all. */
	{ "=blue", "blue", 1 },
	{ "=blue", "green", 0 },
	{ "!=blue", "green", 1 },
	{ "!=blue", "blue", 0 },
	{ ">=1", "blue", 0 },
	{ "=1", "", 0 },
	{ ">=1", "", 0 },
	{ ">=1", "1.x", 0 },
	{ ">=1", "99999999999999999999999", 0 },
	{ ">=1", "1.2.3.4.5.6.7.8.9", 0 },
};

static void test_rows(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[CONSTRAINT_SIZE];
		struct fault fault = { 0 };

		if (constraint_parse(rows[i].constraint, &fault, text) < 0)
			fail_msg("%s: %s", rows[i].constraint, fault.text);
		if (constraint_holds(text, rows[i].version) != rows[i].holds)
			fail_msg("%s of %s is not %d", rows[i].constraint, rows[i].version, rows[i].holds);
	}
}

static void test_one_form(void **state)
{
	char text[CONSTRAINT_SIZE];

	assert_int_equal(constraint_parse("  >= 2.1 ,<3\t!=  2.4 ", NULL, text), 0);
	assert_string_equal(text, ">=2.1 <3 !=2.4");
	assert_int_equal(constraint_parse(" * ", NULL, text), 0);
	assert_string_equal(text, "");
	assert_int_equal(constraint_parse("*", NULL, text), 0);
	assert_string_equal(text, "");
}

static void test_refusals(void **state)
{
	static const char *const bad[] = { ">", ">= ", ">=x", "=>2", "2.1 |3", ">=2.", "<3;rm", "^blue",
		"1 *", "latest", "a bit newer", "~>-1", "\xff", ">=1..2", ">=1-", "(1)" };
	char text[CONSTRAINT_SIZE] = "before", large[400];
	struct fault fault = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (constraint_parse(bad[i], &fault, text) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
	assert_string_equal(text, "before");
	memset(large, '1', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(constraint_parse(large, &fault, text), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_one_form),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
