/* SPDX-License-Identifier: MIT */
/* How files come to be stored: drafts, commits at close, temporary files, renaming, and what is too much. */
#include "tests/fs/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void test_document_commits_at_flush(void **state)
{
	struct handle *handle, *reader;
	char text[64];

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(write_path(0, "/stacks/prod/values.yaml", "a: 1\n"), 0);
	/* An open with O_TRUNC that is closed without a write changes nothing. */
	assert_int_equal(open_path(0, "/stacks/prod/values.yaml", O_WRONLY | O_TRUNC, &handle), 0);
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "a: 1\n");
	/* A draft is nobody else's. */
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "b: ", 3), 3);
	assert_int_equal(tree_write(world.tree, as(0), handle, 3, "2\n", 2), 2);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "a: 1\n");
	/* What was opened before the commit shows what was then. */
	assert_int_equal(open_path(0, "/stacks/prod/values.yaml", O_RDONLY, &reader), 0);
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "b: 2\n");
	assert_int_equal(tree_read(world.tree, as(0), reader, 0, text, sizeof(text)), 5);
	assert_memory_equal(text, "a: 1\n", 5);
	tree_release(world.tree, &world.request, reader);
	/* Several flushes: those without a write in between do nothing, later writes count. */
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	assert_int_equal(tree_write(world.tree, as(0), handle, 5, "c: [\n", 5), 5);
	assert_int_equal(tree_flush(world.tree, as(0), handle), -EINVAL);
	assert_non_null(strstr(world.request.fault.text, "values.yaml:"));
	/* It may have been a child's close of a copy, to which nobody listened: the next one is told, too. */
	assert_int_equal(tree_flush(world.tree, as(0), handle), -EINVAL);
	assert_int_equal(tree_write(world.tree, as(0), handle, 5, "c: 3\n", 5), 5);
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "b: 2\nc: 3\n");
	assert_int_equal(tree_write(world.tree, as(0), handle, 5, "c: [\n", 5), 5);
	assert_int_equal(tree_flush(world.tree, as(0), handle), -EINVAL);
	tree_release(world.tree, &world.request, handle);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "b: 2\nc: 3\n");
}

static void test_append_goes_to_the_end(void **state)
{
	struct handle *handle;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(write_path(0, "/stacks/prod/values.yaml", "a: 1\n"), 0);
	assert_int_equal(open_path(0, "/stacks/prod/values.yaml", O_WRONLY | O_APPEND, &handle), 0);
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "b: 2\n", 5), 5);
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	tree_release(world.tree, &world.request, handle);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "a: 1\nb: 2\n");
}

static void test_limits(void **state)
{
	struct handle *handle;
	int64_t limit = world.engine->config.max_document_size;
	char name[32];
	int r = 0;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(open_path(0, "/stacks/prod/values.yaml", O_WRONLY, &handle), 0);
	assert_int_equal(tree_write(world.tree, as(0), handle, limit, "x", 1), -EFBIG);
	assert_int_equal(tree_write(world.tree, as(0), handle, INT64_MAX, "x", 1), -EFBIG);
	assert_int_equal(tree_write(world.tree, as(0), handle, -1, "x", 1), -EINVAL);
	/* What did fit is half a document, and is not stored. */
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "a: 1\n", 5), 5);
	assert_int_equal(tree_flush(world.tree, as(0), handle), -EFBIG);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "");
	tree_release(world.tree, &world.request, handle);
	for (int64_t i = 0; r == 0 && i <= world.engine->config.max_scratch_files; i++) {
		snprintf(name, sizeof(name), ".tmp%lld", (long long)i);
		r = create(ALICE, "/stacks/prod", name, &handle);
		if (r == 0)
			tree_release(world.tree, &world.request, handle);
	}
	assert_int_equal(r, -EDQUOT);
	/* Another user has his own. */
	assert_int_equal(create(BOB, "/stacks/prod", ".tmp", &handle), 0);
	tree_release(world.tree, &world.request, handle);
}

/* sed -i, vim, cp --remove-destination, install. */
static void test_how_editors_save(void **state)
{
	struct handle *handle;
	struct attr attr;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(write_path(0, "/stacks/prod/values.yaml", "a: 1\n"), 0);
	/* A temporary file, renamed before it is closed. */
	assert_int_equal(create(0, "/stacks/prod", "sedXyz", &handle), 0);
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "a: 2\n", 5), 5);
	assert_int_equal(rename_name(0, "/stacks/prod", "sedXyz", "values.yaml"), 0);
	tree_release(world.tree, &world.request, handle);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "a: 2\n");
	assert_int_equal(walk(0, "/stacks/prod/sedXyz", &attr), -ENOENT);
	/* The original is renamed away, and made anew. */
	assert_int_equal(rename_name(0, "/stacks/prod", "values.yaml", "values.yaml~"), 0);
	assert_int_equal(walk(0, "/stacks/prod/values.yaml", &attr), -ENOENT);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml~"), "a: 2\n");
	assert_int_equal(create(0, "/stacks/prod", "values.yaml", &handle), 0);
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "a: 3\n", 5), 5);
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	tree_release(world.tree, &world.request, handle);
	assert_int_equal(remove_name(0, "/stacks/prod", "values.yaml~"), 0);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "a: 3\n");
	/* Unlinked, then made with O_EXCL. */
	assert_int_equal(remove_name(0, "/stacks/prod", "values.yaml"), 0);
	assert_int_equal(walk(0, "/stacks/prod/values.yaml", &attr), -ENOENT);
	assert_int_equal(create(0, "/stacks/prod", "values.yaml", &handle), 0);
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "a: 4\n", 5), 5);
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	tree_release(world.tree, &world.request, handle);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "a: 4\n");
	/* A control file takes the line; a lock is none that is replaced. */
	assert_int_equal(create(0, "/stacks/prod", ".line", &handle), 0);
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "new\n", 4), 4);
	assert_int_equal(rename_name(0, "/stacks/prod", ".line", "lock"), -EPERM);
	assert_int_equal(rename_name(0, "/stacks/prod", ".line", "description"), 0);
	tree_release(world.tree, &world.request, handle);
	assert_string_equal(read_path(0, "/stacks/prod/description"), "new\n");
	/* A backup that comes back: the edit was given up. */
	assert_int_equal(rename_name(0, "/stacks/prod", "values.yaml", "values.yaml~"), 0);
	assert_int_equal(rename_name(0, "/stacks/prod", "values.yaml~", "values.yaml"), 0);
	assert_string_equal(read_path(0, "/stacks/prod/values.yaml"), "a: 4\n");
}

/* open(2): whoever makes a file may write to it, whatever mode it gets. */
static void test_made_read_only(void **state)
{
	struct attr folder, attr;
	struct handle *handle;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(walk(0, "/stacks/prod", &folder), 0);
	assert_int_equal(tree_create(world.tree, as(ALICE), folder.number, ".tmp", 0444, O_WRONLY | O_EXCL,
				 &handle, &attr),
		0);
	tree_release(world.tree, &world.request, handle);
	assert_int_equal(open_path(ALICE, "/stacks/prod/.tmp", O_WRONLY, &handle), -EACCES);
}

/* A value comes into being with its content: nobody sees it empty. */
static void test_files_that_become(void **state)
{
	struct handle *handle;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(create(0, "/stacks/prod/outputs.d", "url", &handle), 0);
	assert_string_equal(read_path(0, "/stacks/prod/outputs"), "");
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "http://x/\n", 10), 10);
	assert_string_equal(read_path(0, "/stacks/prod/outputs"), "");
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	assert_string_equal(read_path(0, "/stacks/prod/outputs"), "url=http://x/\n");
	/* The same open file goes on with the same value. */
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "http://y/\n", 10), 10);
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	tree_release(world.tree, &world.request, handle);
	assert_string_equal(read_path(0, "/stacks/prod/outputs"), "url=http://y/\n");
	/* Binary junk is refused, and leaves what was. */
	assert_int_equal(write_path(0, "/stacks/prod/outputs.d/url", "\xff\xfe"), -EINVAL);
	assert_string_equal(read_path(0, "/stacks/prod/outputs.d/url"), "http://y/\n");
}

static int rename_to(uid_t uid, const char *folder_path, const char *name, const char *new_folder_path,
	const char *new_name)
{
	struct attr folder, new_folder;

	assert_int_equal(walk(uid, folder_path, &folder), 0);
	assert_int_equal(walk(uid, new_folder_path, &new_folder), 0);
	return tree_rename(world.tree, as(uid), folder.number, name, new_folder.number, new_name, false);
}

/* What is renamed before it is closed is committed under its new name, once, and stays what it was when that
 * fails. */
static void test_renaming_drafts(void **state)
{
	struct handle *handle;
	struct attr attr;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(create(0, "/stacks/prod", ".a", &handle), 0);
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "one", 3), 3);
	assert_int_equal(rename_to(0, "/stacks/prod", ".a", "/stacks/prod/state", "b"), 0);
	assert_string_equal(read_path(0, "/stacks/prod/state/b"), "one\n");
	assert_int_equal(write_path(0, "/stacks/prod/state/b", "newer"), 0);
	assert_int_equal(tree_flush(world.tree, as(0), handle), 0);
	tree_release(world.tree, &world.request, handle);
	assert_int_equal(walk(0, "/stacks/prod/.a", &attr), -ENOENT);
	assert_string_equal(read_path(0, "/stacks/prod/state/b"), "newer\n");
	/* Refused: it is where it was. */
	assert_int_equal(create(0, "/stacks/prod", ".x", &handle), 0);
	assert_int_equal(tree_write(world.tree, as(0), handle, 0, "\xff", 1), 1);
	assert_int_equal(rename_to(0, "/stacks/prod", ".x", "/stacks/prod/state", "c"), -EINVAL);
	tree_release(world.tree, &world.request, handle);
	assert_int_equal(walk(0, "/stacks/prod/state/c", &attr), -ENOENT);
	assert_int_equal(walk(0, "/stacks/prod/.x", &attr), 0);
}

/* To rename a file gives no right to read it. */
static void test_renaming_gives_no_rights(void **state)
{
	assert_int_equal(make_stack(0, "box", 0733), 0);
	assert_int_equal(write_path(0, "/stacks/box/values.yaml", "a: secret\n"), 0);
	assert_int_equal(rename_name(BOB, "/stacks/box", "values.yaml", "mine"), 0);
	assert_string_equal(read_path(BOB, "/stacks/box/mine"), strerror(EACCES));
	assert_string_equal(read_path(0, "/stacks/box/mine"), "a: secret\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_document_commits_at_flush),
		TREE_TEST(test_append_goes_to_the_end),
		TREE_TEST(test_limits),
		TREE_TEST(test_how_editors_save),
		TREE_TEST(test_made_read_only),
		TREE_TEST(test_files_that_become),
		TREE_TEST(test_renaming_drafts),
		TREE_TEST(test_renaming_gives_no_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
