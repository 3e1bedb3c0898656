/* SPDX-License-Identifier: MIT */
/* Blame within a resource: since when each attribute is as it is; and names as people write them. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/blame.h"
#include "engine/compare.h"
#include "engine/snapshot.h"
#include "engine/version-show.h"

static const char name[] = "/etc/app.conf\x1b";

/* Each in a version of its own. */
static int64_t put(struct fixture *f, int64_t stack_id, const char *properties, int protect)
{
	json_auto_t *value = json_loads(properties, 0, NULL);
	struct resource_draft draft = {
		.type = "file", .name = name, .module = "file_ops", .properties = value, .protect = protect
	};
	enum resource_result result;
	int64_t id;

	assert_non_null(value);
	assert_int_equal(resource_put(f->engine, &f->alice, stack_id, &draft, &f->fault, &result, &id), 0);
	return id;
}

static json_t *blame(struct fixture *f, int64_t id)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	json_t *list;

	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	assert_int_equal(resource_blame_json(f->engine, &resource, &f->fault, &list), 0);
	return list;
}

/* The version of an attribute; 0: it has none of that path. */
static int64_t since(struct fixture *f, int64_t id, const char *attribute)
{
	json_auto_t *list = blame(f, id);
	json_t *object;
	size_t i;

	json_array_foreach (list, i, object)
		if (!strcmp(json_string_value(json_object_get(object, "attribute")), attribute))
			return json_integer_value(json_object_get(object, "version"));
	return 0;
}

static void test_attributes(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "web"); /* v1 */
	int64_t id = put(f, stack, "{\"mode\": \"0644\", \"env\": {\"a\": 1, \"b\": [1]}, \"none\": {}}", 0);

	assert_int_equal(since(f, id, "properties.mode"), 2);
	put(f, stack, "{\"mode\": \"0600\", \"env\": {\"a\": 1, \"b\": [1]}, \"none\": {}}", 0);
	put(f, stack, "{\"mode\": \"0600\", \"env\": {\"a\": 1, \"b\": [1, 2]}, \"none\": {}}", 1);
	put(f, stack, "{\"mode\": \"0600\", \"env\": {\"a\": 2, \"b\": [1, 2]}, \"none\": {}, \"new\": 1}",
		1);
	put(f, stack, "{\"mode\": \"0600\", \"env\": {\"a\": 1, \"b\": [1, 2]}, \"none\": {}, \"new\": 1}",
		1);
	assert_int_equal(since(f, id, "properties.mode"), 3);
	assert_int_equal(since(f, id, "properties.env.b"), 4);
	assert_int_equal(since(f, id, "protect"), 4);
	assert_int_equal(since(f, id, "properties.new"), 5);
	assert_int_equal(since(f, id, "properties.env.a"), 6); /* not 2: it was another in between */
	assert_int_equal(since(f, id, "properties.none"), 2);
	assert_int_equal(since(f, id, "module"), 2);
	assert_int_equal(since(f, id, "properties.env"), 0);
	assert_int_equal(since(f, id, "name"), 0);
}

static void test_removed_between(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "web");
	int64_t id = put(f, stack, "{\"mode\": \"0644\"}", 0);
	struct snapshot_request request = { .description = "without" };
	struct version version;
	int64_t number;

	assert_int_equal(resource_delete(f->engine, &f->alice, id, &f->fault), 0); /* v3 */
	assert_int_equal(snapshot_create(f->engine, &f->alice, stack, &request, &f->fault, &number), 0);
	id = put(f, stack, "{\"mode\": \"0644\"}", 0);
	assert_int_equal(since(f, id, "properties.mode"), 5);

	/* What is left shows no more that it was gone. */
	for (number = 3; number <= 4; number++) {
		assert_int_equal(version_find(f->engine, stack, number, &version), 0);
		assert_int_equal(snapshot_delete(f->engine, &f->alice, version.id, &f->fault), 0);
	}
	assert_int_equal(since(f, id, "properties.mode"), 2);
}

static void test_lines(void **state)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	CLEANUP(cleanup_free) char *lines = NULL;
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "web");
	int64_t id = put(f, stack, "{\"a\\nb\": 1}", 0);

	f->alice.run_id = 7;
	put(f, stack, "{\"a\\nb\": 1, \"mode\": \"0644\"}", 0);
	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	lines = SHOWN(assert_int_equal(resource_blame_show(f->engine, &resource, &f->fault, out), 0));
	assert_contains(lines, "properties.a\\nb\n");
	assert_contains(lines, "v3 ");
	assert_contains(lines, "properties.mode  run 7\n");
	assert_null(strstr(lines, "0644")); /* who and when, not what */
}

/* Where people read: decoded, and nothing that a terminal obeys. In JSON as in the tree. */
static void test_names(void **state)
{
	CLEANUP(cleanup_free) char *history = NULL, *lines = NULL, *compared = NULL;
	json_auto_t *changes = NULL, *list = NULL;
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "web");

	put(f, stack, "{\"mode\": \"0644\"}", 0);
	put(f, stack, "{\"mode\": \"0600\"}", 0);
	history = SHOWN(version_show_history(f->engine, stack, out));
	assert_contains(history, "  resource file//etc/app.conf\\x1b\n");
	lines = SHOWN(version_show_blame(f->engine, stack, out));
	assert_contains(lines, "  resource file//etc/app.conf\\x1b\n");
	assert_int_equal(version_compare(f->engine, stack, 2, 3, &f->fault, &changes), 0);
	compared = SHOWN(compare_show(changes, out));
	assert_string_equal(compared, "~ resource file//etc/app.conf\\x1b: properties.mode: 0644 -> 0600\n");
	assert_string_equal(json_string_value(json_object_get(json_array_get(changes, 0), "name")),
		"file/%2Fetc%2Fapp.conf%1B");
	assert_int_equal(version_blame_json(f->engine, stack, &list), 0);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "name")),
		"file/%2Fetc%2Fapp.conf%1B");
}

static void assert_readable(const char *encoded, const char *wanted)
{
	CLEANUP(cleanup_free) char *readable = name_readable(encoded);

	assert_string_equal(readable, wanted);
}

static void test_readable(void **state)
{
	assert_readable("", "");
	assert_readable("file/%2Fetc%2Fa%20b", "file//etc/a b");
	assert_readable("%C3%A9", "é");
	assert_readable("a%C3", "a%C3"); /* no text */
	assert_readable("a%00b", "a%00b");
	assert_readable("a%2", "a%2");
	assert_readable("a%zz%2F", "a%zz%2F");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_attributes),
		TEST(test_removed_between),
		TEST(test_lines),
		TEST(test_names),
		cmocka_unit_test(test_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
