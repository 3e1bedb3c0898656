/* SPDX-License-Identifier: MIT */
/* What one user may have. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <unistd.h>

#include "engine/kv.h"
#include "engine/named-lock.h"
#include "engine/quota.h"
#include "engine/saved.h"
#include "engine/secret.h"

static int64_t made(struct fixture *f, uid_t uid, enum quota quota)
{
	return quota_used(f->engine, uid, quota);
}

static int make_stack(struct fixture *f, struct caller *caller, const char *name)
{
	struct stack stack;

	f->fault = (struct fault){ 0 };
	return stack_create(f->engine, caller, name, 0777, &f->fault, &stack);
}

static void test_stacks(void **state)
{
	struct fixture *f = *state;
	struct stack stack;

	f->engine->config.quotas[QUOTA_STACKS] = 2;
	assert_int_equal(make_stack(f, &f->bob, "a"), 0);
	assert_int_equal(make_stack(f, &f->bob, "b"), 0);
	assert_int_equal(make_stack(f, &f->bob, "c"), -EDQUOT);
	assert_contains(f->fault.text, "you may have 2 stacks, and this is more: destroy some");
	assert_contains(f->fault.text, "quotas.stacks");
	assert_int_equal(made(f, f->bob.uid, QUOTA_STACKS), 2);
	/* Others have their own, root has none. */
	assert_int_equal(make_stack(f, &f->root, "r1"), 0);
	assert_int_equal(make_stack(f, &f->root, "r2"), 0);
	assert_int_equal(make_stack(f, &f->root, "r3"), 0);
	assert_int_equal(stack_find(f->engine, "a", &stack), 0);
	assert_int_equal(stack_destroy(f->engine, &f->bob, stack.id, &f->fault), 0);
	assert_int_equal(make_stack(f, &f->bob, "c"), 0);
}

static int set(struct fixture *f, struct kv_scope scope, const char *name)
{
	json_auto_t *value = json_integer(1);

	f->fault = (struct fault){ 0 };
	return kv_explain(f->engine, kv_set(f->engine, scope, name, value, 0), &f->fault);
}

/* Those of all namespaces and stacks count together, as their owner's, whoever makes them. */
static void test_keys(void **state)
{
	struct fixture *f = *state;
	struct kv_scope one = { .caller = &f->bob }, two = { .caller = &f->root };
	struct stack stack;

	f->engine->config.quotas[QUOTA_KEYS] = 3;
	assert_int_equal(kv_namespace_create(f->engine, &f->bob, "n", 0755, &f->fault, &one.namespace_id), 0);
	assert_int_equal(make_stack(f, &f->bob, "s"), 0);
	assert_int_equal(stack_find(f->engine, "s", &stack), 0);
	two.stack_id = stack.id;
	assert_int_equal(set(f, one, "a"), 0);
	assert_int_equal(set(f, one, "b"), 0);
	assert_int_equal(set(f, two, "a"), 0);
	assert_int_equal(set(f, two, "b"), -EDQUOT);
	assert_contains(f->fault.text, "you may have 3 keys");
	assert_int_equal(set(f, one, "c"), -EDQUOT);
	assert_int_equal(set(f, one, "a"), 0); /* no key more */
	assert_int_equal(made(f, f->bob.uid, QUOTA_KEYS), 3);
	/* The other limit has its own sentence. */
	f->engine->config.quotas[QUOTA_KEYS] = 100;
	f->engine->config.max_keys = 2;
	assert_int_equal(set(f, one, "c"), -EDQUOT);
	assert_contains(f->fault.text, "max_keys (2)");
}

/* What was made and taken back is counted until the limit is reached, and then as it is. */
static void test_keys_are_counted_anew(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = { .caller = &f->bob };

	f->engine->config.quotas[QUOTA_KEYS] = 2;
	assert_int_equal(
		kv_namespace_create(f->engine, &f->bob, "n", 0755, &f->fault, &scope.namespace_id), 0);
	assert_int_equal(set(f, scope, "a"), 0);
	assert_int_equal(kv_delete(f->engine, scope, "a"), 0);
	assert_int_equal(set(f, scope, "b"), 0);
	assert_int_equal(set(f, scope, "c"), -EDQUOT); /* counted less than a second ago */
	quota_table_free(f->engine->quotas);
	assert_int_equal(quota_table_new(&f->engine->quotas), 0);
	assert_int_equal(set(f, scope, "c"), 0);
	assert_int_equal(set(f, scope, "d"), -EDQUOT);
}

static void test_rows_of_others(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	f->engine->config.quotas[QUOTA_NAMESPACES] = 1;
	f->engine->config.quotas[QUOTA_LOCKS] = 1;
	f->engine->config.quotas[QUOTA_WORKFLOWS] = 1;
	f->engine->config.quotas[QUOTA_SECRETS] = 1;
	assert_int_equal(kv_namespace_create(f->engine, &f->bob, "n", 0755, &f->fault, &id), 0);
	assert_int_equal(kv_namespace_create(f->engine, &f->bob, "m", 0755, &f->fault, &id), -EDQUOT);
	assert_contains(f->fault.text, "quotas.namespaces");
	assert_int_equal(named_lock_create(f->engine, &f->bob, "l", 0666, false, &f->fault, &id), 0);
	assert_int_equal(named_lock_create(f->engine, &f->bob, "k", 0666, false, &f->fault, &id), -EDQUOT);
	assert_contains(f->fault.text, "quotas.locks");
	assert_int_equal(saved_prepare(f->engine, &f->bob, "a.sloth", 0644, &f->fault, &id), 0);
	assert_int_equal(saved_prepare(f->engine, &f->bob, "b.sloth", 0644, &f->fault, &id), -EDQUOT);
	assert_contains(f->fault.text, "quotas.workflows");
	assert_int_equal(secret_set(f->engine, &f->bob, "s", "x", 1, &f->fault, &id), 0);
	assert_int_equal(secret_set(f->engine, &f->bob, "t", "x", 1, &f->fault, &id), -EDQUOT);
	assert_contains(f->fault.text, "quotas.secrets");
	assert_int_equal(secret_set(f->engine, &f->bob, "s", "y", 1, &f->fault, &id), 0);
}

static int count_asked(void *userdata)
{
	++*(int *)userdata;
	return 0;
}

/* As the daemon has it done by a child. */
static void count_now(struct fixture *f)
{
	json_auto_t *counts = NULL;

	assert_int_equal(quota_count(f->engine->store, &counts), 0);
	quota_counted(f->engine, counts);
}

static void test_storage(void **state)
{
	enum { MB = 1 << 20 };
	struct fixture *f = *state;
	int64_t before;
	int asked = 0;

	f->engine->config.quotas[QUOTA_STORAGE] = 10 * MB;
	quota_on_count(f->engine, count_asked, &asked);
	/* Nothing is known yet: it is counted, once, and nobody is in the way of anything. */
	assert_int_equal(quota_store(f->engine, f->bob.uid, 20 * MB, &f->fault), 0);
	assert_int_equal(quota_store(f->engine, f->bob.uid, MB, &f->fault), 0);
	assert_int_equal(asked, 1);
	quota_count_begun(f->engine);
	assert_int_equal(quota_store(f->engine, f->bob.uid, MB, &f->fault), 0);
	assert_int_equal(make_stack(f, &f->bob, "s"), 0);
	count_now(f);
	/* What is there, and what came while it was counted. */
	before = made(f, f->bob.uid, QUOTA_STORAGE);
	assert_in_range(before, MB + 100, MB + 10000);
	assert_int_equal(quota_store(f->engine, f->bob.uid, 9 * MB, &f->fault), -EDQUOT);
	assert_contains(f->fault.text, "quotas.storage");
	assert_int_equal(made(f, f->bob.uid, QUOTA_STORAGE), before);
	quota_stored(f->engine, f->bob.uid, 9 * MB);
	assert_int_equal(quota_store(f->engine, f->bob.uid, 0, &f->fault), -EDQUOT);
	/* It had taken the place of something: the next count shows it. */
	quota_count_begun(f->engine);
	count_now(f);
	assert_int_equal(quota_store(f->engine, f->bob.uid, MB, &f->fault), 0);
	assert_int_equal(quota_store(f->engine, f->root.uid, INT64_C(1) << 50, &f->fault), 0);
	quota_on_count(f->engine, NULL, NULL);
}

/* Each table, by its owner: that the statement finds it. */
static void test_what_is_counted(void **state)
{
	struct fixture *f = *state;
	json_auto_t *counts = NULL, *value = json_string("a value that is kept");
	struct kv_scope scope = { .caller = &f->bob };
	struct stack stack;
	char bob[24];

	assert_int_equal(make_stack(f, &f->bob, "s"), 0);
	assert_int_equal(stack_find(f->engine, "s", &stack), 0);
	scope.stack_id = stack.id;
	assert_int_equal(kv_set(f->engine, scope, "k", value, 0), 0);
	assert_int_equal(quota_count(f->engine->store, &counts), 0);
	snprintf(bob, sizeof(bob), "%u", (unsigned)f->bob.uid);
	/* The version's items, and the key itself. */
	assert_true(json_integer_value(json_object_get(counts, bob)) > 300);
	assert_int_equal(stack_destroy(f->engine, &f->bob, stack.id, &f->fault), 0);
	json_decref(counts);
	assert_int_equal(quota_count(f->engine->store, &counts), 0);
	assert_true(json_integer_value(json_object_get(counts, bob)) > 200); /* its versions stay a while */
}

static int collect(void *userdata, uid_t uid)
{
	char *text = userdata;
	size_t n = strlen(text);

	snprintf(text + n, 64 - n, "%u ", (unsigned)uid);
	return 0;
}

/* In memory or on disk, each once, by their numbers. */
static void test_users(void **state)
{
	struct fixture *f = *state;
	char found[64] = "", expected[64];

	quota_use(f->engine, 70000, QUOTA_WAITS, 1);
	quota_use(f->engine, f->bob.uid, QUOTA_WAITS, 1);
	quota_use(f->engine, 60000, QUOTA_WAITS, 1);
	quota_use(f->engine, 60000, QUOTA_WAITS, -1);
	assert_int_equal(make_stack(f, &f->bob, "a"), 0);
	assert_int_equal(quota_each_user(f->engine, collect, found), 0);
	snprintf(expected, sizeof(expected), "%u 70000 ", (unsigned)f->bob.uid);
	assert_string_equal(found, expected);
	f->engine->config.quotas[QUOTA_WAITS] = 1;
	assert_int_equal(quota_check(f->engine, 70000, QUOTA_WAITS, 1, &f->fault), -EAGAIN);
	assert_int_equal(quota_check(f->engine, 60000, QUOTA_WAITS, 1, &f->fault), 0);
	assert_int_equal(quota_check(f->engine, geteuid(), QUOTA_WAITS, 1000000, &f->fault), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stacks),
		TEST(test_keys),
		TEST(test_keys_are_counted_anew),
		TEST(test_rows_of_others),
		TEST(test_users),
		TEST(test_storage),
		TEST(test_what_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
