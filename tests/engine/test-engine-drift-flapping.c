/* SPDX-License-Identifier: MIT */
/* Drift that comes and goes: from when on it is flapping, and until when. */
#include "tests/engine/motd.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* It comes and goes so often. */
static void comes(struct fixture *f, int64_t stack, int times)
{
	while (times--) {
		assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
		if (times)
			assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	}
}

static bool flaps(struct fixture *f, int64_t stack)
{
	CLEANUP(finding_done) struct finding finding = { 0 };

	assert_int_equal(finding_find(f->engine, stack, "file", "/etc/motd", "mode", &finding), 0);
	return finding.flapping_ms != 0;
}

static int64_t events(struct fixture *f)
{
	return fixture_query(f, "SELECT COUNT(*) FROM events WHERE type = 'drift.flapping'");
}

static void test_begins(void **state)
{
	struct fixture *f = *state;
	int64_t stack;
	char *text;

	motd_new(f, &stack);
	comes(f, stack, 4);
	assert_false(flaps(f, stack));
	assert_int_equal(events(f), 0);
	comes(f, stack, 1); /* it is there already */
	assert_false(flaps(f, stack));
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	comes(f, stack, 1);
	assert_true(flaps(f, stack));
	assert_int_equal(events(f), 1);
	assert_event(f, stack, "\"properties\":[\"mode\"]");
	text = SHOWN(drift_show(f->engine, stack, out));
	assert_contains(text, "\n  Flapping:  since 2");
	free(text);

	/* It stays so, is told once, and survives a restart. */
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	fixture_restart(f);
	comes(f, stack, 2);
	assert_true(flaps(f, stack));
	assert_int_equal(events(f), 1);
}

static void test_window(void **state)
{
	struct fixture *f = *state;
	int64_t stack;

	motd_new(f, &stack);
	comes(f, stack, 4);
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	/* What was found before the window does not count. */
	fixture_sql(f, "UPDATE findings SET first_seen_ms = first_seen_ms - 3600001 WHERE times < 3");
	comes(f, stack, 3);
	assert_int_equal(fixture_query(f, "SELECT MAX(times) FROM findings"), 7);
	assert_true(flaps(f, stack));
	assert_int_equal(fixture_query(f, "SELECT MIN(times) FROM findings WHERE flapping_ms > 0"), 7);
}

static void test_settings(void **state)
{
	static const char config[] = "flapping_count: 2\nflapping_window: 10s\n";
	struct fixture *f = *state;
	int64_t stack;

	motd_new(f, &stack);
	assert_int_equal(stack_set_text(f->engine, &f->alice, stack, STACK_CONFIG, config, sizeof(config) - 1,
				 &f->fault),
		0);
	comes(f, stack, 1);
	assert_false(flaps(f, stack));
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	comes(f, stack, 1);
	assert_true(flaps(f, stack));
}

/* Somebody knows of it: counting begins anew. */
static void test_acknowledged(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);
	struct drift_target target = { .resource_id = id };

	comes(f, stack, 5);
	assert_true(flaps(f, stack));
	assert_int_equal(
		drift_acknowledge(f->engine, &f->alice, stack, &target, "the cron job", &f->fault), 0);
	assert_false(flaps(f, stack));
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	for (int64_t then = time_now_ms(); time_now_ms() == then;)
		;
	comes(f, stack, 4);
	assert_false(flaps(f, stack));
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	comes(f, stack, 1);
	assert_true(flaps(f, stack));
	assert_int_equal(events(f), 2);
}

/* A run of a person brings it about. */
static void test_fixed(void **state)
{
	struct fixture *f = *state;
	struct caller run = f->alice;
	int64_t stack;

	motd_new(f, &stack);
	comes(f, stack, 5);
	assert_true(flaps(f, stack));
	run.run_id = 7;
	assert_int_equal(motd_take(f, &run, stack, IN_SYNC), 0);
	comes(f, stack, 1);
	assert_false(flaps(f, stack));
}

/* What is ignored may come and go. */
static void test_ignored(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);
	struct drift_target target = { .resource_id = id };

	comes(f, stack, 1);
	assert_int_equal(drift_ignore(f->engine, &f->alice, stack, &target, "", 0, &f->fault), 0);
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	comes(f, stack, 8);
	assert_false(flaps(f, stack));
	assert_int_equal(events(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_begins), TEST(test_window), TEST(test_settings),
		TEST(test_acknowledged), TEST(test_fixed), TEST(test_ignored) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
