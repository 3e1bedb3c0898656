/* SPDX-License-Identifier: MIT */
/* Who waits for a lock of the tree: how that ends, and whom it does not stand in the way of. */
#include "tests/fs/world.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

static void test_lock_waits_and_interrupts(void **state)
{
	struct request waiting = { .tree = world.tree,
		.done = answered,
		.caller = { .uid = BOB, .gid = BOB, .groups_known = true } };
	struct handle *alice, *bob, *other;
	struct attr attr;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(open_path(ALICE, "/stacks/prod/lock", O_RDONLY, &alice), 0);
	assert_int_equal(open_path(BOB, "/stacks/prod/lock", O_RDWR, &bob), 0);
	as(ALICE)->caller.pid = 0;
	assert_int_equal(tree_flock(world.tree, &world.request, alice, LOCK_EX), 0);
	assert_int_equal(tree_flock(world.tree, as(BOB), bob, LOCK_EX | LOCK_NB), -EAGAIN);
	world.answers = 0;
	assert_int_equal(tree_flock(world.tree, &waiting, bob, LOCK_EX), LATER);
	assert_non_null(strstr(read_path(0, "/stacks/prod/lock"), "waiting: "));
	tree_cancel(&waiting);
	assert_int_equal(world.answers, 1);
	assert_int_equal(world.answered, -EINTR);
	assert_null(strstr(read_path(0, "/stacks/prod/lock"), "waiting: "));
	/* The next waiter has it when the descriptor is closed. */
	assert_int_equal(tree_flock(world.tree, &waiting, bob, LOCK_EX), LATER);
	tree_release(world.tree, &world.request, alice);
	while (world.answers < 2)
		ev_run(world.loop, EVRUN_ONCE);
	assert_int_equal(world.answered, 0);
	/* A write that waits holds an inode: whoever comes next is given another. */
	as(ALICE)->caller.pid = 0;
	assert_int_equal(open_path(ALICE, "/stacks/prod/lock", O_WRONLY, &alice), 0);
	world.request.caller.pid = 0;
	waiting.caller.uid = waiting.caller.gid = ALICE;
	assert_int_equal(tree_write(world.tree, &waiting, alice, 0, "wait=60s reason=x\n", 18), LATER);
	assert_int_equal(walk(0, "/stacks/prod/lock", &attr), 0);
	assert_int_not_equal(attr.number, handle_number(alice));
	tree_cancel(&waiting);
	tree_release(world.tree, &world.request, alice);
	tree_release(world.tree, &world.request, bob);
	assert_int_equal(open_path(ALICE, "/stacks/prod/status", O_RDONLY, &other), 0);
	assert_int_equal(tree_flock(world.tree, as(ALICE), other, LOCK_EX), -ENOTSUP);
	tree_release(world.tree, &world.request, other);
}

/* A user whose writes wait on all numbers of a lock file that he can get does not stand in the way of others.
 */
static void test_many_writers(void **state)
{
	enum { MANY = 300 };
	struct handle *handles[MANY];
	struct attr alice, root;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(open_path(BOB, "/stacks/prod/lock", O_WRONLY, &handles[i]), 0);
	assert_int_equal(walk(ALICE, "/stacks/prod/lock", &alice), 0);
	assert_int_equal(walk(0, "/stacks/prod/lock", &root), 0);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_not_equal(alice.number, handle_number(handles[i]));
		assert_int_not_equal(root.number, handle_number(handles[i]));
		tree_release(world.tree, &world.request, handles[i]);
	}
}

/* Who closes the file on whose lock or content he waits is told so, and is given nothing later. */
static void test_closing_ends_waits(void **state)
{
	struct request waiting = { .tree = world.tree,
		.done = answered,
		.caller = { .uid = BOB, .gid = BOB, .groups_known = true } };
	struct handle *alice, *bob;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(open_path(ALICE, "/stacks/prod/lock", O_RDWR, &alice), 0);
	assert_int_equal(open_path(BOB, "/stacks/prod/lock", O_RDWR, &bob), 0);
	as(ALICE)->caller.pid = 0;
	assert_int_equal(tree_flock(world.tree, &world.request, alice, LOCK_EX), 0);
	world.answers = 0;
	assert_int_equal(tree_flock(world.tree, &waiting, bob, LOCK_EX), LATER);
	tree_release(world.tree, as(BOB), bob);
	assert_int_equal(world.answers, 1);
	assert_int_equal(world.answered, -EINTR);
	tree_release(world.tree, as(ALICE), alice);
	assert_int_equal(engine_turn_end(world.engine), 0);
	ev_run(world.loop, EVRUN_NOWAIT);
	assert_string_equal(read_path(0, "/stacks/prod/lock"), "unlocked\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_lock_waits_and_interrupts),
		TREE_TEST(test_many_writers),
		TREE_TEST(test_closing_ends_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
