/* SPDX-License-Identifier: MIT */
/* What one user's look or name does to another's: sizes that the kernel keeps for both, sticky folders. */
#include "tests/fs/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "engine/kv.h"
#include "fs/nodes/nodes.h"

static void open_folder(const char *path, mode_t mode)
{
	struct attr attr;

	assert_int_equal(walk(0, path, &attr), 0);
	assert_int_equal(tree_chmod(world.tree, as(0), attr.number, mode), 0);
}

/* The kernel keeps attributes once for all. If who may pass a stack and not read it made them, and were told
 * a size of 0, its owner would read an empty file for a day. */
static void test_one_size_for_all(void **state)
{
	struct attr his, hers;

	open_folder("/stacks", 03777);
	assert_int_equal(make_stack(ALICE, "passable", 0711), 0);
	assert_int_equal(walk(BOB, "/stacks/passable/created", &his), 0);
	assert_int_equal(walk(ALICE, "/stacks/passable/created", &hers), 0);
	assert_false(hers.fleeting);
	assert_true(hers.size > 0);
	assert_int_equal(his.size, hers.size);
	/* What is asked for anew each time tells who may not read it nothing. */
	assert_int_equal(walk(BOB, "/stacks/passable/activity", &his), 0);
	assert_int_equal(walk(ALICE, "/stacks/passable/activity", &hers), 0);
	assert_true(his.fleeting && hers.fleeting);
	assert_true(hers.size > 0);
	assert_int_equal(his.size, 0);
}

/* Nor is the length of a secret anybody's, which the kernel would keep after its owner's look. */
static void test_the_size_of_a_secret(void **state)
{
	struct handle *handle;
	struct attr attr;

	open_folder("/secrets", 03777);
	assert_int_equal(create(ALICE, "/secrets", "key", &handle), 0);
	assert_int_equal(tree_write(world.tree, as(ALICE), handle, 0, "12345", 5), 5);
	assert_int_equal(tree_flush(world.tree, as(ALICE), handle), 0);
	tree_release(world.tree, as(ALICE), handle);
	assert_int_equal(walk(ALICE, "/secrets/key", &attr), 0);
	assert_int_equal(attr.size, 5);
	assert_true(attr.fleeting);
	assert_int_equal(walk(BOB, "/secrets/key", &attr), 0);
	assert_int_equal(attr.size, 0);
}

static void make_file(uid_t uid, const char *folder, const char *name)
{
	struct handle *handle;

	assert_int_equal(create(uid, folder, name, &handle), 0);
	assert_int_equal(tree_write(world.tree, as(uid), handle, 0, name, 1), 1);
	assert_int_equal(tree_flush(world.tree, as(uid), handle), 0);
	tree_release(world.tree, as(uid), handle);
}

/* Renaming over a name is removing it. The kernel asks that of the mount; of the socket only the tree can. */
static void test_nobody_renames_over_what_is_anothers(void **state)
{
	open_folder("/runs", 03777);
	make_file(ALICE, "/runs", ".hers.tmp");
	make_file(BOB, "/runs", ".his.tmp");
	assert_int_equal(rename_name(BOB, "/runs", ".his.tmp", ".hers.tmp"), -EPERM);
	assert_string_equal(read_path(ALICE, "/runs/.hers.tmp"), ".");
	make_file(ALICE, "/runs", ".other.tmp");
	assert_int_equal(rename_name(ALICE, "/runs", ".other.tmp", ".hers.tmp"), 0);
	assert_int_equal(rename_name(0, "/runs", ".his.tmp", ".hers.tmp"), 0);
}

/* What is put aside belongs to the document's owner, and counts for who did it: nobody fills the daemon's
 * memory with files that are another's. */
static void test_what_is_put_aside_counts(void **state)
{
	struct handle *handle;
	char name[32];

	open_folder("/stacks", 03777);
	assert_int_equal(make_stack(ALICE, "open", 0777), 0);
	world.engine->config.max_scratch_files = 3;
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "aside.%d", i);
		assert_int_equal(rename_name(BOB, "/stacks/open", "values.yaml", name), i < 3 ? 0 : -EDQUOT);
		if (i < 3) {
			assert_int_equal(create(BOB, "/stacks/open", "values.yaml", &handle), 0);
			tree_release(world.tree, as(BOB), handle);
		}
	}
	/* Nothing of that is Alice's limit. */
	make_file(ALICE, "/stacks/open", ".hers.tmp");
}

/* A namespace behind a folder that is closed is closed, for runs, too. */
static void test_closed_folders(void **state)
{
	struct caller bob = { .uid = BOB, .gid = BOB };
	struct fault fault = { 0 };
	int64_t id;

	assert_int_equal(
		kv_namespace_create(world.engine, &(struct caller){ .uid = ALICE }, "open", 0755, NULL, &id),
		0);
	assert_int_equal(kv_namespace_open(world.engine, &bob, "open", MAY_READ, &fault, &id), 0);
	open_folder("/state", 0700);
	assert_int_equal(kv_namespace_open(world.engine, &bob, "open", MAY_READ, &fault, &id), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_one_size_for_all),
		TREE_TEST(test_the_size_of_a_secret),
		TREE_TEST(test_nobody_renames_over_what_is_anothers),
		TREE_TEST(test_what_is_put_aside_counts),
		TREE_TEST(test_closed_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
