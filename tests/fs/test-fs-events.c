/* SPDX-License-Identifier: MIT */
/* The trail in the tree: who sees what of it, archives, and reading that verifies. */
#include "tests/fs/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "engine/event.h"
#include "engine/run.h"
#include "engine/stack.h"

/* The keys of a private namespace, and a run that is bound to a private stack after it was submitted. */
static void test_events_without_stack_are_private(void **state)
{
	struct attr folder, attr;
	struct stack stack;
	struct run run;

	assert_int_equal(walk(0, "/state", &folder), 0);
	assert_int_equal(tree_mkdir(world.tree, as(0), folder.number, "vault", 0700, &attr), 0);
	assert_int_equal(make_stack(0, "secret", 0700), 0);
	assert_int_equal(stack_find(world.engine, "secret", &stack), 0);
	assert_int_equal(run_create(world.engine, &as(0)->caller, "hush.sloth", 0, "", 0, &run), 0);
	assert_int_equal(run_set_stack(world.engine, run.id, stack.id), 0);
	assert_int_equal(engine_turn_end(world.engine), 0);
	assert_non_null(strstr(read_path(0, "/events"), "namespace.created"));
	assert_non_null(strstr(read_path(0, "/events"), "hush.sloth"));
	assert_null(strstr(read_path(BOB, "/events"), "vault"));
	assert_null(strstr(read_path(BOB, "/events"), "hush"));
	assert_int_equal(walk(BOB, "/events", &attr), 0);
	assert_int_equal(attr.size, strlen(read_path(BOB, "/events")));
	/* Runs have their stack's mode: what the kernel knows of them is out of date when that changes. */
	world.stale_count = 0;
	assert_int_equal(stack_chmod(world.engine, NULL, stack.id, 0755, NULL), 0);
	assert_int_equal(engine_turn_end(world.engine), 0);
	assert_int_equal(walk(0, "/runs/1", &attr), 0);
	for (size_t i = 0; i <= world.stale_count; i++) {
		assert_int_not_equal(i, world.stale_count);
		if (world.stale[i] == attr.number)
			break;
	}
}

/* Events of a stack that one may not read are not there for him; sizes are true for everybody. */
static void test_events_are_private(void **state)
{
	char all[4096];
	struct attr attr;

	assert_int_equal(make_stack(0, "public", 0755), 0);
	assert_int_equal(make_stack(0, "secret", 0700), 0);
	snprintf(all, sizeof(all), "%s", read_path(0, "/events"));
	assert_non_null(strstr(all, "stack=secret"));
	assert_int_equal(walk(0, "/events", &attr), 0);
	assert_int_equal(attr.size, strlen(all));
	assert_null(strstr(read_path(BOB, "/events"), "secret"));
	assert_non_null(strstr(read_path(BOB, "/events"), "stack=public"));
	assert_int_equal(walk(BOB, "/events", &attr), 0);
	assert_int_equal(attr.size, strlen(read_path(BOB, "/events")));
	assert_int_equal(walk(0, "/stacks/secret", &attr), 0);
	assert_int_equal(tree_chmod(world.tree, as(0), attr.number, 0755), 0);
	assert_int_equal(engine_turn_end(world.engine), 0);
	assert_non_null(strstr(read_path(BOB, "/events"), "secret"));
}

/* The trail begins later when its beginning is archived: also for those who see a part of it. */
static void test_events_after_archiving(void **state)
{
	struct handle *handle;
	struct attr attr;
	ssize_t n;

	assert_int_equal(make_stack(0, "public", 0755), 0);
	assert_int_equal(make_stack(0, "secret", 0700), 0);
	assert_non_null(strstr(read_path(BOB, "/events"), "stack=public"));
	assert_int_equal(write_path(BOB, "/archives", "archive\n"), -EACCES);
	assert_int_equal(write_path(0, "/archives", "burn\n"), -EINVAL);
	assert_int_equal(open_path(0, "/archives", O_WRONLY, &handle), 0);
	n = tree_write(world.tree, as(0), handle, 0, "archive\n", 8);
	assert_int_equal(n, LATER);
	while (!world.answers)
		ev_run(world.loop, EVRUN_ONCE);
	assert_int_equal(world.answered, 8);
	assert_int_equal(engine_turn_end(world.engine), 0);
	tree_release(world.tree, &world.request, handle);
	assert_null(strstr(read_path(0, "/events"), "stack=public"));
	assert_non_null(strstr(read_path(BOB, "/events"), "events.archived"));
	assert_null(strstr(read_path(BOB, "/events"), "stack=public"));
	assert_int_equal(walk(BOB, "/events", &attr), 0);
	assert_int_equal(attr.size, strlen(read_path(BOB, "/events")));
	assert_string_equal(read_path(0, "/stacks/public/activity"), "");
	assert_non_null(strstr(read_path(0, "/archives"), ".jsonl.zst events="));
}

/* Reading verifies: the content comes when that is done, and a reader may leave before. */
static void test_audit_is_read(void **state)
{
	struct handle *handle;
	char text[256];

	assert_int_equal(make_stack(0, "public", 0755), 0);
	assert_int_equal(open_path(BOB, "/audit", O_RDONLY, &handle), 0);
	assert_int_equal(tree_read(world.tree, as(BOB), handle, 0, text, sizeof(text)), LATER);
	world.answers = 0;
	tree_cancel(&world.request);
	assert_int_equal(world.answers, 1);
	assert_int_equal(world.answered, -EINTR);
	assert_int_equal(tree_read(world.tree, as(BOB), handle, 2, text, sizeof(text)), LATER);
	world.answers = 0;
	while (!world.answers)
		ev_run(world.loop, EVRUN_ONCE);
	assert_true(world.answered > 0);
	text[world.answered] = '\0';
	assert_ptr_equal(strstr(text, "events, chain intact, head "), text);
	assert_int_equal(tree_read(world.tree, as(BOB), handle, 0, text, 1), 1);
	tree_release(world.tree, &world.request, handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_events_are_private),
		TREE_TEST(test_events_without_stack_are_private),
		TREE_TEST(test_events_after_archiving),
		TREE_TEST(test_audit_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
