/* SPDX-License-Identifier: MIT */
/* What people decide about drift: whom they mean, what is ignored, known and adopted, and who may. */
#include "tests/engine/motd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/lock.h"

static struct drift_target target_of(struct fixture *f, int64_t stack, const char *name)
{
	struct drift_target target;

	if (drift_find_target(f->engine, stack, name, &f->fault, &target) < 0)
		fail_msg("%s", f->fault.text);
	return target;
}

static void test_resource_that_goes(void **state)
{
	struct fixture *f = *state;
	struct drift_target target;
	int64_t stack, id = motd_new(f, &stack);

	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(drift_find_target(f->engine, stack, "/etc/motd/owner", &f->fault, &target), 0);
	assert_int_equal(drift_ignore(f->engine, &f->alice, stack, &target, "", 0, &f->fault), 0);
	assert_int_equal(resource_delete(f->engine, &f->alice, id, &f->fault), 0);
	assert_finding(f, stack, "mode", NULL);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings WHERE resolution = 'removed'"), 1);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM drift_ignores"), 0);
	/* A report that was under way is about nothing now. */
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings WHERE status = 'pending'"), 0);
}

static void test_ignore(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack), events;
	struct drift_target mode = target_of(f, stack, "/etc/motd/mode"),
			    all = target_of(f, stack, "/etc/motd");
	char *text;

	/* What is there. */
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(
		drift_ignore(f->engine, &f->alice, stack, &mode, "by hand, for now", 0, &f->fault), 0);
	assert_finding(f, stack, "mode", "ignored");
	assert_status(f, id, "applied");
	assert_event(f, stack, "drift.ignored");
	assert_int_equal(motd_sum(f, stack).ignored, 1);
	assert_int_equal(motd_sum(f, stack).findings, 0);
	assert_int_equal(motd_sum(f, stack).in_sync, 1);
	text = SHOWN(drift_show(f->engine, stack, out));
	assert_contains(text, "Ignored:\n  file//etc/motd/mode by ");
	assert_contains(text, ": by hand, for now\n");
	assert_null(strstr(text, "Attribute: mode"));
	free(text);

	assert_int_equal(drift_adopt(f->engine, &f->alice, stack, &all, &f->fault), -ENOENT);
	assert_contains(f->fault.text, "what differs of file//etc/motd is ignored: unignore it first");

	/* What comes again: nobody is told. */
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	events = event_last(f->engine);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_finding(f, stack, "mode", "ignored");
	assert_int_equal(event_last(f->engine), events);
	assert_status(f, id, "applied");

	/* No more. */
	assert_int_equal(drift_unignore(f->engine, &f->alice, stack, &all, &f->fault), -ENOENT);
	assert_contains(f->fault.text, "file//etc/motd is not ignored");
	assert_int_equal(drift_unignore(f->engine, &f->alice, stack, &mode, &f->fault), 0);
	assert_finding(f, stack, "mode", "pending");
	assert_status(f, id, "drifted");

	/* All of it. */
	assert_int_equal(drift_ignore(f->engine, &f->alice, stack, &all, "", 0, &f->fault), 0);
	assert_finding(f, stack, "mode", "ignored");
	assert_int_equal(drift_ignore(f->engine, &f->alice, stack, &all, "", 1000, &f->fault), -EINVAL);
	assert_contains(f->fault.text, "a time that is over");
}

static void test_ignored_until(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);
	struct drift_target mode = target_of(f, stack, "/etc/motd/mode");

	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(
		drift_ignore(f->engine, &f->alice, stack, &mode, "", INT64_C(4102444800000), &f->fault), 0);
	assert_status(f, id, "applied");
	fixture_sql(f, "UPDATE findings SET until_ms = 1; UPDATE drift_ignores SET until_ms = 1");

	/* The time is over: it is drift, before anybody looks again. */
	assert_finding(f, stack, "mode", "pending");
	assert_int_equal(motd_sum(f, stack).drifted, 1);
	assert_int_equal(motd_sum(f, stack).in_sync, 0);
	assert_int_equal(motd_sum(f, stack).findings, 1);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_status(f, id, "drifted");
	assert_event(f, stack, "drift.detected");
}

static void test_acknowledge(void **state)
{
	struct fixture *f = *state;
	int64_t stack, id = motd_new(f, &stack);
	struct drift_target all = target_of(f, stack, "file//etc/motd");

	assert_int_equal(drift_acknowledge(f->engine, &f->alice, stack, &all, "", &f->fault), -ENOENT);
	assert_contains(f->fault.text, "nothing is found of file//etc/motd that differs");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(drift_acknowledge(f->engine, &f->alice, stack, &all, "on Monday", &f->fault), 0);
	assert_finding(f, stack, "mode", "acknowledged");
	assert_int_equal(motd_take(f, NULL, stack, MODE_0666), 0);
	assert_finding(f, stack, "mode", "acknowledged");
	assert_status(f, id, "drifted");
	assert_int_equal(motd_sum(f, stack).drifted, 1);
}

static void test_adopt(void **state)
{
	struct fixture *f = *state;
	CLEANUP(resource_done) struct resource resource = { 0 };
	int64_t stack, id = motd_new(f, &stack);
	struct drift_target all = target_of(f, stack, "/etc/motd");

	assert_int_equal(drift_adopt(f->engine, &f->alice, stack, &all, &f->fault), -ENOENT);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(drift_adopt(f->engine, &f->alice, stack, &all, &f->fault), 0);
	assert_finding(f, stack, "mode", NULL);
	assert_event(f, stack, "drift.adopted");
	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	assert_string_equal(resource.status, "applied");
	assert_string_equal(resource.desired,
		"{\"ensure\":\"present\",\"mode\":\"0600\",\"owner\":\"root\",\"path\":\"/etc/motd\"}");
	assert_string_equal(resource.applied, resource.desired);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM findings WHERE resolution = 'adopted'"), 1);
}

/* What is gone is to be gone; what is asked for by no property stays drift, and so do the others then. */
static void test_adopt_the_whole(void **state)
{
	struct fixture *f = *state;
	CLEANUP(resource_done) struct resource resource = { 0 };
	int64_t stack, id = motd_new(f, &stack);
	struct drift_target all = target_of(f, stack, "/etc/motd");

	assert_int_equal(
		motd_take(f, NULL, stack,
			MOTD("drifted", "{\"mode\": \"0600\"}",
				FINDING("mode", "0644", "0600") "," FINDING("needs user/bob", "a", "b"))),
		0);
	assert_int_equal(drift_adopt(f->engine, &f->alice, stack, &all, &f->fault), -EINVAL);
	assert_contains(f->fault.text, "\"needs user/bob\" is nothing that can be asked for");
	assert_finding(f, stack, "mode", "pending");

	assert_int_equal(
		motd_take(f, NULL, stack,
			MOTD("drifted", "{\"ensure\": \"absent\"}", FINDING("", "present", "absent"))),
		0);
	assert_finding(f, stack, "mode", NULL);
	assert_int_equal(drift_adopt(f->engine, &f->alice, stack, &all, &f->fault), 0);
	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	assert_contains(resource.desired, "\"ensure\":\"absent\"");
	assert_string_equal(resource.status, "applied");
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	struct drift_target target;
	int64_t stack, id = motd_new(f, &stack);
	struct fault *fault = &f->fault;

	motd_applied(f, &f->alice, stack, "service", "web", "{\"state\": \"running\"}");
	motd_applied(f, &f->alice, stack, "package", "web", "{\"version\": \"1\"}");
	target = target_of(f, stack, "file//etc/motd/mode");
	assert_int_equal(target.resource_id, id);
	assert_string_equal(target.property, "mode");
	assert_string_equal(target_of(f, stack, "service/web").property, "");
	assert_int_equal(drift_find_target(f->engine, stack, "web", fault, &target), -EINVAL);
	assert_contains(fault->text, "say TYPE/NAME (types: package, service)");
	assert_int_equal(drift_find_target(f->engine, stack, "web/state", fault, &target), -EINVAL);
	assert_int_equal(drift_find_target(f->engine, stack, "service/web/stat", fault, &target), -ENOENT);
	assert_contains(fault->text, "service/web has no property \"stat\"; did you mean \"state\"?");
	assert_int_equal(drift_find_target(f->engine, stack, "nginx", fault, &target), -ENOENT);
	assert_contains(fault->text, "stack a has no resource \"nginx\"");
}

static void test_rights(void **state)
{
	struct fixture *f = *state;
	struct lock_request request = { .kind = LOCK_DURABLE };
	int64_t stack, token;
	struct drift_target all;

	motd_new(f, &stack);
	all = target_of(f, stack, "/etc/motd");
	assert_int_equal(stack_chmod(f->engine, &f->alice, stack, 0755, &f->fault), 0);
	assert_int_equal(motd_take(f, NULL, stack, MODE_0600), 0);
	assert_int_equal(drift_ignore(f->engine, &f->bob, stack, &all, "", 0, &f->fault), -EACCES);
	assert_int_equal(drift_unignore(f->engine, &f->bob, stack, &all, &f->fault), -EACCES);
	assert_int_equal(drift_acknowledge(f->engine, &f->bob, stack, &all, "", &f->fault), -EACCES);
	assert_int_equal(drift_adopt(f->engine, &f->bob, stack, &all, &f->fault), -EACCES);
	/* Nobody decides while somebody else has the lock; what is seen is seen all the same. */
	assert_int_equal(
		lock_acquire(f->engine, &f->root, lock_of_stack(stack), &request, &f->fault, &token), 0);
	assert_int_equal(drift_adopt(f->engine, &f->alice, stack, &all, &f->fault), -EBUSY);
	assert_int_equal(motd_take(f, NULL, stack, IN_SYNC), 0);
	assert_finding(f, stack, "mode", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_resource_that_goes),
		TEST(test_ignore),
		TEST(test_ignored_until),
		TEST(test_acknowledge),
		TEST(test_adopt),
		TEST(test_adopt_the_whole),
		TEST(test_names),
		TEST(test_rights),
	};

	return cmocka_run_group_tests_name("engine-drift-decide", tests, NULL, NULL);
}
