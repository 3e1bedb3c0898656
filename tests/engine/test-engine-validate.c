/* SPDX-License-Identifier: MIT */
/* The checks that need no process: each when all is well, and when it is not. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/deps.h"
#include "engine/lock.h"
#include "engine/resource.h"
#include "engine/run.h"
#include "engine/store/private.h"
#include "engine/validate.h"

static json_t *told;
static struct fault told_fault;
static int tellings;

static void validated(void *userdata, const json_t *report, const struct fault *fault)
{
	json_decref(told);
	told = json_deep_copy(report);
	told_fault = *fault;
	tellings++;
}

static void validate_as(struct fixture *f, struct caller *caller, int64_t stack_id)
{
	struct validation *validation;

	tellings = 0;
	assert_int_equal(
		validate_start(f->engine, NULL,
			&(struct validate_order){ .caller = caller, .stack_id = stack_id, .done = validated },
			&validation),
		0);
	assert_int_equal(tellings, 0); /* later, always */
	while (!tellings)
		ev_run(f->loop, EVRUN_ONCE);
}

/* The first result of a check: "fail: words". */
static const char *result(const char *id)
{
	static char text[1024];
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(told, "results"), i, row)
		if (!strcmp(json_string_value(json_object_get(row, "id")), id)) {
			snprintf(text, sizeof(text), "%s: %s",
				json_string_value(json_object_get(row, "status")),
				json_string_value(json_object_get(row, "message")));
			return text;
		}
	fail_msg("there is no check %s", id);
	return "";
}

static bool passed(void)
{
	return json_is_true(json_object_get(told, "passed"));
}

static void set_config(struct fixture *f, int64_t id, const char *text)
{
	if (stack_set_text(f->engine, &f->alice, id, STACK_CONFIG, text, strlen(text), &f->fault) < 0)
		fail_msg("%s", f->fault.text);
}

static void sql(struct fixture *f, const char *text)
{
	assert_int_equal(sqlite3_exec(f->engine->store->db, text, NULL, NULL, NULL), SQLITE_OK);
}

static void test_all_is_well(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *text = NULL;

	validate_as(f, &f->alice, fixture_stack(f, "a"));
	assert_true(passed());
	assert_string_equal(result("config"), "ok: Configuration syntax valid");
	assert_string_equal(result("dependencies"), "ok: All dependencies available");
	assert_string_equal(result("resources"), "ok: Required resources exist");
	assert_string_equal(result("lock"), "ok: No lock conflicts");
	assert_string_equal(result("disk"), "ok: Disk space sufficient");
	assert_string_equal(result("runs"), "ok: No unfinished runs");
	assert_string_equal(result("snapshot"), "ok: Newest version intact");
	assert_string_equal(result("database"), "ok: Database intact");
	assert_string_equal(result("workflow"), "skip: Nobody could look: no process can be started here");
	text = SHOWN(validate_show(told, out));
	assert_contains(text, "passed: a is ready for execution\n");
}

static void test_config(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	set_config(f, id, "lock_timeout: 1h\n");
	assert_int_equal(engine_turn_end(f->engine), 0);
	sql(f, "UPDATE stack_texts SET content = CAST('lock_timeot: 1h' AS BLOB) WHERE which = 'config'");
	validate_as(f, &f->alice, id);
	assert_false(passed());
	assert_contains(result("config"), "fail: config.yaml:1: there is no setting lock_timeot");
	assert_string_equal(result("lock"), "ok: No lock conflicts"); /* all are done */
	sql(f, "UPDATE stack_texts SET which = 'values', content = CAST('a: [' AS BLOB)");
	validate_as(f, &f->alice, id);
	assert_contains(result("config"), "fail: values.yaml:");
}

static void test_dependencies(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), on = fixture_stack(f, "b"), dep;

	assert_int_equal(deps_set(f->engine, &f->alice, id, "b", ">=2.0", &f->fault, &dep), 0);
	validate_as(f, &f->alice, id);
	assert_contains(result("dependencies"), "fail: Dependency b: ");
	assert_int_equal(deps_set(f->engine, &f->alice, id, "b", "", &f->fault, &dep), 0);
	validate_as(f, &f->alice, id);
	assert_true(passed());
	assert_int_equal(stack_set_status(f->engine, on, STACK_FAILED), 0);
	validate_as(f, &f->alice, id);
	assert_string_equal(result("dependencies"), "warn: Dependency b: its last run failed");
	assert_int_equal(deps_release(f->engine, &f->alice, dep, &f->fault), 0);
	validate_as(f, &f->alice, id);
	assert_string_equal(result("dependencies"), "fail: Missing dependency: b");
}

static void put_resource(
	struct fixture *f, int64_t id, const char *name, const char *status, const char *error)
{
	enum resource_result made;
	int64_t resource;
	json_auto_t *properties = json_pack("{s:s}", "path", "/etc/motd");

	if (resource_put(f->engine, &f->alice, id,
		    &(struct resource_draft){ .type = "file",
			    .name = name,
			    .properties = properties,
			    .protect = -1,
			    .status = status,
			    .error = error },
		    &f->fault, &made, &resource) < 0)
		fail_msg("%s", f->fault.text);
}

static void test_resources(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	put_resource(f, id, "motd", "failed", "no room");
	validate_as(f, &f->alice, id);
	assert_true(passed()); /* the next run puts it right */
	assert_string_equal(result("resources"), "warn: file/motd failed: no room");
	set_config(f, id, "validation:\n  strict_mode: true\n");
	validate_as(f, &f->alice, id);
	assert_false(passed());
	put_resource(f, id, "motd", "drifted", "");
	validate_as(f, &f->alice, id);
	assert_string_equal(result("resources"), "warn: file/motd has drifted");
	put_resource(f, id, "motd", "applied", "");
	validate_as(f, &f->alice, id);
	assert_true(passed());
}

static void test_lock(void **state)
{
	struct fixture *f = *state;
	struct lock_request wanted = { .kind = LOCK_DURABLE, .reason = "my upgrade" };
	int64_t id = fixture_stack(f, "a"), token;
	CLEANUP(cleanup_free) char *text = NULL;

	assert_int_equal(
		lock_acquire(f->engine, &f->alice, lock_of_stack(id), &wanted, &f->fault, &token), 0);
	validate_as(f, &f->alice, id);
	assert_true(passed());
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0700, &f->fault), 0);
	validate_as(f, &f->bob, id);
	assert_contains(result("lock"), "fail: ");
	assert_contains(result("lock"), "my upgrade");
	assert_string_equal(result("permissions"), "fail: You may not change the stack a");
	text = SHOWN(validate_show_failures(told, out));
	assert_contains(text, "validation failed, nothing was run: ");
	assert_contains(text, "; lock: ");
	assert_null(strstr(text, "disk"));
}

/* Maintenance stops what works by itself, also its holder's runs. */
static void test_maintenance(void **state)
{
	struct fixture *f = *state;
	struct lock_request wanted = { .kind = LOCK_MAINTENANCE, .reason = "new disks" };
	int64_t id = fixture_stack(f, "a"), token;

	assert_int_equal(
		lock_acquire(f->engine, &f->alice, lock_of_stack(id), &wanted, &f->fault, &token), 0);
	validate_as(f, &f->alice, id);
	assert_contains(result("lock"), "fail: ");
	assert_contains(result("lock"), "new disks");
}

static void test_disk(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	set_config(f, id, "validation:\n  min_disk_space: 1000TB\n");
	validate_as(f, &f->alice, id);
	assert_contains(
		result("disk"), "fail: Disk space insufficient where the database is: 1000TB required, ");
	set_config(f, id,
		"validation:\n  min_disk_space: 1000TB\n  check_disk_space: false\n  check_permissions: "
		"false\n");
	validate_as(f, &f->alice, id);
	assert_contains(result("disk"), "skip: ");
	assert_contains(result("permissions"), "skip: ");
	assert_true(passed());
}

static void test_runs(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct run run;

	assert_int_equal(run_create(f->engine, &f->alice, "x.sloth", id, "text", 4, &run), 0);
	validate_as(f, &f->alice, id);
	assert_string_equal(result("runs"), "warn: Run 1 (x.sloth) is queued");
	assert_true(passed());
}

static void test_damage(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	assert_int_equal(engine_turn_end(f->engine), 0);
	sql(f, "UPDATE contents SET data = CAST(zeroblob(length(data)) AS BLOB)");
	validate_as(f, &f->alice, id);
	assert_contains(result("snapshot"), "fail: The newest version of a is damaged: meta ");
}

/* A stack that goes meanwhile, and somebody who does not wait. */
static void test_gone(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), other = fixture_stack(f, "b");
	struct validate_order order = { .caller = &f->alice, .stack_id = id, .done = validated };
	struct validation *validation;

	assert_int_equal(validate_start(f->engine, NULL, &order, &validation), 0);
	assert_int_equal(stack_destroy(f->engine, &f->alice, id, &f->fault), 0);
	tellings = 0;
	while (!tellings)
		ev_run(f->loop, EVRUN_ONCE);
	assert_null(told);
	assert_int_equal(told_fault.code, ENOENT);
	assert_int_equal(validate_start(f->engine, NULL, &order, &validation), -ENOENT);
	order.stack_id = other;
	assert_int_equal(validate_start(f->engine, NULL, &order, &validation), 0);
	validate_cancel(validation);
	fixture_turn(f);
	assert_int_equal(tellings, 1);
}

static int teardown(void **state)
{
	json_decref(told);
	told = NULL;
	return fixture_free(state);
}

#define VALIDATE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_new, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VALIDATE_TEST(test_all_is_well),
		VALIDATE_TEST(test_config),
		VALIDATE_TEST(test_dependencies),
		VALIDATE_TEST(test_resources),
		VALIDATE_TEST(test_lock),
		VALIDATE_TEST(test_maintenance),
		VALIDATE_TEST(test_disk),
		VALIDATE_TEST(test_runs),
		VALIDATE_TEST(test_damage),
		VALIDATE_TEST(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
