/* SPDX-License-Identifier: MIT */
/* Keys and values. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <string.h>

#include "engine/clock.h"
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
	assert_int_equal(set(f, scope, "", json_true(), 0), -EINVAL);
	assert_int_equal(set(f, scope, "\xff", json_true(), 0), -EINVAL);
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

/* Any text is a name, as long as the tree can show it. */
static void test_names(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = scope_of(f);
	char name[NAME_SIZE + 1];

	assert_int_equal(set(f, scope, "/etc/motd \xc3\xbc", json_true(), 0), 0);
	assert_value(f, scope, "/etc/motd \xc3\xbc", "true");
	memset(name, 'a', sizeof(name));
	name[NAME_SIZE] = '\0';
	assert_int_equal(kv_name_check(name, &f->fault), -EINVAL);
	name[NAME_MAX_LENGTH] = '\0';
	assert_int_equal(kv_name_check(name, &f->fault), 0);
	memset(name, '/', 86);
	name[85] = '\0';
	assert_int_equal(kv_name_check(name, &f->fault), 0);
	name[85] = '/';
	name[86] = '\0';
	assert_int_equal(kv_name_check(name, &f->fault), -EINVAL);
	assert_non_null(strstr(f->fault.text, "258"));
}

static void assert_parsed(struct fixture *f, const char *text, const char *type, const char *expected)
{
	json_t *value = NULL;
	int r = kv_value_parse(text, strlen(text), type, &f->fault, &value);
	char *got;

	assert_int_equal(r, expected ? 0 : -EINVAL);
	if (r < 0)
		return;
	got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	assert_string_equal(got, expected);
	free(got);
	json_decref(value);
}

static void test_values_as_written(void **state)
{
	struct fixture *f = *state;

	assert_parsed(f, "5", NULL, "\"5\"");
	assert_parsed(f, "5", "number", "5");
	assert_parsed(f, "5", "json", "5");
	assert_parsed(f, "[1]", "array", "[1]");
	assert_parsed(f, "[1]", "number", NULL);
	assert_parsed(f, "x", "json", NULL);
	assert_parsed(f, "null", "json", NULL);
	assert_parsed(f, "5", "integer", NULL);
	assert_parsed(f, "\xff", "string", NULL);
	assert_parsed(f, "{\"a\":1,\"a\":2}", "json", NULL);
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

static void end_loop(struct ev_loop *loop, ev_timer *timer, int events)
{
	ev_break(loop, EVBREAK_ALL);
}

/* More than a slice has; they go by themselves, and the tree is told. */
static void test_timer(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = scope_of(f);
	int64_t rows = 1;
	ev_timer guard;
	char name[16];

	for (int i = 0; i < 1200; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		assert_int_equal(set(f, scope, name, json_integer(i), 20), 0);
	}
	assert_int_equal(set(f, scope, "stays", json_true(), 0), 0);
	ev_timer_init(&guard, end_loop, 60, 0);
	ev_timer_start(f->loop, &guard);
	while (rows > 0 && ev_is_active(&guard)) {
		ev_run(f->loop, EVRUN_ONCE);
		assert_int_equal(engine_turn_end(f->engine), 0);
		assert_int_equal(store_get_int(f->engine->store, &rows, SQL_KV_NEXT_EXPIRY, ""), 0);
	}
	assert_true(ev_is_active(&guard));
	ev_timer_stop(f->loop, &guard);
	assert_value(f, scope, "stays", "true");
}

/* Whoever sets the time ends nothing: the clock is the one with which the boot's first daemon began. */
static void test_clock(void **state)
{
	struct fixture *f = *state;
	int64_t before = clock_now_ms(f->engine);

	assert_true(before - time_now_ms() < 1000 && time_now_ms() - before < 1000);
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(sqlite3_exec(f->engine->store->db, "UPDATE clock SET base_ms = base_ms + 3600000",
				 NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(clock_init(f->engine), 0);
	assert_true(clock_now_ms(f->engine) - before >= 3600000);
	assert_true(clock_to_wall(f->engine, clock_now_ms(f->engine)) - time_now_ms() < 1000);
	/* Another boot: the wall clock is asked again. */
	assert_int_equal(
		sqlite3_exec(f->engine->store->db, "UPDATE clock SET boot_id = 'other'", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(clock_init(f->engine), 0);
	assert_true(clock_now_ms(f->engine) - before < 3600000);
}

/* A flood ends at max_keys, whatever came and went before. */
static void test_too_many(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = scope_of(f), other = { 0 };
	struct store_change change = { 0 };

	assert_int_equal(kv_namespace_create(f->engine, &f->alice, "n", 0750, NULL, &other.namespace_id), 0);
	f->engine->config.max_keys = 3;
	for (int i = 0; i < 3; i++)
		assert_int_equal(set(f, scope, (char[]){ (char)('a' + i), '\0' }, json_true(), 0), 0);
	assert_int_equal(set(f, scope, "d", json_true(), 0), -EDQUOT);
	kv_explain(f->engine, -EDQUOT, &f->fault);
	assert_non_null(strstr(f->fault.text, "max_keys (3)"));
	assert_int_equal(set(f, scope, "a", json_false(), 0), 0);
	assert_int_equal(set(f, other, "d", json_true(), 0), 0);
	assert_int_equal(kv_delete(f->engine, scope, "a"), 0);
	/* What is undone does not count. */
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(set(f, scope, "e", json_true(), 0), 0);
	store_change_cancel(&change);
	assert_int_equal(set(f, scope, "f", json_true(), 20), 0);
	assert_int_equal(set(f, scope, "g", json_true(), 0), -EDQUOT);
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
	set(f, scope, "t", json_string("41"), 0); /* what echo wrote */
	assert_int_equal(kv_increment(f->engine, scope, "t", one, &f->fault, &value), 0);
	json_decref(value);
	assert_value(f, scope, "t", "42");
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

	assert_int_equal(kv_namespace_create(f->engine, &f->alice, "n", 0750, NULL, &scope.namespace_id), 0);
	assert_int_equal(
		kv_namespace_create(f->engine, &f->bob, "n", 0750, NULL, &scope.namespace_id), -EEXIST);
	assert_int_equal(
		kv_namespace_create(f->engine, &f->bob, "", 0750, NULL, &scope.namespace_id), -EINVAL);
	assert_int_equal(kv_namespace_find(f->engine, "n", &ns), 0);
	assert_int_equal(ns.uid, f->alice.uid);
	assert_int_equal(ns.mode, 0750);
	assert_int_equal(kv_namespace_find(f->engine, "m", &ns), -ENOENT);
	set(f, scope, "x", json_integer(1), 60000);
	/* Numbers of stacks and namespaces may be the same. */
	assert_int_equal(kv_find(f->engine, mine, "x", NULL, NULL), -ENOENT);
	assert_int_equal(kv_namespace_delete(f->engine, &f->alice, scope.namespace_id), -ENOTEMPTY);
	expire_all(f);
	assert_int_equal(kv_namespace_delete(f->engine, &f->alice, scope.namespace_id), 0);
	assert_int_equal(kv_namespace_delete(f->engine, &f->alice, scope.namespace_id), -ENOENT);
	assert_int_equal(kv_namespace_each(f->engine, count_namespace, &count), 0);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_types),
		TEST(test_names),
		TEST(test_values_as_written),
		TEST(test_ttl),
		TEST(test_timer),
		TEST(test_too_many),
		TEST(test_clock),
		TEST(test_numbers),
		TEST(test_compare_swap),
		TEST(test_lists),
		TEST(test_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
