/* SPDX-License-Identifier: MIT */
/* Versions: what makes one, what a version has in it, and contents that are damaged. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/content.h"
#include "engine/kv.h"
#include "engine/output.h"
#include "engine/store/private.h"
#include "engine/version.h"

static int64_t last(struct fixture *f, int64_t id)
{
	int64_t number = 0;

	while (version_find(f->engine, id, number + 1, &(struct version){ 0 }) == 0)
		number++;
	return number;
}

static void assert_what(struct fixture *f, int64_t id, int64_t number, const char *what)
{
	struct version version;

	assert_int_equal(version_find(f->engine, id, number, &version), 0);
	assert_string_equal(version.what, what);
	assert_int_equal(version.number, number);
	assert_true(version.time_ms > 0);
}

/* The item as it was then; NULL: there was none. */
static void assert_item(struct fixture *f, int64_t id, enum version_kind kind, const char *name,
	int64_t number, const char *content)
{
	CLEANUP(buffer_done) struct buffer buffer = { 0 };
	struct version_item item;
	int r = version_item_find(f->engine, id, kind, name, number, &item);

	if (!content) {
		assert_int_equal(r, -ENOENT);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(version_item_read(f->engine, &item, &f->fault, &buffer), 0);
	assert_string_equal(buffer_text(&buffer), content);
}

static void test_each_change(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct version version;

	assert_int_equal(last(f, id), 1);
	assert_what(f, id, 1, "created");
	fixture_output(f, id, "url", json_string("http://a"));
	fixture_output(f, id, "url", json_string("http://b"));
	fixture_output(f, id, "url", json_string("http://b")); /* the same again is no change */
	assert_int_equal(last(f, id), 3);
	assert_what(f, id, 2, "output url");
	assert_int_equal(version_find(f->engine, id, 3, &version), 0);
	assert_int_equal(version.uid, f->alice.uid);
	assert_item(f, id, VERSION_OUTPUT, "url", 1, NULL);
	assert_item(f, id, VERSION_OUTPUT, "url", 2, "\"http://a\"");
	assert_item(f, id, VERSION_OUTPUT, "url", 3, "\"http://b\"");
	assert_item(f, id, VERSION_OUTPUT, "url", 0, "\"http://b\"");
	assert_int_equal(output_delete(f->engine, &f->alice, id, "url", &f->fault), 0);
	assert_what(f, id, 4, "output url removed");
	assert_item(f, id, VERSION_OUTPUT, "url", 3, "\"http://b\"");
	assert_item(f, id, VERSION_OUTPUT, "url", 4, NULL);
	assert_item(f, id, VERSION_OUTPUT, "url", 0, NULL);
}

static void test_meta_and_texts(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	assert_int_equal(stack_rename(f->engine, &f->alice, id, "b", &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0700, &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0700, &f->fault), 0);
	assert_int_equal(stack_set_text(f->engine, &f->alice, id, STACK_DESCRIPTION, "x\n", 2, &f->fault), 0);
	assert_int_equal(last(f, id), 4);
	assert_item(f, id, VERSION_META, "meta", 1,
		"{\"group\":\"54321\",\"mode\":\"0777\",\"name\":\"a\",\"owner\":\"54321\"}");
	assert_item(f, id, VERSION_META, "meta", 3,
		"{\"group\":\"54321\",\"mode\":\"0700\",\"name\":\"b\",\"owner\":\"54321\"}");
	assert_item(f, id, VERSION_TEXT, "description", 3, NULL);
	assert_item(f, id, VERSION_TEXT, "description", 4, "x");
	assert_what(f, id, 4, "description");
}

static void test_keys(void **state)
{
	struct fixture *f = *state;
	struct kv_scope scope = { .stack_id = fixture_stack(f, "a"), .caller = &f->alice };
	int64_t id = scope.stack_id;
	json_auto_t *one = json_integer(1), *two = json_integer(2);

	assert_int_equal(kv_set(f->engine, scope, "k", one, 0), 0);
	assert_int_equal(kv_set(f->engine, scope, "fleeting", one, 60000), 0);
	assert_int_equal(last(f, id), 2);
	assert_item(f, id, VERSION_STATE, "k", 2, "1");
	assert_item(f, id, VERSION_STATE, "fleeting", 0, NULL);
	assert_int_equal(kv_set_ttl(f->engine, scope, "k", 60000), 0);
	assert_item(f, id, VERSION_STATE, "k", 0, NULL);
	assert_int_equal(kv_set_ttl(f->engine, scope, "k", 0), 0);
	assert_item(f, id, VERSION_STATE, "k", 0, "1");
	assert_int_equal(kv_set(f->engine, scope, "k", two, -1), 0);
	assert_int_equal(kv_delete(f->engine, scope, "k"), 0);
	assert_int_equal(last(f, id), 6);
	assert_item(f, id, VERSION_STATE, "k", 5, "2");
	assert_item(f, id, VERSION_STATE, "k", 6, NULL);
}

/* What belongs together is one version; what is undone is in none. */
static void test_one_change(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), other = fixture_stack(f, "b");
	struct store_change outer = { 0 }, inner = { 0 };

	assert_int_equal(store_change_begin(f->engine->store, &outer), 0);
	fixture_output(f, id, "a", json_string("1"));
	fixture_output(f, other, "x", json_string("1"));
	fixture_output(f, id, "b", json_string("1"));
	assert_int_equal(store_change_begin(f->engine->store, &inner), 0);
	fixture_output(f, id, "c", json_string("1"));
	store_change_cancel(&inner);
	fixture_output(f, id, "a", json_string("2"));
	assert_int_equal(output_delete(f->engine, &f->alice, id, "b", &f->fault), 0);
	assert_int_equal(store_change_end(&outer), 0);
	assert_int_equal(last(f, id), 2);
	assert_int_equal(last(f, other), 2);
	assert_what(f, id, 2, "output a, +3 more");
	assert_item(f, id, VERSION_OUTPUT, "a", 0, "\"2\"");
	assert_item(f, id, VERSION_OUTPUT, "b", 0, NULL);
	assert_item(f, id, VERSION_OUTPUT, "c", 0, NULL);

	/* The version itself was made by the part that is undone. */
	outer = (struct store_change){ 0 };
	inner = (struct store_change){ 0 };
	assert_int_equal(store_change_begin(f->engine->store, &outer), 0);
	assert_int_equal(store_change_begin(f->engine->store, &inner), 0);
	fixture_output(f, id, "c", json_string("1"));
	store_change_cancel(&inner);
	fixture_output(f, other, "x", json_string("2"));
	fixture_output(f, id, "d", json_string("1"));
	assert_int_equal(store_change_end(&outer), 0);
	assert_int_equal(last(f, id), 3);
	assert_what(f, id, 3, "output d");
	assert_item(f, id, VERSION_OUTPUT, "d", 3, "\"1\"");

	/* Taken away and put back: never gone. */
	outer = (struct store_change){ 0 };
	assert_int_equal(store_change_begin(f->engine->store, &outer), 0);
	assert_int_equal(output_delete(f->engine, &f->alice, id, "d", &f->fault), 0);
	fixture_output(f, id, "d", json_string("1"));
	assert_int_equal(store_change_end(&outer), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM items WHERE name = 'd'"), 1);
	assert_item(f, id, VERSION_OUTPUT, "d", 0, "\"1\"");
}

/* A document of 20 KB that changes a little each time. */
static void document(char *text, size_t size, int turn)
{
	int n = 0;

	for (int i = 0; (size_t)n + 80 < size; i++)
		n += snprintf(text + n, size - (size_t)n, "key%d: \"%d-%x\"\n", i,
			i == turn ? turn + 1000 : i, i * 2654435761u);
}

static void test_differences(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), size;
	char text[20000];

	for (int i = 0; i < 200; i++) {
		document(text, sizeof(text), i);
		assert_int_equal(
			stack_set_text(f->engine, &f->alice, id, STACK_VALUES, text, strlen(text), &f->fault),
			0);
	}
	for (int i = 0; i < 200; i++) {
		document(text, sizeof(text), i);
		assert_item(f, id, VERSION_TEXT, "values", 2 + i, text);
	}
	size = fixture_query(f, "SELECT SUM(LENGTH(data)) FROM contents");
	assert_true(size < 200 * 500);
	assert_true(fixture_query(f, "SELECT MAX(depth) FROM contents") > 8);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM contents"), 201);
}

static void test_damaged(void **state)
{
	static const char *const damages[] = {
		"UPDATE contents SET data = X'22782022' WHERE size = 4",
		"UPDATE contents SET data = X'28B52FFD' WHERE size > 60",
		"UPDATE contents SET base_id = id WHERE size > 60",
		"UPDATE contents SET size = 1 << 40 WHERE size > 60",
		"UPDATE contents SET hash = zeroblob(32) WHERE size > 60 AND size < 1000",
	};
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "prod");
	char text[100];

	memset(text, 'x', 99);
	text[99] = '\0';
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		CLEANUP(buffer_done) struct buffer buffer = { 0 };
		struct version_item item;
		char name[8];

		text[0] = (char)('a' + i);
		snprintf(name, sizeof(name), "o%zu", i);
		fixture_output(f, id, name, json_string(i == 0 ? "ab" : text));
		fixture_sql(f, damages[i]);
		assert_int_equal(version_item_find(f->engine, id, VERSION_OUTPUT, name, 0, &item), 0);
		assert_int_equal(version_item_read(f->engine, &item, &f->fault, &buffer), -EBADMSG);
		assert_contains(f->fault.text, "stack prod, version v");
		assert_contains(f->fault.text, name);
		fixture_sql(f,
			"DELETE FROM items WHERE kind = 'output'; DELETE FROM contents WHERE size > 99 OR "
			"size = 4");
	}
}

/* Nothing is left of what nobody refers to. */
static void test_references(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), first, second, third;
	struct store_change change = { 0 };
	CLEANUP(buffer_done) struct buffer buffer = { 0 };
	char text[500];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i * i % 23);
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(content_keep(f->engine, text, sizeof(text), 0, &first), 0);
	assert_int_equal(content_keep(f->engine, text, sizeof(text), 0, &second), 0);
	assert_int_equal(first, second);
	text[7] = '!';
	assert_int_equal(content_keep(f->engine, text, sizeof(text), first, &second), 0);
	text[8] = '!';
	assert_int_equal(content_keep(f->engine, text, sizeof(text), second, &third), 0);
	assert_int_equal(content_release(f->engine, first), 0);
	assert_int_equal(content_release(f->engine, first), 0);
	assert_int_equal(content_release(f->engine, second), 0);
	/* The last still stands on them. */
	assert_int_equal(content_read(f->engine, third, &buffer), 0);
	assert_int_equal(buffer.size, sizeof(text));
	assert_memory_equal(buffer.data, text, sizeof(text));
	assert_int_equal(content_release(f->engine, third), 0);
	assert_int_equal(content_release(f->engine, third), -EBADMSG);
	assert_int_equal(store_change_end(&change), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM contents"), 1); /* meta */
	assert_int_equal(last(f, id), 1);
}

/* A database that is older than versions. */
static void test_baseline(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct kv_scope scope = { .stack_id = id };
	json_auto_t *one = json_integer(1);

	fixture_output(f, id, "url", json_string("x"));
	assert_int_equal(kv_set(f->engine, scope, "k", one, 0), 0);
	assert_int_equal(kv_set(f->engine, scope, "fleeting", one, 60000), 0);
	assert_int_equal(stack_set_text(f->engine, &f->alice, id, STACK_VALUES, "a: 1\n", 5, &f->fault), 0);
	fixture_sql(f, "DELETE FROM items; DELETE FROM versions; DELETE FROM contents; UPDATE stacks SET "
		       "last_version = 0");
	assert_int_equal(last(f, id), 1);
	assert_what(f, id, 1, "as it was before versions");
	assert_item(f, id, VERSION_OUTPUT, "url", 1, "\"x\"");
	assert_item(f, id, VERSION_STATE, "k", 1, "1");
	assert_item(f, id, VERSION_STATE, "fleeting", 1, NULL);
	assert_item(f, id, VERSION_TEXT, "values", 1, "a: 1\n");
	fixture_restart(f);
	assert_int_equal(last(f, id), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_change),
		TEST(test_meta_and_texts),
		TEST(test_keys),
		TEST(test_one_change),
		TEST(test_differences),
		TEST(test_damaged),
		TEST(test_references),
		TEST(test_baseline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
