/* SPDX-License-Identifier: MIT */
/* What may be fixed without anybody asking, and when: with a clock of the tests' own. */
#include "tests/engine/motd.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "engine/auto-fix.h"
#include "engine/lock.h"
#include "engine/run.h"

static const int64_t second = 1000, minute = 60000, hour = 3600000, day = 86400000;

static void settings(struct fixture *f, int64_t stack, const char *text)
{
	if (stack_set_text(f->engine, &f->alice, stack, STACK_CONFIG, text, strlen(text), &f->fault) < 0)
		fail_msg("%s", f->fault.text);
}

/* What there is to do so long from now: "file//etc/motd mode", a line each; else "later WAITS" or "". */
static char *at(struct fixture *f, int64_t id, int64_t later_ms)
{
	CLEANUP(auto_fix_done) struct auto_fix fix = { 0 };
	const char *label, *property;
	json_t *properties, *value;
	struct stack stack;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(stack_get(f->engine, id, &stack), 0);
	assert_int_equal(auto_fix_look(f->engine, &stack, time_now_ms() + later_ms, &fix), 0);
	json_object_foreach (fix.due, label, properties)
		json_object_foreach (properties, property, value)
			fprintf(out, "%s %s\n", label, property);
	if (!json_object_size(fix.due) && fix.next_ms)
		fprintf(out, "%s %s", fix.next_ms == INT64_MAX ? "never" : "later", fix.waits);
	fclose(out);
	return text;
}

#define assert_at(f, stack, later, expected)                                                                 \
	do {                                                                                                 \
		char *text_ = at(f, stack, later);                                                           \
		assert_string_equal(text_, expected);                                                        \
		free(text_);                                                                                 \
	} while (0)

static const char motd_mode[] = "file//etc/motd mode\n";

static void begun(struct fixture *f, int64_t id, int64_t run, int64_t later_ms)
{
	json_auto_t *due = json_pack("{s:{s:b}}", "file//etc/motd", "mode", 1);
	struct stack stack;

	assert_int_equal(stack_get(f->engine, id, &stack), 0);
	assert_int_equal(auto_fix_begun(f->engine, &stack, run, due, time_now_ms() + later_ms, NULL), 0);
}

static void test_off(void **state)
{
	struct fixture *f = *state;
	int64_t stack;

	motd_new(f, &stack);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_at(f, stack, day, "");
	settings(f, stack, "auto_fix: off\n");
	assert_at(f, stack, day, "");
	settings(f, stack, "auto_fix: critical\n");
	assert_at(f, stack, minute, motd_mode);
}

static void test_severity(void **state)
{
	struct fixture *f = *state;
	int64_t stack;

	motd_new(f, &stack);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0); /* medium */
	settings(f, stack, "auto_fix: low\n");
	assert_at(f, stack, minute, "");
	settings(f, stack, "auto_fix: medium\n");
	assert_at(f, stack, minute, motd_mode);
	settings(f, stack, "auto_fix: high\n");
	assert_at(f, stack, minute, motd_mode);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *settings;
		bool meant;
	} rows[] = {
		{ "auto_fix_only: file/*\n", true },
		{ "auto_fix_only: [package/*, /etc/motd]\n", true },
		{ "auto_fix_only: package/*\n", false },
		{ "auto_fix_except: file//etc/mo?d\n", false },
		{ "auto_fix_except: ['/etc/*']\n", false },
		{ "auto_fix_except: [file/, motd, /etc]\n", true },
		{ "auto_fix_only: ['*']\nauto_fix_except: ['/etc/*']\n", false },
	};
	struct fixture *f = *state;
	int64_t stack;

	motd_new(f, &stack);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), "auto_fix: high\n%s", rows[i].settings);
		settings(f, stack, text);
		assert_at(f, stack, minute, rows[i].meant ? motd_mode : "");
	}
}

static void test_delay(void **state)
{
	struct fixture *f = *state;
	int64_t stack;

	motd_new(f, &stack);
	settings(f, stack, "auto_fix: high\nauto_fix_delay: 10m\n");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_at(f, stack, 0, "later delay");
	assert_at(f, stack, 9 * minute, "later delay");
	assert_at(f, stack, 10 * minute, motd_mode);
}

/* What is not the world's doing, or nobody can say. */
static void test_left_alone(void **state)
{
	static const char unknown[] =
		"[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"unknown\", "
		"\"actual\": null, \"error\": \"no\", \"findings\": []}]";
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);
	struct drift_target target = { .resource_id = id };

	settings(f, stack, "auto_fix: high\n");
	assert_int_equal(
		motd_take(f, NULL, stack,
			MOTD("unapplied", "{}",
				"{\"property\": \"owner\", \"kind\": \"configuration\", \"severity\": "
				"\"low\", "
				"\"expected\": \"a\", \"actual\": \"b\", \"cause\": \"unapplied\"}")),
		0);
	assert_at(f, stack, minute, "");
	assert_int_equal(motd_take(f, NULL, stack,
				 MOTD("drifted", "{}",
					 "{\"property\": \"needs x\", \"kind\": \"dependency\", "
					 "\"severity\": \"low\", "
					 "\"expected\": \"a\", \"actual\": \"b\", \"cause\": \"changed\"}")),
		0);
	assert_at(f, stack, minute, "");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_at(f, stack, minute, motd_mode);
	assert_int_equal(motd_take(f, NULL, stack, unknown), 0);
	assert_at(f, stack, minute, "");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_at(f, stack, minute, motd_mode);
	assert_int_equal(drift_ignore(f->engine, &f->alice, stack, &target, "", 0, &f->fault), 0);
	assert_at(f, stack, minute, "");
}

/* What somebody else has put into the stack is never done with the owner's rights. */
static void test_not_the_owners(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");

	settings(f, stack, "auto_fix: high\n");
	motd_applied(f, &f->alice, stack, "file", "/etc/motd", "{\"mode\": \"0644\"}");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_at(f, stack, minute, motd_mode);
	fixture_sql(f, "UPDATE resources SET uid = 12345");
	assert_at(f, stack, minute, "");
	fixture_sql(f, "UPDATE resources SET uid = 0");
	assert_at(f, stack, minute, motd_mode);
}

static void test_back_off(void **state)
{
	struct fixture *f = *state;
	int64_t stack, now = 0, wait = minute;

	motd_new(f, &stack);
	settings(f, stack, "auto_fix: high\nauto_fix_delay: 0\nauto_fix_budget: 1000\n");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	for (int i = 0; i < 9; i++) {
		begun(f, stack, 0, now);
		assert_at(f, stack, now + wait - second, "later back-off");
		now += wait + second;
		assert_at(f, stack, now, motd_mode);
		wait = 2 * wait > hour ? hour : 2 * wait;
	}
	assert_int_equal(wait, hour);
	fixture_restart(f);
	begun(f, stack, 0, now);
	assert_at(f, stack, now + hour - second, "later back-off");
	/* A quiet day, and it is the first again. */
	now += day + second;
	begun(f, stack, 0, now);
	assert_at(f, stack, now + minute - second, "later back-off");
	assert_at(f, stack, now + minute + second, motd_mode);
	/* Who puts the clock back does not stop it for long. */
	assert_at(f, stack, now - day, motd_mode);
}

static void test_budget(void **state)
{
	struct fixture *f = *state;
	int64_t stack;

	motd_new(f, &stack);
	settings(f, stack, "auto_fix: high\nauto_fix_delay: 0\nauto_fix_budget: 3\n");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	begun(f, stack, 0, 0);
	begun(f, stack, 0, hour);
	assert_at(f, stack, 3 * hour, motd_mode);
	begun(f, stack, 0, 3 * hour);
	assert_at(f, stack, 23 * hour, "later budget");
	assert_at(f, stack, day + second, motd_mode);
	begun(f, stack, 0, day + second);
	assert_at(f, stack, day + 2 * minute, "later budget");
	assert_at(f, stack, day + hour + second, motd_mode);
	/* What is older than some days is forgotten. */
	begun(f, stack, 0, 10 * day);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM auto_fixes"), 1);
}

static void test_quiet(void **state)
{
	struct fixture *f = *state;
	int64_t stack, noon, now = time_now_ms();
	char text[32], time[32];

	setenv("TZ", "UTC", 1);
	snprintf(text, sizeof(text), "%.10sT12:00:00Z", time_format(now, time));
	assert_int_equal(time_parse(text, &noon), 0);
	noon += day - now;
	motd_new(f, &stack);
	settings(f, stack, "auto_fix: high\nauto_fix_delay: 0\nauto_fix_quiet: '12:00-14:00'\n");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_at(f, stack, noon - minute, motd_mode);
	assert_at(f, stack, noon + minute, "later quiet hours");
	assert_at(f, stack, noon + 2 * hour + second, motd_mode);
	settings(f, stack,
		"auto_fix: high\nauto_fix_delay: 0\nauto_fix_quiet: ['00:00-12:00', '12:00-24:00']\n");
	assert_at(f, stack, noon, "never quiet hours");
}

static void test_flapping(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);
	struct drift_target target = { .resource_id = id };

	settings(f, stack, "auto_fix: high\nflapping_count: 2\n");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_at(f, stack, minute, "");
	assert_int_equal(drift_acknowledge(f->engine, &f->alice, stack, &target, "I know", &f->fault), 0);
	assert_at(f, stack, minute, motd_mode);
}

/* It may flap all the same when it was only the automatic fixes that brought it about. */
static void test_own_fixes_calm_nothing(void **state)
{
	struct fixture *f = *state;
	struct caller run = f->alice;
	int64_t stack;

	motd_new(f, &stack);
	settings(f, stack, "auto_fix: high\nflapping_count: 3\n");
	run.run_id = 7;
	begun(f, stack, 7, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
		assert_int_equal(motd_take(f, &run, stack, IN_SYNC), 0);
	}
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings WHERE flapping_ms > 0"), 1);
	assert_at(f, stack, minute, "");
}

static void test_blocked(void **state)
{
	struct lock_request request = { .kind = LOCK_DURABLE, .reason = "work" };
	struct fixture *f = *state;
	int64_t stack, token;
	bool blocked;
	struct run run;

	motd_new(f, &stack);
	assert_int_equal(auto_fix_is_blocked(f->engine, stack, &blocked), 0);
	assert_false(blocked);
	/* Also the owner's own. */
	assert_int_equal(
		lock_acquire(f->engine, &f->alice, lock_of_stack(stack), &request, &f->fault, &token), 0);
	assert_int_equal(auto_fix_is_blocked(f->engine, stack, &blocked), 0);
	assert_true(blocked);
	assert_int_equal(lock_release(f->engine, &f->alice, lock_of_stack(stack), 0, &f->fault), 0);
	assert_int_equal(auto_fix_is_blocked(f->engine, stack, &blocked), 0);
	assert_false(blocked);
	assert_int_equal(run_create(f->engine, &f->alice, "a.sloth", stack, "", 0, &run), 0);
	assert_int_equal(auto_fix_is_blocked(f->engine, stack, &blocked), 0);
	assert_true(blocked);
}

/* What became of it is told once, when it is over. */
static void test_told(void **state)
{
	struct fixture *f = *state;
	int64_t id;
	struct stack stack;
	struct run run;
	bool goes_on;

	motd_new(f, &id);
	assert_int_equal(motd_take(f, NULL, id, MODE_0600), 0);
	assert_int_equal(run_create(f->engine, &f->alice, "drift-fix.sloth", id, "", 0, &run), 0);
	begun(f, id, run.id, 0);
	assert_event(f, id, "drift.auto_fix");
	assert_event(f, id, "file//etc/motd");
	assert_int_equal(stack_get(f->engine, id, &stack), 0);
	assert_int_equal(auto_fix_tell(f->engine, &stack, time_now_ms(), &goes_on), 0);
	assert_true(goes_on);
	assert_event(f, id, "drift.auto_fix\"");
	fixture_restart(f);
	assert_int_equal(run_set_status(f->engine, run.id, RUN_CANCELLED, NULL), 0);
	assert_int_equal(auto_fix_tell(f->engine, &stack, time_now_ms(), &goes_on), 0);
	assert_false(goes_on);
	assert_event(f, id, "drift.auto_fix_ended");
	assert_event(f, id, "\"left\":[\"file//etc/motd\"]");
	assert_event(f, id, "\"fixed\":[]");
	assert_int_equal(auto_fix_tell(f->engine, &stack, time_now_ms(), &goes_on), 0);
	assert_int_equal(
		fixture_query(f, "SELECT COUNT(*) FROM events WHERE type = 'drift.auto_fix_ended'"), 1);
}

static void test_shown(void **state)
{
	struct fixture *f = *state;
	json_auto_t *value = NULL;
	int64_t stack;
	char *text;

	motd_new(f, &stack);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	text = SHOWN(drift_show(f->engine, stack, out));
	assert_null(strstr(text, "Automatic"));
	free(text);
	settings(f, stack, "auto_fix: high\nauto_fix_delay: 1d\n");
	begun(f, stack, 0, 0);
	text = SHOWN(drift_show(f->engine, stack, out));
	assert_contains(text, "  Automatic Fixes:      up to high, 1 of 24 today; the next one at 2");
	assert_contains(text, " (delay)\n");
	free(text);
	assert_int_equal(drift_json(f->engine, stack, &value), 0);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(value, "auto_fix"), "severity")), "high");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_off),
		TEST(test_severity),
		TEST(test_patterns),
		TEST(test_delay),
		TEST(test_left_alone),
		TEST(test_not_the_owners),
		TEST(test_back_off),
		TEST(test_budget),
		TEST(test_quiet),
		TEST(test_flapping),
		TEST(test_own_fixes_calm_nothing),
		TEST(test_blocked),
		TEST(test_told),
		TEST(test_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
