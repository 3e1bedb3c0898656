/* SPDX-License-Identifier: MIT */
/* Lines of a lock's control file. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <string.h>

#include "engine/lock.h"

static void waited(void *userdata, int result, int64_t token, const struct fault *fault)
{
	*(int *)userdata = result == 0 ? 1 : result;
}

static int say_as(struct fixture *f, struct caller *caller, int64_t id, const char *line)
{
	struct lock_wait *wait;
	static int result;
	int r;

	f->fault = (struct fault){ 0 };
	r = lock_command(
		f->engine, caller, lock_of_stack(id), line, strlen(line), waited, &result, &f->fault, &wait);
	assert_null(wait);
	return r;
}

static void test_good_lines(void **state)
{
	static const struct {
		const char *line, *reason, *operation, *by;
		int64_t ttl;
	} rows[] = {
		{ "Deploying v2\n", "Deploying v2", "", "", 3600000 },
		{ "don't touch", "don't touch", "", "", 3600000 },
		{ "reason=\"Deploying v2\" operation=deploy ttl=30m by=deploy-bot", "Deploying v2", "deploy",
			"deploy-bot", 1800000 },
		{ "reason='a \"b\"' by=\"x\\\"y\"", "a \"b\"", "", "x\"y", 3600000 },
		{ "ttl=90 reason=", "", "", "", 90000 },
		{ "unlocking the doors", "unlocking the doors", "", "", 3600000 },
		{ "a=b=", NULL },
	};
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	for (size_t i = 0; rows[i].reason; i++) {
		struct lock lock;

		if (say_as(f, &f->alice, id, rows[i].line) < 0)
			fail_msg("%s: %s", rows[i].line, f->fault.text);
		assert_int_equal(lock_get(f->engine, lock_of_stack(id), &lock), 1);
		assert_string_equal(lock.reason, rows[i].reason);
		assert_string_equal(lock.operation, rows[i].operation);
		assert_string_equal(lock.by, rows[i].by);
		assert_int_equal((lock.expires_ms - lock.since_ms) / 1000, rows[i].ttl / 1000);
		assert_int_equal(say_as(f, &f->alice, id, "unlock\n"), 0);
	}
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *line, *part;
	} rows[] = {
		{ "", "echo" },
		{ "  \n", "echo" },
		{ "reason=x colour=red", "colour= is unknown" },
		{ "raeson=x", "did you mean reason=?" },
		{ "Deploying v2 ttl=30m", "put quotes" },
		{ "reason=\"x", "quote" },
		{ "ttl=soon", "ttl=soon" },
		{ "ttl=0", "ttl=0" },
		{ "ttl=1m ttl=2m", "twice" },
		{ "unlock now", "no name=" },
		{ "unlock reason=x", "unlock does not take reason=" },
		{ "renew wait=1s", "renew does not take wait=" },
		{ "a\nb", "one line" },
	};
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	char line[1024] = "reason=";
	struct lock lock;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(say_as(f, &f->alice, id, rows[i].line), -EINVAL);
		assert_contains(f->fault.text, rows[i].part);
	}
	memset(line + 7, 'x', 300);
	assert_int_equal(say_as(f, &f->alice, id, line), -EINVAL);
	assert_contains(f->fault.text, "300 bytes");
	assert_int_equal(say_as(f, &f->alice, id, "reason=\xff\xfe"), -EINVAL);
	assert_int_equal(lock_get(f->engine, lock_of_stack(id), &lock), 0);
}

static void test_verbs(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct lock lock;

	assert_int_equal(say_as(f, &f->bob, id, "unlock"), -ENOENT);
	assert_int_equal(say_as(f, &f->bob, id, "mine"), 0);
	assert_int_equal(say_as(f, &f->alice, id, "mine"), -EBUSY);
	assert_int_equal(say_as(f, &f->bob, id, "renew ttl=2h"), 0);
	assert_int_equal(lock_get(f->engine, lock_of_stack(id), &lock), 1);
	assert_int_equal((lock.expires_ms - lock.since_ms) / 1000, 7200);
	assert_string_equal(lock.reason, "mine");
	assert_int_equal(say_as(f, &f->alice, id, "force"), -EINVAL);
	assert_int_equal(say_as(f, &f->bob, id, "force reason=x"), -EPERM);
	assert_int_equal(say_as(f, &f->alice, id, "force reason=\"he is away\""), 0);
	assert_int_equal(lock_get(f->engine, lock_of_stack(id), &lock), 0);
}

static void test_wait(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct lock_wait *wait;
	struct lock lock;
	int result = 0;

	assert_int_equal(say_as(f, &f->bob, id, "mine"), 0);
	assert_int_equal(lock_command(f->engine, &f->alice, lock_of_stack(id), "wait=60s reason=next", 20,
				 waited, &result, &f->fault, &wait),
		0);
	assert_non_null(wait);
	assert_int_equal(say_as(f, &f->bob, id, "unlock"), 0);
	fixture_turn(f);
	assert_int_equal(result, 1);
	assert_int_equal(lock_get(f->engine, lock_of_stack(id), &lock), 1);
	assert_string_equal(lock.reason, "next");
	assert_int_equal(lock.uid, f->alice.uid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good_lines),
		TEST(test_bad_lines),
		TEST(test_verbs),
		TEST(test_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
