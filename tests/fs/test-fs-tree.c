/* SPDX-License-Identifier: MIT */
/* The tree without a mount: names, permissions, kinds of file, errors. */
#include "tests/fs/world.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
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
		TREE_TEST(test_changes_tell_what_is_stale),
		TREE_TEST(test_list),
		TREE_TEST(test_settled),
		TREE_TEST(test_list_of_stacks),
		TREE_TEST(test_names_from_outside),
		TREE_TEST(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
