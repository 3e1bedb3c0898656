/* SPDX-License-Identifier: MIT */
/* The tree without a mount: names, permissions, kinds of file, errors. */
#include "tests/fs/world.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "engine/stack.h"
#include "fs/nodes/nodes.h"
#include "fs/outcome.h"

/* Every row of every table: a name or the functions that find names, help, and somebody who owns it. */
static void test_tables_are_complete(void **state)
{
	for (size_t table = 0; table < TABLE_COUNT; table++) {
		if (!directories[table])
			continue;
		assert_int_equal(directory_table(directories[table]), table);
		for (size_t row = 0; row < directories[table]->count; row++) {
			const struct entry *entry = &directories[table]->entries[row];

			assert_non_null(entry->help);
			assert_non_null(entry->object);
			assert_int_equal(!entry->find, !entry->each);
			assert_true(table == TABLE_SCRATCH || entry->name || entry->find);
			if (entry->kind == KIND_DIRECTORY)
				assert_non_null(entry->directory);
			if (entry->kind == KIND_STREAM)
				assert_non_null(entry->stream);
			if (entry->kind == KIND_WAIT)
				assert_true(!entry->done != !entry->ask);
			if (entry->kind == KIND_CONTROL)
				assert_true(entry->write && entry->show);
			if (entry->kind == KIND_DOCUMENT)
				assert_true(entry->commit && entry->show);
		}
	}
}

static void test_numbers_say_what_they_are(void **state)
{
	struct node node = { .id = 123456789, .instance = 3, .table = TABLE_STACK, .row = 5 };
	struct node again = node_of(node_number(node));

	assert_memory_equal(&again.id, &node.id, sizeof(node.id));
	assert_int_equal(again.instance, 3);
	assert_int_equal(again.table, TABLE_STACK);
	assert_int_equal(again.row, 5);
	assert_int_equal(node_number((struct node){ .table = TABLE_ROOT, .row = 1 }), NODE_ROOT);
}

static void test_walk(void **state)
{
	struct attr attr;

	assert_int_equal(walk(0, "/", &attr), 0);
	assert_int_equal(attr.number, NODE_ROOT);
	assert_int_equal(walk(0, "/README", &attr), 0);
	assert_int_equal(attr.mode, S_IFREG | 0444);
	assert_true(attr.size > 1000);
	assert_int_equal(walk(0, "/README/", &attr), -ENOTDIR);
	assert_int_equal(walk(0, "/README/x", &attr), -ENOTDIR);
	assert_int_equal(walk(0, "/nothing", &attr), -ENOENT);
	assert_int_equal(walk(0, "relative", &attr), -EINVAL);
	assert_int_equal(walk(0, "/stacks//", &attr), 0);
	assert_int_equal(walk(0, "/..", &attr), -ENOENT);
	assert_int_equal(tree_getattr(world.tree, as(0), 0xffffffffffff, NULL, &attr), -ESTALE);
}

static void test_permissions(void **state)
{
	struct handle *handle;
	struct attr attr;

	assert_int_equal(make_stack(ALICE, "nope", 0755), -EACCES);
	assert_int_equal(walk(0, "/stacks", &attr), 0);
	assert_int_equal(tree_chmod(world.tree, as(ALICE), attr.number, 03777), -EPERM);
	assert_int_equal(tree_chmod(world.tree, as(0), attr.number, 03777), 0);
	assert_int_equal(make_stack(ALICE, "hers", 0750), 0);
	assert_int_equal(walk(BOB, "/stacks/hers", &attr), 0);
	assert_int_equal(walk(BOB, "/stacks/hers/status", &attr), -EACCES);
	assert_int_equal(open_path(BOB, "/stacks/hers/lock", O_RDONLY, &handle), -EACCES);
	assert_string_equal(read_path(ALICE, "/stacks/hers/status"), "created\n");
	/* The number alone opens nothing. */
	assert_int_equal(walk(ALICE, "/stacks/hers/status", &attr), 0);
	assert_int_equal(tree_open(world.tree, as(BOB), attr.number, O_RDONLY, &handle), -EACCES);
	/* Sticky: Bob may not remove what is Alice's. */
	assert_int_equal(walk(BOB, "/stacks", &attr), 0);
	assert_int_equal(tree_rmdir(world.tree, as(BOB), attr.number, "hers"), -EPERM);
	assert_true(*world.request.fault.text);
	/* Root may all, but not write what can't be written. */
	assert_string_equal(read_path(0, "/stacks/hers/status"), "created\n");
	assert_int_equal(open_path(0, "/stacks/hers/status", O_WRONLY, &handle), -EACCES);
	assert_int_equal(tree_rmdir(world.tree, as(ALICE), attr.number, "hers"), 0);
}

static void test_group_members(void **state)
{
	struct attr attr;
	gid_t *groups = malloc(sizeof(*groups));

	assert_int_equal(make_stack(0, "team", 0770), 0);
	assert_int_equal(walk(0, "/stacks/team", &attr), 0);
	assert_int_equal(tree_chown(world.tree, as(0), attr.number, (uid_t)-1, 2000), 0);
	assert_int_equal(walk(BOB, "/stacks/team/status", &attr), -EACCES);
	as(BOB);
	*groups = 2000;
	world.request.caller.groups = groups;
	world.request.caller.group_count = 1;
	assert_int_equal(tree_walk(world.tree, &world.request, "/stacks/team/status", &attr), 0);
}

static void test_control_lines(void **state)
{
	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(write_path(0, "/stacks/prod/description", "one\n"), 0);
	assert_string_equal(read_path(0, "/stacks/prod/description"), "one\n");
	/* One command a line, each done before the write returns. */
	assert_int_equal(write_path(ALICE, "/stacks/prod/lock", "mine\nunlock\nagain\n"), 0);
	assert_non_null(strstr(read_path(0, "/stacks/prod/lock"), "reason: again\n"));
	/* Held by another: nothing changes, and the sentence says who. */
	assert_int_equal(write_path(BOB, "/stacks/prod/lock", "his\n"), -EBUSY);
	assert_non_null(strstr(world.request.fault.text, "uid 1001"));
	assert_int_equal(write_path(BOB, "/stacks/prod/description", "two\n"), -EBUSY);
	assert_int_equal(write_path(0, "/stacks/prod/description", "two\n"), -EBUSY);
	assert_string_equal(read_path(0, "/stacks/prod/description"), "one\n");
	assert_int_equal(write_path(ALICE, "/stacks/prod/description", "two\n"), 0);
	assert_int_equal(remove_name(BOB, "/stacks/prod", "lock"), -EPERM);
	assert_int_equal(remove_name(ALICE, "/stacks/prod", "lock"), 0);
	assert_string_equal(read_path(0, "/stacks/prod/lock"), "unlocked\n");
}

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

static void test_changes_tell_what_is_stale(void **state)
{
	struct attr attr;
	bool found = false;

	assert_int_equal(make_stack(0, "prod", 0777), 0);
	assert_int_equal(engine_turn_end(world.engine), 0);
	assert_int_equal(walk(0, "/stacks/prod/description", &attr), 0);
	world.stale_count = 0;
	assert_int_equal(write_path(0, "/stacks/prod/description", "new\n"), 0);
	assert_int_equal(world.stale_count, 0); /* not before it is on disk */
	assert_int_equal(engine_turn_end(world.engine), 0);
	for (size_t i = 0; i < world.stale_count; i++)
		found |= world.stale[i] == attr.number;
	assert_true(found);
}

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

static int list_name(void *userdata, const char *name, uint64_t child, enum kind kind)
{
	strcat(userdata, name);
	strcat(userdata, " ");
	return 0;
}

static void test_list(void **state)
{
	char names[4096] = "";
	struct attr attr;

	assert_int_equal(make_stack(0, "b", 0755), 0);
	assert_int_equal(make_stack(0, "a", 0700), 0);
	assert_int_equal(walk(0, "/stacks", &attr), 0);
	assert_int_equal(tree_list(world.tree, as(BOB), attr.number, list_name, names), 0);
	assert_string_equal(names, "a b ");
	assert_int_equal(walk(0, "/stacks/a", &attr), 0);
	assert_int_equal(tree_list(world.tree, as(BOB), attr.number, list_name, names), -EACCES);
}

static void test_names_from_outside(void **state)
{
	char encoded[ENCODED_SIZE], decoded[NAME_SIZE];

	assert_string_equal(name_encode("/etc/motd", encoded), "%2Fetc%2Fmotd");
	assert_int_equal(name_decode(encoded, decoded), 0);
	assert_string_equal(decoded, "/etc/motd");
	assert_string_equal(name_encode(".hidden a\nb", encoded), "%2Ehidden%20a%0Ab");
	assert_int_equal(name_decode("%zz", decoded), -ENOENT);
	assert_int_equal(name_decode("%", decoded), -ENOENT);
	assert_int_equal(name_decode("a%00b", decoded), -ENOENT);
}

static bool is_settled(const char *path)
{
	struct attr attr;

	assert_int_equal(walk(0, path, &attr), 0);
	return tree_is_settled(world.tree, attr.number);
}

/* What others change in the same turn is no reason to wait; what is changed itself is, and rights and names
 * are of all below them. */
static void test_settled(void **state)
{
	assert_int_equal(make_stack(0, "a", 0755), 0);
	assert_int_equal(make_stack(0, "b", 0755), 0);
	assert_false(is_settled("/stacks/b"));
	assert_int_equal(engine_turn_end(world.engine), 0);
	assert_true(is_settled("/stacks/b"));
	assert_true(is_settled("/stacks/a/lock"));

	assert_int_equal(write_path(0, "/stacks/a/lock", "mine"), 0);
	assert_false(is_settled("/stacks/a/lock"));
	assert_false(is_settled("/events"));
	assert_true(is_settled("/stacks"));
	assert_true(is_settled("/stacks/a/outputs"));
	assert_true(is_settled("/stacks/b/lock"));
	assert_true(is_settled("/stacks/b/outputs"));
	assert_int_equal(engine_turn_end(world.engine), 0);
	assert_true(is_settled("/stacks/a/lock"));

	assert_int_equal(make_stack(0, "c", 0755), 0);
	assert_false(is_settled("/stacks/b/outputs"));
}

/* Names of stacks.json, each of which says what the stack's status.json does. */
static const char *listed(uid_t uid)
{
	static char names[256];
	json_auto_t *list = json_loads(read_path(uid, "/stacks.json"), 0, NULL);
	struct attr attr;
	json_t *stack;
	size_t i;

	*names = '\0';
	assert_true(json_is_array(list));
	json_array_foreach (list, i, stack) {
		const char *name = json_string_value(json_object_get(stack, "name"));
		char path[64];

		snprintf(path, sizeof(path), "/stacks/%s/status.json", name);
		json_auto_t *status = json_loads(read_path(uid, path), 0, NULL);
		assert_true(json_equal(stack, status));
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ", name);
	}
	assert_int_equal(walk(uid, "/stacks.json", &attr), 0);
	assert_int_equal(attr.size, strlen(read_path(uid, "/stacks.json")));
	return names;
}

static void test_list_of_stacks(void **state)
{
	struct handle *handle;
	struct attr attr;

	assert_string_equal(listed(ALICE), "");
	assert_int_equal(make_stack(0, "b", 0755), 0);
	assert_int_equal(make_stack(0, "a", 0700), 0);
	assert_string_equal(listed(0), "a b ");
	assert_string_equal(listed(ALICE), "b ");
	assert_int_equal(engine_turn_end(world.engine), 0);
	assert_string_equal(listed(0), "a b ");
	/* In the same turn, and after it. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(write_path(0, "/stacks/b/description", i ? "two \"words\"" : "one"), 0);
		assert_non_null(strstr(read_path(ALICE, "/stacks.json"), i ? "two \\\"words\\\"" : "one"));
		assert_string_equal(listed(0), "a b ");
		assert_int_equal(engine_turn_end(world.engine), 0);
	}
	assert_int_equal(write_path(0, "/stacks/b/lock", "mine"), 0);
	assert_int_equal(create(0, "/stacks/b/tags", "red", &handle), 0);
	tree_release(world.tree, as(0), handle);
	assert_string_equal(listed(0), "a b ");
	assert_non_null(strstr(read_path(ALICE, "/stacks.json"), "[\"red\"]"));
	assert_int_equal(write_path(0, "/stacks/b/lock", "unlock"), 0);
	assert_int_equal(rename_name(0, "/stacks", "b", "c"), 0);
	assert_string_equal(listed(ALICE), "c ");
	assert_int_equal(walk(0, "/stacks", &attr), 0);
	assert_int_equal(tree_rmdir(world.tree, as(0), attr.number, "c"), 0);
	assert_string_equal(listed(ALICE), "");
	assert_string_equal(listed(0), "a ");
	/* As the folder. */
	assert_int_equal(tree_chmod(world.tree, as(0), attr.number, 0774), 0);
	assert_int_equal(open_path(ALICE, "/stacks.json", O_RDONLY, &handle), -EACCES);
	assert_string_equal(listed(0), "a ");
}

/* Neither a success nor a refusal counts that was decided without a part of what there is. */
static void test_memory_runs_out(void **state)
{
	struct request *request = as(ALICE);

	request_begin(request);
	assert_int_equal(request_outcome(request, 7), 7);
	assert_int_equal(request_outcome(request, -EINVAL), -EINVAL);
	assert_string_equal(request->fault.text, "");
	memory_failed();
	assert_int_equal(request_outcome(request, 7), -ENOMEM);
	assert_int_equal(request->fault.code, ENOMEM);
	fault_set(&request->fault, EINVAL, "this is no JSON");
	assert_int_equal(request_outcome(request, -EINVAL), -ENOMEM);
	assert_non_null(strstr(request->fault.text, "memory"));
	request_waited(request);
	assert_int_equal(request_outcome(request, 7), 7);
	/* What is wrong with the machine has words. */
	request->fault = (struct fault){ 0 };
	assert_int_equal(request_outcome(request, -ENOSPC), -ENOSPC);
	assert_non_null(strstr(request->fault.text, "no room"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_tables_are_complete),
		TREE_TEST(test_numbers_say_what_they_are),
		TREE_TEST(test_walk),
		TREE_TEST(test_permissions),
		TREE_TEST(test_group_members),
		TREE_TEST(test_control_lines),
		TREE_TEST(test_document_commits_at_flush),
		TREE_TEST(test_append_goes_to_the_end),
		TREE_TEST(test_limits),
		TREE_TEST(test_how_editors_save),
		TREE_TEST(test_made_read_only),
		TREE_TEST(test_files_that_become),
		TREE_TEST(test_changes_tell_what_is_stale),
		TREE_TEST(test_lock_waits_and_interrupts),
		TREE_TEST(test_many_writers),
		TREE_TEST(test_closing_ends_waits),
		TREE_TEST(test_renaming_drafts),
		TREE_TEST(test_renaming_gives_no_rights),
		TREE_TEST(test_list),
		TREE_TEST(test_settled),
		TREE_TEST(test_list_of_stacks),
		TREE_TEST(test_names_from_outside),
		TREE_TEST(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
