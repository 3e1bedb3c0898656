/* SPDX-License-Identifier: MIT */
/* Named locks: who makes them, whose they are, when they go. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <string.h>

#include "engine/lock.h"
#include "engine/named-lock.h"

static int64_t make(struct fixture *f, struct caller *caller, const char *name)
{
	int64_t id = 0;

	if (named_lock_create(f->engine, caller, name, 0666, false, &f->fault, &id) < 0)
		fail_msg("%s", f->fault.text);
	return id;
}

static int acquire(struct fixture *f, struct caller *caller, int64_t id, enum lock_kind kind, uint64_t owner,
	int64_t *ret_token)
{
	struct lock_request request = { .kind = kind, .owner = owner };

	f->fault = (struct fault){ 0 };
	return lock_acquire(f->engine, caller, lock_of_name(id), &request, &f->fault, ret_token);
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		int result;
	} rows[] = { { "db", -EEXIST }, { "", -EINVAL }, { "a b", -EINVAL }, { "x.json", -EINVAL },
		{ "ctl", -EINVAL }, { ".x", -EINVAL }, { "ctl.json", -EINVAL } };
	struct fixture *f = *state;
	struct named_lock named;
	int64_t id = make(f, &f->alice, "db");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			named_lock_create(f->engine, &f->alice, rows[i].name, 0666, false, &f->fault, &id),
			rows[i].result);
	assert_int_equal(named_lock_find(f->engine, "db", &named), 0);
	assert_int_equal(named.uid, f->alice.uid);
	assert_int_equal(named.mode, 0666);
	assert_int_equal(named_lock_find(f->engine, "none", &named), -ENOENT);
}

static void test_tokens_go_on(void **state)
{
	struct fixture *f = *state;
	int64_t first = 0, second = 0, id = make(f, &f->alice, "db");

	assert_int_equal(acquire(f, &f->bob, id, LOCK_DURABLE, 0, &first), 0);
	assert_int_equal(lock_release(f->engine, &f->bob, lock_of_name(id), 0, &f->fault), 0);
	assert_int_equal(named_lock_remove(f->engine, &f->alice, id, &f->fault), 0);
	id = make(f, &f->alice, "db");
	assert_int_equal(acquire(f, &f->bob, id, LOCK_DURABLE, 0, &second), 0);
	assert_true(second > first);
}

static void waited(void *userdata, int result, int64_t token, const struct fault *fault)
{
	*(int *)userdata = result == 0 ? 1 : result;
}

static void test_remove(void **state)
{
	struct fixture *f = *state;
	struct lock_request request = { .kind = LOCK_SESSION, .owner = 7 };
	int64_t token = 0, id = make(f, &f->alice, "db");
	struct named_lock named;
	struct lock_wait *wait;
	int result = 0;

	assert_int_equal(acquire(f, &f->bob, id, LOCK_DURABLE, 0, &token), 0);
	assert_int_equal(named_lock_remove(f->engine, &f->alice, id, &f->fault), -EPERM);
	assert_contains(f->fault.text, "lock db is locked by 54322");
	assert_int_equal(lock_wait(f->engine, &f->alice, lock_of_name(id), &request, 0, waited, &result,
				 &f->fault, &token, &wait),
		0);
	assert_non_null(wait);
	/* Released, but the name is needed. */
	assert_int_equal(named_lock_remove(f->engine, &f->bob, id, &f->fault), 0);
	fixture_turn(f);
	assert_int_equal(result, 1);
	assert_int_equal(named_lock_get(f->engine, id, &named), 0);
	assert_int_equal(lock_release_owner(f->engine, lock_of_name(id), LOCK_SESSION, 7), 0);
	assert_int_equal(named_lock_remove(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(named_lock_get(f->engine, id, &named), -ENOENT);
	assert_int_equal(acquire(f, &f->alice, id, LOCK_DURABLE, 0, &token), -ENOENT);
}

static void test_rights(void **state)
{
	struct fixture *f = *state;
	int64_t token, id = make(f, &f->alice, "db");
	struct named_lock named;

	assert_int_equal(named_lock_chmod(f->engine, &f->bob, id, 0777, &f->fault), -EPERM);
	assert_int_equal(named_lock_chmod(f->engine, &f->alice, id, 0644, &f->fault), 0);
	assert_int_equal(acquire(f, &f->bob, id, LOCK_DURABLE, 0, &token), -EACCES);
	assert_int_equal(
		named_lock_chown(f->engine, &f->alice, id, f->bob.uid, (gid_t)-1, &f->fault), -EPERM);
	assert_int_equal(named_lock_chown(f->engine, &f->root, id, f->bob.uid, (gid_t)-1, &f->fault), 0);
	assert_int_equal(acquire(f, &f->bob, id, LOCK_DURABLE, 0, &token), 0);
	assert_int_equal(named_lock_get(f->engine, id, &named), 0);
	assert_int_equal(named.uid, f->bob.uid);
	assert_int_equal(lock_force(f->engine, &f->alice, lock_of_name(id), "x", NULL, &f->fault), -EPERM);
	/* The folder lets only its group make more. */
	assert_int_equal(named_lock_need(f->engine, &f->bob, "new", false, &f->fault, &id), -EACCES);
	assert_int_equal(named_lock_need(f->engine, &f->bob, "db", false, &f->fault, &id), 0);
	assert_int_equal(named_lock_need(f->engine, &f->root, "new", false, &f->fault, &id), 0);
}

static void test_runs_hold_them(void **state)
{
	struct fixture *f = *state;
	struct lock_request request = { .kind = LOCK_RUN, .owner = 3, .part = "build" };
	struct named_lock named;
	struct lock lock;
	int64_t id = 0, token = 0;

	assert_int_equal(named_lock_need(f->engine, &f->root, "job", true, &f->fault, &id), 0);
	assert_int_equal(lock_acquire(f->engine, &f->root, lock_of_name(id), &request, &f->fault, &token), 0);
	/* Neither another part of the run nor the same once more. */
	assert_int_equal(
		lock_acquire(f->engine, &f->root, lock_of_name(id), &request, &f->fault, &token), -EBUSY);
	request.part = "test";
	assert_int_equal(
		lock_acquire(f->engine, &f->root, lock_of_name(id), &request, &f->fault, &token), -EBUSY);
	assert_contains(f->fault.text, "run 3 of ");
	fixture_restart(f);
	assert_int_equal(lock_get(f->engine, lock_of_name(id), &lock), 1);
	assert_string_equal(lock.part, "build");
	assert_int_equal(lock_release_run(f->engine, 3), 0);
	assert_int_equal(lock_get(f->engine, lock_of_name(id), &lock), 0);
	/* What a run has left behind goes when nobody can have it open. */
	assert_int_equal(named_lock_get(f->engine, id, &named), 0);
	fixture_restart(f);
	assert_int_equal(named_lock_get(f->engine, id, &named), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_tokens_go_on),
		TEST(test_remove),
		TEST(test_rights),
		TEST(test_runs_hold_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
