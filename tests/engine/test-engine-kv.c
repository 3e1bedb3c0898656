/* SPDX-License-Identifier: MIT */
/* Keys and values. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <string.h>

#include "engine/kv.h"
#include "engine/store/private.h"

static struct kv_scope scope_of(struct fixture *f)
{
	return (struct kv_scope){ fixture_stack(f, "a"), 0 };
}

static int set(struct fixture *f, struct kv_scope scope, const char *name, json_t *value, int64_t ttl)
{
	int r = kv_set(f->engine, scope, name, value, ttl);

	json_decref(value);
	return r;
}

static void assert_value(struct fixture *f, struct kv_scope scope, const char *name, const char *text)
{
	json_t *value;
	char *got;

	assert_int_equal(kv_find(f->engine, scope, name, NULL, &value), 0);
	got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(got, text);
	free(got);
	json_decref(value);
}

static void test_types(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = scope_of(f), found;
	struct kv kv, same;

	assert_int_equal(set(f, scope, "i", json_integer(2), 0), 0);
	assert_int_equal(set(f, scope, "r", json_real(2), 0), 0);
	assert_int_equal(set(f, scope, "o", json_pack("{s[b]}", "a", 1), 0), 0);
	assert_int_equal(set(f, scope, "n", json_null(), 0), 0);
	assert_value(f, scope, "i", "2");
	assert_value(f, scope, "r", "2.0");
	assert_value(f, scope, "o", "{\"a\":[true]}");
	assert_value(f, scope, "n", "null");
	assert_int_equal(set(f, scope, "a b", json_true(), 0), -EINVAL);
	assert_int_equal(kv_find(f->engine, scope, "i", &kv, NULL), 0);
	assert_int_equal(kv_get_id(f->engine, kv.id, &found, &same, NULL), 0);
	assert_int_equal(found.stack_id, scope.stack_id);
	assert_string_equal(same.name, "i");
	assert_int_equal(kv_delete(f->engine, scope, "i"), 0);
	assert_int_equal(kv_delete(f->engine, scope, "i"), -ENOENT);
	assert_int_equal(kv_get_id(f->engine, kv.id, NULL, NULL, NULL), -ENOENT);
	f->engine->config.max_document_size = 1;
	assert_int_equal(set(f, scope, "s", json_string("xx"), 0), -EFBIG);
}

static void expire_all(struct fixture *f)
{
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(sqlite3_exec(f->engine->store->db,
				 "UPDATE kv SET expires_ms = 1 WHERE expires_ms > 0", NULL, NULL, NULL),
		SQLITE_OK);
}

static int count_kv(void *userdata, const struct kv *kv, const char *value)
{
	(*(int *)userdata)++;
	return 0;
}

static void test_ttl(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = scope_of(f);
	int count = 0;
	struct kv kv;

	assert_int_equal(set(f, scope, "x", json_integer(1), 60000), 0);
	assert_int_equal(set(f, scope, "y", json_integer(1), 60000), 0);
	assert_int_equal(set(f, scope, "x", json_integer(2), -1), 0);
	assert_int_equal(kv_find(f->engine, scope, "x", &kv, NULL), 0);
	assert_true(kv.expires_ms > time_now_ms());
	assert_int_equal(set(f, scope, "x", json_integer(3), 0), 0);
	assert_int_equal(kv_find(f->engine, scope, "x", &kv, NULL), 0);
	assert_int_equal(kv.expires_ms, 0);
	assert_int_equal(kv_set_ttl(f->engine, scope, "x", 50000), 0);
	assert_int_equal(kv_set_ttl(f->engine, scope, "none", 50000), -ENOENT);
	expire_all(f);
	assert_int_equal(kv_find(f->engine, scope, "x", NULL, NULL), -ENOENT);
	assert_int_equal(kv_delete(f->engine, scope, "x"), -ENOENT);
	assert_int_equal(kv_each(f->engine, scope, count_kv, &count), 0);
	assert_int_equal(count, 0);
	/* What was there does not count any more, and its end is not inherited. */
	assert_int_equal(set(f, scope, "x", json_integer(4), -1), 0);
	assert_int_equal(kv_find(f->engine, scope, "x", &kv, NULL), 0);
	assert_int_equal(kv.expires_ms, 0);
}

static void test_numbers(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = scope_of(f);
	json_t *one = json_integer(1), *half = json_real(0.5), *most = json_integer(INT64_MAX), *value;

	assert_int_equal(kv_increment(f->engine, scope, "n", one, &f->fault, &value), 0);
	assert_true(json_is_integer(value));
	json_decref(value);
	assert_int_equal(kv_increment(f->engine, scope, "n", half, &f->fault, &value), 0);
	json_decref(value);
	assert_value(f, scope, "n", "1.5");
	set(f, scope, "s", json_string("x"), 0);
	assert_int_equal(kv_increment(f->engine, scope, "s", one, &f->fault, &value), -EINVAL);
	assert_int_equal(kv_increment(f->engine, scope, "m", most, &f->fault, NULL), 0);
	assert_int_equal(kv_increment(f->engine, scope, "m", one, &f->fault, &value), -EINVAL);
	assert_int_equal(kv_append(f->engine, scope, "s", "y", &f->fault, &value), 0);
	assert_string_equal(json_string_value(value), "xy");
	json_decref(value);
	assert_int_equal(kv_append(f->engine, scope, "n", "y", &f->fault, &value), -EINVAL);
	json_decref(one);
	json_decref(half);
	json_decref(most);
}

static void test_compare_swap(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = scope_of(f);
	json_t *one = json_integer(1), *two = json_integer(2);

	assert_int_equal(kv_compare_swap(f->engine, scope, "x", two, one), 0);
	assert_int_equal(kv_compare_swap(f->engine, scope, "x", NULL, one), 1);
	assert_int_equal(kv_compare_swap(f->engine, scope, "x", NULL, two), 0);
	assert_int_equal(kv_compare_swap(f->engine, scope, "x", two, one), 0);
	assert_int_equal(kv_compare_swap(f->engine, scope, "x", one, two), 1);
	assert_value(f, scope, "x", "2");
	json_decref(one);
	json_decref(two);
}

static void test_lists(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = scope_of(f);
	json_t *one = json_integer(1), *value;
	int64_t length;

	assert_int_equal(kv_list_pop(f->engine, scope, "l", &f->fault, &value), 0);
	assert_null(value);
	assert_int_equal(kv_list_push(f->engine, scope, "l", one, &f->fault, &length), 0);
	assert_int_equal(kv_list_push(f->engine, scope, "l", one, &f->fault, &length), 0);
	assert_int_equal(length, 2);
	assert_int_equal(kv_list_pop(f->engine, scope, "l", &f->fault, &value), 0);
	assert_int_equal(json_integer_value(value), 1);
	json_decref(value);
	assert_value(f, scope, "l", "[1]");
	set(f, scope, "n", json_integer(1), 0);
	assert_int_equal(kv_list_push(f->engine, scope, "n", one, &f->fault, &length), -EINVAL);
	assert_int_equal(kv_list_pop(f->engine, scope, "n", &f->fault, &value), -EINVAL);
	json_decref(one);
}

static int count_namespace(void *userdata, const struct kv_namespace *ns)
{
	(*(int *)userdata)++;
	return 0;
}

static void test_namespaces(void **state)
{
	struct fixture *f = *state;
	struct kv_scope mine = scope_of(f), scope = { 0 };
	struct kv_namespace ns;
	int count = 0;

	assert_int_equal(kv_namespace_create(f->engine, &f->alice, "n", 0750, &scope.namespace_id), 0);
	assert_int_equal(kv_namespace_create(f->engine, &f->bob, "n", 0750, &scope.namespace_id), -EEXIST);
	assert_int_equal(kv_namespace_create(f->engine, &f->bob, "", 0750, &scope.namespace_id), -EINVAL);
	assert_int_equal(kv_namespace_find(f->engine, "n", &ns), 0);
	assert_int_equal(ns.uid, f->alice.uid);
	assert_int_equal(ns.mode, 0750);
	assert_int_equal(kv_namespace_find(f->engine, "m", &ns), -ENOENT);
	set(f, scope, "x", json_integer(1), 60000);
	/* Numbers of stacks and namespaces may be the same. */
	assert_int_equal(kv_find(f->engine, mine, "x", NULL, NULL), -ENOENT);
	assert_int_equal(kv_namespace_delete(f->engine, scope.namespace_id), -ENOTEMPTY);
	expire_all(f);
	assert_int_equal(kv_namespace_delete(f->engine, scope.namespace_id), 0);
	assert_int_equal(kv_namespace_delete(f->engine, scope.namespace_id), -ENOENT);
	assert_int_equal(kv_namespace_each(f->engine, count_namespace, &count), 0);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_types),
		TEST(test_ttl),
		TEST(test_numbers),
		TEST(test_compare_swap),
		TEST(test_lists),
		TEST(test_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
