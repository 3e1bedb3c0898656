/* SPDX-License-Identifier: MIT */
/* Drift: reports become findings, which end; what is no report. */
#include "tests/engine/motd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"

static int last_event(void *userdata, const struct event *event)
{
	snprintf(userdata, 1024, "%s", event->json);
	return 0;
}

static void test_found_and_over(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack), events;
	char *text;

	assert_int_equal(motd_sum(f, stack).checked_ms, 0);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_status(f, id, "drifted");
	assert_finding(f, stack, "mode", "pending");
	assert_event(f, stack, "drift.detected");
	assert_event(f, stack, "\"severity\":\"medium\"");
	assert_int_equal(motd_sum(f, stack).drifted, 1);
	assert_int_equal(motd_sum(f, stack).in_sync, 0);
	assert_int_equal(motd_sum(f, stack).total, 1);
	assert_int_not_equal(motd_sum(f, stack).checked_ms, 0);

	/* Another look finds the same, and leaves no trace. */
	assert_int_equal(engine_turn_end(f->engine), 0);
	events = event_last(f->engine);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_false(store_turn_dirty(f->engine->store));
	assert_int_equal(event_last(f->engine), events);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings"), 1);

	/* Another value is the same finding. */
	assert_int_equal(motd_take(f, NULL, stack, MODE_0666), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings"), 1);
	text = SHOWN(drift_show(f->engine, stack, out));
	assert_contains(text, "Resource: /etc/motd (file)\nType: Configuration Drift\nSeverity: MEDIUM\n");
	assert_contains(
		text, "Attribute: mode\n  Expected:  0644\n  Actual:    0666\n  Impact:    other rights\n");
	assert_contains(text, "Suggested Fix:\n  chmod 0644 /etc/motd\n");
	assert_contains(
		text, "Drifted Resources:    1\n  In Sync Resources:    0\n  Total Resources:      1\n");
	free(text);

	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	assert_status(f, id, "applied");
	assert_finding(f, stack, "mode", NULL);
	assert_event(f, stack, "drift.resolved");
	assert_int_equal(motd_sum(f, stack).in_sync, 1);
	text = SHOWN(drift_show_history(f->engine, stack, out));
	assert_contains(text, "by_itself file//etc/motd mode (expected: 0644, actual: 0666) after ");
	free(text);

	/* It comes again: a new finding, which knows. */
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(fixture_query(f, "SELECT MAX(times) FROM findings WHERE status = 'pending'"), 2);
}

static void test_no_values_in_the_trail(void **state)
{
	struct fixture *f = *state;
	int64_t stack;
	char text[1024] = "";

	motd_new(f, &stack);
	assert_int_equal(
		motd_take(f, NULL, stack, MOTD("drifted", "{}", FINDING("mode", "canary", "bird"))), 0);
	assert_int_equal(event_each(f->engine, 0, stack, last_event, text), 0);
	assert_null(strstr(text, "canary"));
	assert_contains(text, "\"properties\":[\"mode\"]");
}

static void test_unapplied(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);

	assert_int_equal(
		motd_take(f, NULL, stack,
			MOTD("unapplied", "{\"mode\": \"0644\"}",
				"{\"property\": \"owner\", \"kind\": \"configuration\", \"severity\": "
				"\"low\", \"expected\": \"bob\", \"actual\": null, \"cause\": "
				"\"unapplied\"}")),
		0);
	assert_status(f, id, "pending");
	assert_int_equal(motd_sum(f, stack).unapplied, 1);
	assert_int_equal(motd_sum(f, stack).drifted, 0);
}

static void test_unknown(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack), events;
	char *text;

	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(motd_take(f, NULL, stack,
				 "[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"unknown\", "
				 "\"actual\": null, \"error\": \"permission denied\", \"findings\": []}]"),
		0);
	assert_status(f, id, "unknown");
	assert_event(f, stack, "drift.unknown");
	assert_finding(f, stack, "mode", "pending"); /* nobody knows that it is over */
	assert_int_equal(motd_sum(f, stack).unknown, 1);
	assert_int_equal(motd_sum(f, stack).drifted, 0);
	text = SHOWN(drift_show(f->engine, stack, out));
	assert_contains(text, "Unknown: permission denied\n");
	free(text);
	events = event_last(f->engine);
	assert_int_equal(motd_take(f, NULL, stack,
				 "[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"unknown\", "
				 "\"error\": \"permission denied\"}]"),
		0);
	assert_int_equal(event_last(f->engine), events);
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	assert_status(f, id, "applied");
}

static void test_fixed_by_a_run(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);

	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	f->alice.run_id = 7;
	motd_applied(f, &f->alice, stack, "file", "/etc/motd",
		"{\"path\": \"/etc/motd\", \"ensure\": \"present\", \"mode\": \"0644\", \"owner\": "
		"\"root\"}");
	f->alice.run_id = 0;
	assert_status(f, id, "applied");
	assert_finding(f, stack, "mode", NULL);
	assert_event(f, stack, "drift.fixed");
	assert_event(f, stack, "\"run\":7");
	assert_int_equal(
		fixture_query(f, "SELECT COUNT(*) FROM findings WHERE resolution = 'fixed' AND run_id = 7"),
		1);
}

/* A run has tried, and could not: it has drifted as before. */
static void test_fix_that_failed(void **state)
{
	struct fixture *f = *state;
	struct resource_draft draft = { .type = "file",
		.name = "/etc/motd",
		.status = "failed",
		.error = "no space left",
		.protect = -1 };
	json_auto_t *value = NULL;
	enum resource_result result;
	int64_t stack, id = motd_new(f, &stack);
	char *text;

	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(resource_put(f->engine, &f->alice, stack, &draft, &f->fault, &result, &id), 0);
	assert_finding(f, stack, "mode", "pending");
	assert_int_equal(motd_sum(f, stack).drifted, 1);
	assert_int_equal(motd_sum(f, stack).unapplied, 0);
	assert_int_equal(motd_sum(f, stack).failed, 1);
	text = SHOWN(drift_show(f->engine, stack, out));
	assert_contains(text, "\nFailed: no space left\n");
	free(text);
	assert_int_equal(drift_json(f->engine, stack, &value), 0);
	assert_int_equal(json_array_size(json_object_get(value, "failed")), 1);
	assert_int_equal(json_array_size(json_object_get(value, "unknown")), 0);
}

static void test_plan(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack), other = motd_applied(f, &f->alice, stack, "own", "x", "{}");
	char *text;

	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	text = SHOWN(drift_show_plan(f->engine, stack, 0, out));
	assert_string_equal(text, "Drift Fix Plan for: a\n\nThe following actions will be performed:\n\n"
				  "  • /etc/motd: mode from 0600 to 0644\n");
	free(text);
	text = SHOWN(drift_show_plan(f->engine, stack, id, out));
	assert_contains(text, "• /etc/motd");
	free(text);
	text = SHOWN(drift_show_plan(f->engine, stack, other, out));
	assert_null(strstr(text, "•"));
	free(text);
}

/* A report of a moment before somebody changed the resource says nothing about it. */
static void test_late_report(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);

	assert_int_equal(motd_take(f, NULL, stack,
				 "[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"drifted\", "
				 "\"read_ms\": 1, \"actual\": {}, \"findings\": [" FINDING(
					 "mode", "0644", "0600") "]}]"),
		0);
	assert_status(f, id, "applied");
	assert_finding(f, stack, "mode", NULL);
}

static void test_bounds(void **state)
{
	struct fixture *f = *state;
	json_auto_t *rows = json_array();
	json_t *findings = json_array();
	char property[16];
	int64_t stack;
	char *lot = malloc(100001);

	motd_new(f, &stack);
	memset(lot, 'x', 100000);
	lot[100000] = '\0';
	for (int i = 0; i < 300; i++) {
		snprintf(property, sizeof(property), "p%d", i);
		json_array_append_new(
			findings, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "property", property,
					  "kind", "state", "severity", "low", "expected", i ? "a" : lot,
					  "actual", "b", "cause", "changed", "impact", lot));
	}
	free(lot);
	json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:o}", "type", "file", "name", "/etc/motd",
					    "state", "drifted", "findings", findings));
	assert_int_equal(drift_take(f->engine, NULL, stack, rows), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings"), FINDING_RESOURCE_MAX);
	assert_int_equal(fixture_query(f, "SELECT MAX(LENGTH(impact)) FROM findings"), FINDING_TEXT_MAX);
	assert_in_range(fixture_query(f, "SELECT MAX(LENGTH(expected)) FROM findings"), 70, 200);
}

/* The whole is drifted, however many of its findings are kept. */
static void test_too_many_findings(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);

	fixture_sql(f, "INSERT INTO findings (stack_id, type, name, property, kind, severity, expected, "
		       "actual, cause, "
		       "impact, fix, status, reason, until_ms, first_seen_ms, last_seen_ms, resolved_ms, "
		       "resolution, "
		       "times, run_id, uid) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
		       "WHERE i < "
		       "19999) SELECT (SELECT MAX(id) FROM stacks), 'x', 'y', i, 'state', 'low', '1', '2', "
		       "'changed', "
		       "'', '', 'pending', '', 0, 1, 1, 0, '', 1, 0, -1 FROM n");
	assert_int_equal(motd_take(f, NULL, stack,
				 MOTD("drifted", "{}", FINDING("a", "1", "2") "," FINDING("b", "1", "2"))),
		0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings"), FINDING_OPEN_MAX);
	assert_status(f, id, "drifted");
	assert_finding(f, stack, "a", "pending");
	assert_finding(f, stack, "b", NULL);
	/* One that is over makes room for another. */
	assert_int_equal(motd_take(f, NULL, stack, MOTD("drifted", "{}", FINDING("b", "1", "2"))), 0);
	assert_finding(f, stack, "a", NULL);
	assert_int_equal(motd_take(f, NULL, stack, MOTD("drifted", "{}", FINDING("b", "1", "2"))), 0);
	assert_finding(f, stack, "b", "pending");
}

static void test_history_is_bounded(void **state)
{
	struct fixture *f = *state;
	int64_t stack;

	motd_new(f, &stack);
	for (int i = 0; i < FINDING_HISTORY_MAX + 5; i++) {
		assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
		assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	}
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings"), FINDING_HISTORY_MAX);
	assert_int_equal(fixture_query(f, "SELECT MAX(times) FROM findings"), FINDING_HISTORY_MAX + 5);
}

/* What a provider of the user's own may say: its resource is unknown then, and others are looked at as ever.
 */
static void test_no_reports(void **state)
{
	struct fixture *f = *state;
	static const char *const rows[] = {
		"\"state\": \"fine\", \"findings\": []",
		"\"state\": \"drifted\", \"findings\": []",
		"\"state\": \"in_sync\", \"findings\": [" FINDING("mode", "a", "b") "]",
		"\"state\": \"drifted\", \"findings\": [7]",
		"\"state\": \"drifted\", \"findings\": [{\"property\": \"mode\", \"kind\": \"odd\", "
		"\"severity\": \"low\", \"cause\": \"changed\"}]",
		"\"state\": \"drifted\", \"actual\": 7, \"findings\": [" FINDING("mode", "a", "b") "]",
		"\"state\": \"drifted\", \"findings\": [" FINDING("x", "a", "b") "," FINDING(
			"x", "a", "b") "]",
	};
	int64_t stack, id = motd_new(f, &stack),
		       other = motd_applied(f, &f->alice, stack, "own", "thing", "{\"a\": 1}");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(resource_done) struct resource resource = { 0 };
		CLEANUP(cleanup_free) char *text = NULL;

		assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
		if (asprintf(&text,
			    "[{\"type\": \"own\", \"name\": \"thing\", %s}, {\"type\": \"file\", "
			    "\"name\": \"/etc/motd\", \"state\": \"drifted\", \"findings\": [" FINDING(
				    "mode", "0644", "0600") "]}]",
			    rows[i]) < 0)
			fail();
		assert_int_equal(motd_take(f, NULL, stack, text), 0);
		assert_int_equal(resource_get(f->engine, other, &resource), 0);
		assert_string_equal(resource.status, "unknown");
		assert_contains(resource.error, "what its provider reports is no report: ");
		assert_status(f, id, "drifted");
	}
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings WHERE type = 'own'"), 0);
}

/* All rows or none: what is about nothing leaves nothing of the rows before it. */
static void test_all_or_none(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);

	assert_int_equal(motd_take(f, NULL, stack, "{}"), -EINVAL);
	assert_int_equal(motd_take(f, NULL, 999, "[]"), -ENOENT);
	assert_int_equal(
		motd_take(f, NULL, stack,
			"[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"drifted\", "
			"\"findings\": [" FINDING("mode", "0644", "0600") "]}, {\"type\": \"file\"}]"),
		-EINVAL);
	assert_status(f, id, "applied");
	assert_finding(f, stack, "mode", NULL);
}

/* A report can't reach into another stack, by whatever id. */
static void test_of_another_stack(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack), other = fixture_stack(f, "b");
	char rows[512];

	snprintf(rows, sizeof(rows),
		"[{\"id\": %lld, \"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"drifted\", "
		"\"findings\": [" FINDING("mode", "0644", "0600") "]}]",
		(long long)id);
	assert_int_equal(motd_take(f, NULL, other, rows), 0);
	assert_status(f, id, "applied");
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings"), 0);
}

static void test_json(void **state)
{
	struct fixture *f = *state;
	json_auto_t *value = NULL, *list = NULL;
	const json_t *finding;
	int64_t stack;

	motd_new(f, &stack);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(drift_json(f->engine, stack, &value), 0);
	assert_string_equal(json_string_value(json_object_get(value, "stack")), "a");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(value, "summary"), "drifted")), 1);
	finding = json_array_get(json_object_get(value, "findings"), 0);
	assert_string_equal(json_string_value(json_object_get(finding, "path")), "file/%2Fetc%2Fmotd");
	assert_string_equal(json_string_value(json_object_get(finding, "expected")), "0644");
	assert_string_equal(json_string_value(json_object_get(finding, "status")), "pending");
	assert_int_equal(drift_history_json(f->engine, stack, &list), 0);
	assert_int_equal(json_array_size(list), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_found_and_over),
		TEST(test_no_values_in_the_trail),
		TEST(test_unapplied),
		TEST(test_unknown),
		TEST(test_fixed_by_a_run),
		TEST(test_fix_that_failed),
		TEST(test_plan),
		TEST(test_late_report),
		TEST(test_bounds),
		TEST(test_too_many_findings),
		TEST(test_history_is_bounded),
		TEST(test_no_reports),
		TEST(test_all_or_none),
		TEST(test_of_another_stack),
		TEST(test_json),
	};

	return cmocka_run_group_tests_name("engine-drift", tests, NULL, NULL);
}
