/* SPDX-License-Identifier: MIT */
/* Destroyed stacks: brought back with all they had, or gone for good. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/collect.h"
#include "engine/deps.h"
#include "engine/destroyed.h"
#include "engine/folder.h"
#include "engine/kv.h"
#include "engine/lock.h"
#include "engine/output.h"
#include "engine/resource.h"
#include "engine/snapshot.h"
#include "engine/store/private.h"
#include "engine/tag.h"

static void destroy(struct fixture *f, int64_t id)
{
	if (stack_destroy(f->engine, &f->alice, id, &f->fault) < 0)
		fail_msg("%s", f->fault.text);
}

/* stacks/ lets everybody make stacks. */
static void open_folder(struct fixture *f)
{
	struct folder folder;

	assert_int_equal(folder_get(f->engine, "stacks", &folder), 0);
	folder.mode = 03777;
	struct store_change change = { 0 };
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(folder_set(f->engine, NULL, "stacks", &folder), 0);
	assert_int_equal(store_change_end(&change), 0);
}

static void test_back(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), kept = fixture_stack(f, "kept"), gone = fixture_stack(f, "gone"),
		unused;
	struct lock_request lock = { .kind = LOCK_DURABLE };
	struct kv_scope scope = { .stack_id = id };
	json_auto_t *one = json_integer(1), *properties = json_pack("{s:i}", "n", 1);
	struct resource_draft draft = {
		.type = "file", .name = "/etc/motd", .module = "file", .properties = properties
	};
	CLEANUP(cleanup_free) char *outputs = NULL;
	enum resource_result result;
	struct stack before, stack;
	struct tag tag;
	struct dep dep;
	int64_t token;

	assert_true(kept > 0);
	open_folder(f);
	fixture_output(f, id, "url", json_string("x"));
	assert_int_equal(kv_set(f->engine, scope, "k", one, 0), 0);
	assert_int_equal(tag_add(f->engine, &f->alice, id, "prod", &f->fault, &unused), 0);
	assert_int_equal(deps_set(f->engine, &f->alice, id, "kept", "", &f->fault, &unused), 0);
	assert_int_equal(deps_set(f->engine, &f->alice, id, "gone", "", &f->fault, &unused), 0);
	assert_int_equal(resource_put(f->engine, &f->alice, id, &draft, &f->fault, &result, &unused), 0);
	assert_int_equal(lock_acquire(f->engine, &f->alice, lock_of_stack(id), &lock, &f->fault, &token), 0);
	assert_int_equal(lock_release(f->engine, &f->alice, lock_of_stack(id), 0, &f->fault), 0);
	assert_int_equal(stack_get(f->engine, id, &before), 0);
	destroy(f, id);
	assert_int_equal(stack_get(f->engine, id, &stack), -ENOENT);
	destroy(f, gone);

	assert_int_equal(destroyed_restore(f->engine, &f->bob, id, "", &f->fault), -EPERM);
	assert_int_equal(destroyed_restore(f->engine, &f->alice, id, "kept", &f->fault), -EEXIST);
	assert_int_equal(destroyed_restore(f->engine, &f->alice, id, "a/b", &f->fault), -EINVAL);
	if (destroyed_restore(f->engine, &f->alice, id, "again", &f->fault) < 0)
		fail_msg("%s", f->fault.text);
	assert_int_equal(stack_find(f->engine, "again", &stack), 0);
	assert_int_equal(stack.id, id);
	assert_int_equal(stack.uid, before.uid);
	assert_int_equal(stack.token, before.token);
	outputs = SHOWN(output_show(f->engine, id, out));
	assert_string_equal(outputs, "url=x\n");
	assert_int_equal(kv_find(f->engine, scope, "k", NULL, NULL), 0);
	assert_int_equal(tag_find(f->engine, id, "prod", &tag), 0);
	assert_int_equal(deps_find(f->engine, NULL, id, "kept", &dep), 0);
	/* It is there again, and what it depends on is missing. */
	assert_int_equal(deps_find(f->engine, NULL, id, "gone", &dep), 0);
	assert_int_equal(dep.state, DEPS_MISSING);
	assert_int_equal(resource_find(f->engine, id, "file", "/etc/motd", &unused), 0);
	/* Its history goes on. */
	assert_int_equal(version_find(f->engine, id, 1, &(struct version){ 0 }), 0);
	assert_int_equal(destroyed_restore(f->engine, &f->alice, id, "", &f->fault), -ENOENT);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM destroyed_stacks"), 1);
}

static void collect_all(struct fixture *f)
{
	while (collect_rest(f->engine) > 0)
		;
}

static void test_purge(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	fixture_output(f, id, "url", json_string("x"));
	destroy(f, id);
	assert_int_equal(destroyed_purge(f->engine, &f->bob, id, &f->fault), -EPERM);
	assert_int_equal(destroyed_purge(f->engine, &f->alice, id, &f->fault), 0);
	collect_all(f);
	assert_int_equal(
		fixture_query(f, "SELECT (SELECT COUNT(*) FROM items) + (SELECT COUNT(*) FROM contents) + "
				 "(SELECT COUNT(*) FROM versions) + (SELECT COUNT(*) FROM snapshots)"),
		0);
}

/* Who does not want snapshots has nothing left. */
static void test_not_wanted(void **state)
{
	static const char text[] = "snapshot_triggers: [manual]\n";
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	assert_int_equal(
		stack_set_text(f->engine, &f->alice, id, STACK_CONFIG, text, strlen(text), &f->fault), 0);
	destroy(f, id);
	assert_int_equal(destroyed_restore(f->engine, &f->alice, id, "", &f->fault), -ENOENT);
	collect_all(f);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM items"), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM versions"), 0);
}

static void test_expired(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), pinned = fixture_stack(f, "b"), name;

	assert_int_equal(snapshot_pin(f->engine, &f->alice, pinned, "good", 1, &f->fault, &name), 0);
	destroy(f, id);
	destroy(f, pinned);
	assert_int_equal(collect_retention(f->engine), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM destroyed_stacks"), 2);
	f->engine->config.snapshot_retention_ms = -1000;
	assert_int_equal(collect_retention(f->engine), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM destroyed_stacks"), 1);
	assert_int_equal(destroyed_restore(f->engine, NULL, pinned, "", &f->fault), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_back),
		TEST(test_purge),
		TEST(test_not_wanted),
		TEST(test_expired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
