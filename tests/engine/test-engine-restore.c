/* SPDX-License-Identifier: MIT */
/* Snapshots, comparing and restoring: what comes back, what is refused, and that it is all or nothing. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compare.h"
#include "engine/deps.h"
#include "engine/kv.h"
#include "engine/lock.h"
#include "engine/output.h"
#include "engine/resource.h"
#include "engine/restore.h"
#include "engine/snapshot.h"
#include "engine/tag.h"

static void set_text(struct fixture *f, int64_t id, enum stack_text which, const char *text)
{
	assert_int_equal(stack_set_text(f->engine, &f->alice, id, which, text, strlen(text), &f->fault), 0);
}

static void set_key(struct fixture *f, int64_t id, const char *name, int value)
{
	struct kv_scope scope = { .stack_id = id, .caller = &f->alice };
	json_auto_t *json = json_integer(value);

	assert_int_equal(kv_set(f->engine, scope, name, json, 0), 0);
}

static void put_resource(
	struct fixture *f, int64_t id, const char *name, int replicas, const char *needs, int protect)
{
	json_auto_t *properties = json_pack("{s:i}", "replicas", replicas);
	json_auto_t *list = needs ? json_pack("[s]", needs) : json_array();
	struct resource_draft draft = { .type = "service",
		.name = name,
		.module = "service",
		.properties = properties,
		.dependencies = list,
		.protect = protect };
	enum resource_result result;
	int64_t resource;

	assert_int_equal(resource_put(f->engine, &f->alice, id, &draft, &f->fault, &result, &resource), 0);
}

static int64_t last(struct fixture *f, int64_t id)
{
	int64_t number;

	assert_int_equal(version_last(f->engine, id, &number), 0);
	return number;
}

static int restore(struct fixture *f, struct caller *caller, int64_t id, const char *line, int64_t *ret_count)
{
	struct restore wanted;
	int64_t number;
	int r = restore_parse(f->engine, id, line, strlen(line), &f->fault, &wanted);

	return r < 0 ? r : restore_version(f->engine, caller, id, &wanted, &f->fault, ret_count, &number);
}

static char *compared(struct fixture *f, int64_t id, int64_t from, int64_t to)
{
	json_auto_t *changes = NULL;

	assert_int_equal(version_compare(f->engine, id, from, to, &f->fault, &changes), 0);
	return SHOWN(compare_show(changes, out));
}

#define assert_compared(f, id, from, to, text)                                                               \
	do {                                                                                                 \
		char *compared_ = compared(f, id, from, to);                                                 \
		assert_string_equal(compared_, text);                                                        \
		free(compared_);                                                                             \
	} while (0)

/* Everything that a stack can have, changed, and back. */
static void test_all_kinds(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), other = fixture_stack(f, "other"), then, now, count, tag, dep;
	struct kv_scope scope = { .stack_id = id };

	assert_true(other > 0);
	fixture_output(f, id, "url", json_string("http://a"));
	fixture_output(f, id, "gone", json_string("x"));
	set_text(f, id, STACK_VALUES, "replicas: 2\n");
	set_key(f, id, "n", 1);
	put_resource(f, id, "web/1", 2, NULL, 0);
	put_resource(f, id, "cache", 1, "service/web/1", 0);
	assert_int_equal(tag_add(f->engine, &f->alice, id, "prod", &f->fault, &tag), 0);
	assert_int_equal(deps_set(f->engine, &f->alice, id, "other", ">=1", &f->fault, &dep), 0);
	then = last(f, id);

	fixture_output(f, id, "url", json_string("http://b"));
	assert_int_equal(output_delete(f->engine, &f->alice, id, "gone", &f->fault), 0);
	fixture_output(f, id, "new", json_string("y"));
	set_text(f, id, STACK_VALUES, "replicas: 4\n");
	set_text(f, id, STACK_DESCRIPTION, "about");
	set_key(f, id, "m", 1);
	assert_int_equal(kv_delete(f->engine, scope, "n"), 0);
	/* The dependency is turned round: neither can come back first. */
	put_resource(f, id, "cache", 1, NULL, 0);
	put_resource(f, id, "web/1", 4, "service/cache", 0);
	put_resource(f, id, "db", 1, NULL, 0);
	assert_int_equal(tag_remove(f->engine, &f->alice, id, "prod", &f->fault), 0);
	assert_int_equal(deps_remove(f->engine, &f->alice, id, "other", &f->fault), 0);
	now = last(f, id);
	assert_compared(f, id, then, now,
		"- dep other: >=1\n"
		"- output gone: x\n"
		"+ output new: y\n"
		"~ output url: http://a -> http://b\n"
		"~ resource service/cache: dependencies: [\"service/web/1\"] -> []\n"
		"+ resource service/db\n"
		"~ resource service/web/1: dependencies: [] -> [\"service/cache\"]\n"
		"~ resource service/web/1: properties.replicas: 2 -> 4\n"
		"+ state m: 1\n"
		"- state n: 1\n"
		"- tag prod\n"
		"+ description: about\n"
		"~ values: replicas: 2 -> 4\n");

	assert_int_equal(restore(f, &f->alice, id, "v1 dry-run", &count), 0);
	assert_int_equal(last(f, id), now);
	f->fault.text[0] = '\0';
	if (restore(f, &f->alice, id, "9", &count) < 0)
		fail_msg("%s", f->fault.text);
	assert_int_equal(then, 9);
	assert_int_equal(count, 12);
	assert_int_equal(last(f, id), now + 1);
	assert_compared(f, id, then, now + 1, "");
	/* And forward again. */
	assert_int_equal(restore(f, &f->alice, id, "undo", &count), 0);
	assert_compared(f, id, now, now + 2, "");
	/* One thing, called as people call it and as the tree does. */
	assert_int_equal(restore(f, &f->alice, id, "9 only=resource/service/web/1", &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(restore(f, &f->alice, id, "9 only=resource/service/web%2F1", &count), 0);
	assert_int_equal(count, 0);
}

static int snapshots_seen(void *userdata, const struct snapshot *snapshot)
{
	snprintf(userdata, 256, "%s: %s", snapshot->trigger, snapshot->description);
	return 1;
}

static void test_before_restore(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), count;
	char seen[256] = "";

	fixture_output(f, id, "a", json_string("1"));
	assert_int_equal(restore(f, &f->alice, id, "v1", &count), 0);
	assert_int_equal(snapshot_each(f->engine, id, snapshots_seen, seen), 1);
	assert_string_equal(seen, "before_restore: before the restore of v1");
	/* Nothing differs: nothing is done. */
	assert_int_equal(last(f, id), 3);
	assert_int_equal(restore(f, &f->alice, id, "v1", &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(last(f, id), 3);
}

static void test_only(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), count;

	fixture_output(f, id, "a", json_string("1"));
	fixture_output(f, id, "b", json_string("1"));
	set_text(f, id, STACK_VALUES, "x: 1\n");
	set_text(f, id, STACK_CONFIG, "auto_lock: false\n");
	assert_int_equal(restore(f, &f->alice, id, "v1 only=values", &count), 0);
	assert_int_equal(count, 1);
	assert_compared(f, id, 5, last(f, id), "- values\n");
	assert_int_equal(restore(f, &f->alice, id, "v1 only=output/b", &count), 0);
	assert_int_equal(count, 1);
	assert_compared(f, id, 6, last(f, id), "- output b: 1\n");
	assert_int_equal(restore(f, &f->alice, id, "v5 only=outputs,values", &count), 0);
	assert_compared(f, id, 5, last(f, id), "");
	assert_int_equal(restore(f, &f->alice, id, "v5 only=nothing", &count), -EINVAL);
	assert_int_equal(restore(f, &f->alice, id, "v5 only=", &count), -EINVAL);
	assert_int_equal(restore(f, &f->alice, id, "v5 now", &count), -EINVAL);
	assert_int_equal(restore(f, &f->alice, id, "v5 only='x", &count), -EINVAL);
	assert_int_equal(restore(f, &f->alice, id, "", &count), -EINVAL);
	assert_int_equal(restore(f, &f->alice, id, "v55", &count), -ENOENT);
}

/* Rights that were taken away come back only when that is asked for. */
static void test_meta(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), count;
	struct stack stack;

	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0700, &f->fault), 0);
	fixture_output(f, id, "a", json_string("1"));
	assert_int_equal(restore(f, &f->alice, id, "v1", &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(stack_get(f->engine, id, &stack), 0);
	assert_int_equal(stack.mode, 0700);
	assert_int_equal(restore(f, &f->alice, id, "v1 only=meta", &count), 0);
	assert_int_equal(stack_get(f->engine, id, &stack), 0);
	assert_int_equal(stack.mode, 0777);
	assert_int_equal(restore(f, &f->bob, id, "v2 only=meta", &count), -EPERM);
}

static void test_undo(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), count, number;
	struct snapshot_request request = { .description = "as it is" };

	fixture_output(f, id, "a", json_string("1"));
	fixture_output(f, id, "a", json_string("2"));
	assert_int_equal(snapshot_create(f->engine, &f->alice, id, &request, &f->fault, &number), 0);
	assert_int_equal(number, 4);
	/* The snapshot changed nothing: it is no step. */
	assert_int_equal(restore(f, &f->alice, id, "undo", &count), 0);
	assert_compared(f, id, 2, last(f, id), "");
	assert_int_equal(restore(f, &f->alice, id, "undo 3", &count), 0);
	assert_compared(f, id, 1, last(f, id), "");
	assert_int_equal(restore(f, &f->alice, id, "undo 99", &count), -ENOENT);
	assert_int_equal(restore(f, &f->alice, id, "undo 0", &count), -EINVAL);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), count, token, number;
	struct lock_request lock = { .kind = LOCK_DURABLE, .reason = "mine" };
	struct snapshot_request request = { 0 };

	fixture_output(f, id, "a", json_string("1"));
	assert_int_equal(lock_acquire(f->engine, &f->alice, lock_of_stack(id), &lock, &f->fault, &token), 0);
	assert_int_equal(restore(f, &f->bob, id, "v1", &count), -EBUSY);
	assert_contains(f->fault.text, "mine");
	assert_int_equal(snapshot_create(f->engine, &f->bob, id, &request, &f->fault, &number), 0);
	assert_int_equal(restore(f, &f->alice, id, "v1", &count), 0);
	assert_int_equal(lock_release(f->engine, &f->alice, lock_of_stack(id), 0, &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0755, &f->fault), 0);
	assert_int_equal(restore(f, &f->bob, id, "v2", &count), -EACCES);
	assert_int_equal(snapshot_create(f->engine, &f->bob, id, &request, &f->fault, &number), -EACCES);
	assert_int_equal(snapshot_pin(f->engine, &f->bob, id, "x", 1, &f->fault, &number), -EACCES);
}

/* What can't come back leaves everything as it is. */
static void test_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), other = fixture_stack(f, "other"), dep, before, count;

	assert_int_equal(deps_set(f->engine, &f->alice, id, "other", "", &f->fault, &dep), 0);
	fixture_output(f, id, "a", json_string("1"));
	assert_int_equal(deps_remove(f->engine, &f->alice, id, "other", &f->fault), 0);
	fixture_output(f, id, "a", json_string("2"));
	put_resource(f, id, "db", 1, NULL, 1);
	assert_int_equal(stack_destroy(f->engine, &f->alice, other, &f->fault), 0);
	before = last(f, id);
	/* A protected resource is not removed by going back to before it; what came before it in the order of
	 * restoring is undone. */
	assert_int_equal(restore(f, &f->alice, id, "v3", &count), -EPERM);
	assert_int_equal(last(f, id), before);
	assert_compared(f, id, before, last(f, id), "");
	/* A dependency on a stack that is gone is missing, and nothing else. */
	assert_int_equal(restore(f, &f->alice, id, "v3 only=deps", &count), 0);
	assert_int_equal(deps_remove(f->engine, &f->alice, id, "other", &f->fault), 0);
	before = last(f, id);
	assert_int_equal(restore(f, &f->alice, id, "v1 only=resources", &count), -EPERM);
	assert_contains(f->fault.text, "protected");
	assert_int_equal(last(f, id), before);
	assert_int_equal(restore(f, &f->alice, id, "v3 only=outputs", &count), 0);
}

static void test_delete(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), name;
	struct version version;

	fixture_output(f, id, "a", json_string("1"));
	fixture_output(f, id, "a", json_string("2"));
	assert_int_equal(version_find(f->engine, id, 2, &version), 0);
	assert_int_equal(snapshot_pin(f->engine, &f->alice, id, "good", 2, &f->fault, &name), 0);
	assert_int_equal(snapshot_delete(f->engine, &f->alice, version.id, &f->fault), -EPERM);
	assert_contains(f->fault.text, "good");
	assert_int_equal(snapshot_unpin(f->engine, &f->alice, name, &f->fault), 0);
	assert_int_equal(snapshot_delete(f->engine, &f->bob, version.id, &f->fault), 0);
	assert_int_equal(version_find(f->engine, id, 2, &version), -ENOENT);
	assert_int_equal(version_find(f->engine, id, 3, &version), 0);
	assert_int_equal(snapshot_delete(f->engine, &f->alice, version.id, &f->fault), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_kinds),
		TEST(test_before_restore),
		TEST(test_only),
		TEST(test_meta),
		TEST(test_undo),
		TEST(test_refusals),
		TEST(test_all_or_nothing),
		TEST(test_delete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
