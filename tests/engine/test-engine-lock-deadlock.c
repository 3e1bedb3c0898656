/* SPDX-License-Identifier: MIT */
/* Several locks at once, and waits that would never end. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <string.h>

#include "engine/lock.h"

struct waiter {
	int calls, result;
	struct lock_wait *wait;
};

static void waited(void *userdata, int result, int64_t token, const struct fault *fault)
{
	struct waiter *waiter = userdata;

	waiter->calls++;
	waiter->result = result;
}

static struct lock_target stack(struct fixture *f, const char *name)
{
	return lock_of_stack(fixture_stack(f, name));
}

static int acquire(struct fixture *f, struct caller *caller, struct lock_target target)
{
	struct lock_request request = { .kind = LOCK_DURABLE };
	int64_t token;

	f->fault = (struct fault){ 0 };
	return lock_acquire(f->engine, caller, target, &request, &f->fault, &token);
}

static int wait_all(struct fixture *f, struct caller *caller, const struct lock_target *targets, size_t count,
	struct waiter *waiter)
{
	struct lock_request request = { .kind = LOCK_DURABLE };
	int64_t token;

	f->fault = (struct fault){ 0 };
	return lock_wait_all(f->engine, caller, targets, count, &request, 60000, waited, waiter, &f->fault,
		&token, &waiter->wait);
}

static bool is_locked(struct fixture *f, struct lock_target target)
{
	struct lock lock;

	return lock_get(f->engine, target, &lock) == 1;
}

static void test_all_or_none(void **state)
{
	struct fixture *f = *state;
	const struct lock_target t[] = { stack(f, "a"), stack(f, "b"), stack(f, "c") };
	const struct lock_target twice[] = { t[0], t[1], t[0] };
	struct lock_request request = { .kind = LOCK_DURABLE };
	struct waiter w = { 0 };
	int64_t token;

	assert_int_equal(acquire(f, &f->bob, t[1]), 0);
	assert_int_equal(lock_acquire_all(f->engine, &f->alice, t, 3, &request, &f->fault, &token), -EBUSY);
	assert_contains(f->fault.text, "stack b is locked");
	assert_false(is_locked(f, t[0]));
	assert_int_equal(wait_all(f, &f->alice, t, 3, &w), 0);
	assert_non_null(w.wait);
	assert_false(is_locked(f, t[2]));
	/* Who comes later waits behind it, though nobody holds that one. */
	assert_int_equal(acquire(f, &f->bob, t[2]), -EBUSY);
	assert_contains(f->fault.text, "others wait");
	assert_int_equal(lock_release(f->engine, &f->bob, t[1], 0, &f->fault), 0);
	fixture_turn(f);
	assert_int_equal(w.calls, 1);
	assert_int_equal(w.result, 0);
	for (int i = 0; i < 3; i++)
		assert_true(is_locked(f, t[i]));
	assert_int_equal(lock_release_all(f->engine, &f->bob, t, 3, &f->fault), -EPERM);
	assert_true(is_locked(f, t[0]));
	assert_int_equal(lock_release_all(f->engine, &f->alice, t, 3, &f->fault), 0);
	assert_int_equal(lock_acquire_all(f->engine, &f->alice, twice, 3, &request, &f->fault, &token), 0);
	assert_int_equal(token, 2);
}

static void test_one_leaves(void **state)
{
	struct fixture *f = *state;
	const struct lock_target t[] = { stack(f, "a"), stack(f, "b") };
	struct waiter both = { 0 }, one = { 0 };

	assert_int_equal(acquire(f, &f->bob, t[0]), 0);
	assert_int_equal(wait_all(f, &f->alice, t, 2, &both), 0);
	assert_int_equal(wait_all(f, &f->root, &t[1], 1, &one), 0);
	fixture_turn(f);
	assert_int_equal(one.calls, 0);
	/* The one in front gives up: the stack that nobody holds is the next one's. */
	lock_wait_cancel(both.wait);
	fixture_turn(f);
	assert_int_equal(both.calls, 0);
	assert_int_equal(one.calls, 1);
	assert_int_equal(one.result, 0);
}

static void test_circle(void **state)
{
	struct fixture *f = *state;
	const struct lock_target a = stack(f, "a"), b = stack(f, "b"), c = stack(f, "c");
	struct waiter w[3] = { { 0 } };

	assert_int_equal(acquire(f, &f->alice, a), 0);
	assert_int_equal(acquire(f, &f->bob, b), 0);
	assert_int_equal(acquire(f, &f->root, c), 0);
	assert_int_equal(wait_all(f, &f->alice, &b, 1, &w[0]), 0);
	assert_int_equal(wait_all(f, &f->bob, &c, 1, &w[1]), 0);
	assert_int_equal(wait_all(f, &f->root, &a, 1, &w[2]), -EDEADLK);
	assert_contains(f->fault.text, "you want stack a, which is held by 54321 (uid 54321)");
	assert_contains(f->fault.text, "he waits for stack b, which is held by 54322 (uid 54322)");
	assert_contains(f->fault.text, "he waits for stack c, which you hold");
	/* Who leaves opens it. */
	lock_wait_cancel(w[1].wait);
	assert_int_equal(wait_all(f, &f->root, &a, 1, &w[2]), 0);
	assert_int_equal(lock_release(f->engine, &f->bob, b, 0, &f->fault), 0);
	fixture_turn(f);
	assert_int_equal(w[0].result, 0);
	assert_int_equal(w[0].calls, 1);
	lock_wait_cancel(w[2].wait);
}

/* One that is free, but wanted before by somebody who waits for us. */
static void test_circle_through_a_queue(void **state)
{
	struct fixture *f = *state;
	const struct lock_target a = stack(f, "a"), b = stack(f, "b");
	const struct lock_target both[] = { a, b };
	struct waiter w[2] = { { 0 } };

	assert_int_equal(acquire(f, &f->alice, b), 0);
	assert_int_equal(wait_all(f, &f->bob, both, 2, &w[0]), 0);
	assert_int_equal(wait_all(f, &f->alice, &a, 1, &w[1]), -EDEADLK);
	assert_contains(f->fault.text, "stack a, which is wanted before by 54322");
	lock_wait_cancel(w[0].wait);
}

static void test_parts_of_runs(void **state)
{
	struct fixture *f = *state;
	const struct lock_target a = stack(f, "a"), b = stack(f, "b");
	struct lock_request mine = { .kind = LOCK_RUN, .owner = 1, .part = "x" };
	struct lock_request other = { .kind = LOCK_RUN, .owner = 1, .part = "y" };
	struct lock_request second = { .kind = LOCK_RUN, .owner = 2, .part = "z" };
	struct waiter w[2] = { { 0 } };
	int64_t token;

	assert_int_equal(lock_acquire(f->engine, &f->alice, a, &mine, &f->fault, &token), 0);
	assert_int_equal(lock_acquire(f->engine, &f->bob, b, &second, &f->fault, &token), 0);
	/* Another part of the run waits; the one that holds goes on, and so this will end. */
	assert_int_equal(
		lock_wait(f->engine, &f->alice, b, &other, 0, waited, &w[0], &f->fault, &token, &w[0].wait),
		0);
	assert_int_equal(
		lock_wait(f->engine, &f->bob, a, &second, 0, waited, &w[1], &f->fault, &token, &w[1].wait),
		0);
	assert_non_null(w[1].wait);
	lock_wait_cancel(w[0].wait);
	assert_int_equal(
		lock_wait(f->engine, &f->alice, b, &mine, 0, waited, &w[0], &f->fault, &token, &w[0].wait),
		-EDEADLK);
	assert_contains(f->fault.text, "run 2 in z of 54322");
	/* The end of a run takes its waits along. */
	assert_int_equal(lock_release_run(f->engine, 2), 0);
	assert_int_equal(w[1].calls, 1);
	assert_int_equal(w[1].result, -ECANCELED);
	assert_false(is_locked(f, b));
}

static void test_crowd_is_no_circle(void **state)
{
	struct fixture *f = *state;
	const struct lock_target a = stack(f, "a");
	struct lock_request request = { .kind = LOCK_SESSION };
	struct waiter w[50] = { { 0 } };
	int64_t token;

	assert_int_equal(acquire(f, &f->alice, a), 0);
	for (uint64_t i = 0; i < 50; i++) {
		request.owner = i + 1;
		assert_int_equal(lock_wait(f->engine, i % 2 ? &f->bob : &f->root, a, &request, 0, waited,
					 &w[i], &f->fault, &token, &w[i].wait),
			0);
	}
	assert_int_equal(lock_release(f->engine, &f->alice, a, 0, &f->fault), 0);
	for (uint64_t i = 0; i < 50; i++) {
		fixture_turn(f);
		assert_int_equal(w[i].calls, 1);
		for (uint64_t k = i + 1; k < 50; k++)
			assert_int_equal(w[k].calls, 0);
		assert_int_equal(lock_release_owner(f->engine, a, LOCK_SESSION, i + 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_or_none),
		TEST(test_one_leaves),
		TEST(test_circle),
		TEST(test_circle_through_a_queue),
		TEST(test_parts_of_runs),
		TEST(test_crowd_is_no_circle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
