/* SPDX-License-Identifier: MIT */
/* Resources: registering, what follows from it, dependencies, protection, refusals. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/lock.h"
#include "engine/resource.h"

/* Registers TYPE/NAME with what the JSON says (properties, dependencies, …), as a workflow does. */
static int put(struct fixture *f, struct caller *caller, int64_t stack_id, const char *type, const char *name,
	const char *json, int64_t *ret_id)
{
	json_auto_t *args = json_loads(json, 0, NULL);
	const json_t *protect = json_object_get(args, "protect");
	struct resource_draft draft = {
		.type = type,
		.name = name,
		.module = json_string_value(json_object_get(args, "module")),
		.properties = json_object_get(args, "properties"),
		.dependencies = json_object_get(args, "dependencies"),
		.protect = protect ? json_is_true(protect) : -1,
		.status = json_string_value(json_object_get(args, "status")),
		.error = json_string_value(json_object_get(args, "error")),
		.actual = json_object_get(args, "actual"),
		.applied = json_object_get(args, "applied"),
		.update = json_object_get(args, "update") != NULL,
	};
	enum resource_result result;
	int64_t id;
	int r;

	assert_non_null(args);
	f->fault.text[0] = '\0';
	r = resource_put(f->engine, caller, stack_id, &draft, &f->fault, &result, &id);
	if (r == 0 && ret_id)
		*ret_id = id;
	return r < 0 ? r : (int)result;
}

static char *json_of(struct fixture *f, int64_t id, bool states)
{
	CLEANUP(resource_done) struct resource resource = { 0 };

	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	return SHOWN(resource_write_json(f->engine, &resource, states, out));
}

static void assert_json(struct fixture *f, int64_t id, const char *part)
{
	CLEANUP(cleanup_free) char *text = json_of(f, id, true);
	json_auto_t *value = json_loads(text, 0, NULL);
	CLEANUP(cleanup_free) char *sorted = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT);

	assert_non_null(value);
	assert_string_equal(sorted, text); /* canonical, though nobody has sorted it */
	assert_contains(text, part);
}

static void test_register(void **state)
{
	struct fixture *f = *state;
	int64_t id, stack = fixture_stack(f, "a"), again, events;

	assert_int_equal(
		put(f, &f->alice, stack, "file", "/etc/motd",
			"{\"module\": \"file_ops\", \"properties\": {\"mode\": \"0644\", \"a\": 1}}", &id),
		RESOURCE_CREATED);
	assert_json(f, id, "\"action\":\"create\",\"actual\":null,\"applied\":null,");
	assert_json(f, id,
		"\"path\":\"file/"
		"%2Fetc%2Fmotd\",\"properties\":{\"a\":1,\"mode\":\"0644\"},\"protect\":false");
	assert_json(f, id, "\"status\":\"pending\",\"type\":\"file\"");
	assert_json(f, id, "\"checksum\":\"930fd633395a689852c3dbfb9c8b3794");
	events = event_last(f->engine);
	assert_int_equal(put(f, &f->alice, stack, "file", "/etc/motd",
				 "{\"properties\": {\"a\": 1, \"mode\": \"0644\"}}", &again),
		RESOURCE_UNCHANGED);
	assert_int_equal(again, id);
	assert_int_equal(event_last(f->engine), events); /* nothing was written */
	assert_int_equal(put(f, &f->alice, stack, "file", "/etc/motd",
				 "{\"properties\": {\"mode\": \"0600\"}}", &again),
		RESOURCE_CHANGED);
	assert_json(f, id, "\"action\":\"update\"");
	assert_json(f, id, "\"module\":\"file_ops\"");
	assert_int_equal(event_last(f->engine), events + 1);
}

static int last_event(void *userdata, const struct event *event)
{
	snprintf(userdata, 512, "%s", event->json);
	return 0;
}

static void test_events_name_no_values(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");
	char text[512];

	put(f, &f->alice, stack, "user", "bob", "{\"properties\": {\"password\": \"canary\", \"uid\": 1}}",
		NULL);
	put(f, &f->alice, stack, "user", "bob", "{\"properties\": {\"password\": \"canary2\", \"uid\": 1}}",
		NULL);
	assert_int_equal(event_each(f->engine, 0, stack, last_event, text), 0);
	assert_contains(text, "resource.changed");
	assert_contains(text, "\"keys\":[\"password\"]");
	assert_null(strstr(text, "canary"));
}

static void test_status(void **state)
{
	struct fixture *f = *state;
	int64_t id, stack = fixture_stack(f, "a");

	put(f, &f->alice, stack, "service", "nginx", "{\"properties\": {\"state\": \"running\"}}", &id);
	/* It is not something else that is desired. */
	assert_int_equal(put(f, &f->alice, stack, "service", "nginx", "{\"status\": \"applied\"}", NULL),
		RESOURCE_UNCHANGED);
	assert_json(f, id, "\"applied\":{\"state\":\"running\"}");
	assert_json(f, id, "\"status\":\"applied\"");
	put(f, &f->alice, stack, "service", "nginx", "{\"status\": \"failed\", \"error\": \"no\\nport\"}",
		NULL);
	assert_json(f, id, "\"error\":\"no\\nport\"");
	put(f, &f->alice, stack, "service", "nginx",
		"{\"status\": \"drifted\", \"actual\": {\"state\": \"stopped\"}}", NULL);
	assert_json(f, id, "\"actual\":{\"state\":\"stopped\"},\"applied\":{\"state\":\"running\"}");
	assert_json(f, id, "\"action\":\"create\""); /* what is desired is as it was */
	assert_json(f, id, "\"error\":\"\"");
	put(f, &f->alice, stack, "service", "nginx", "{\"properties\": {\"state\": \"stopped\"}}", NULL);
	assert_json(f, id, "\"applied\":{\"state\":\"running\"}");
	assert_json(f, id, "\"status\":\"pending\"");
	put(f, &f->alice, stack, "service", "nginx", "{\"actual\": null, \"applied\": null}", NULL);
	assert_json(f, id, "\"actual\":null,\"applied\":null");
}

static void test_update(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");

	assert_int_equal(put(f, &f->alice, stack, "file", "x", "{\"update\": true}", NULL), -ENOENT);
	assert_contains(f->fault.text, "stack a has no resource file/x");
	put(f, &f->alice, stack, "file", "x", "{}", NULL);
	assert_int_equal(
		put(f, &f->alice, stack, "file", "x", "{\"update\": true, \"properties\": {\"a\": 1}}", NULL),
		RESOURCE_CHANGED);
}

static void test_delete(void **state)
{
	struct fixture *f = *state;
	int64_t id, found, stack = fixture_stack(f, "a"), count;

	put(f, &f->alice, stack, "file", "x", "{\"protect\": true}", &id);
	assert_int_equal(resource_delete(f->engine, &f->root, id, &f->fault), -EPERM);
	assert_contains(f->fault.text, "stacks/a/resources/file/x/protect");
	assert_int_equal(stack_destroy(f->engine, &f->alice, stack, &f->fault), -EPERM);
	assert_contains(f->fault.text, "1 protected resource (file/x)");
	/* What says nothing of it leaves it. */
	put(f, &f->alice, stack, "file", "x", "{\"properties\": {\"a\": 1}}", NULL);
	assert_int_equal(resource_delete(f->engine, &f->alice, id, &f->fault), -EPERM);
	put(f, &f->alice, stack, "file", "x", "{\"protect\": false}", NULL);
	assert_int_equal(resource_delete(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(resource_delete(f->engine, &f->alice, id, &f->fault), -ENOENT);
	assert_int_equal(resource_find(f->engine, stack, "file", "x", &found), -ENOENT);
	assert_int_equal(resource_count(f->engine, stack, &count), 0);
	assert_int_equal(count, 0);
	put(f, &f->alice, stack, "file", "y", "{\"dependencies\": [\"file/x\"]}", &id);
	assert_int_equal(resource_count(f->engine, stack, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(stack_destroy(f->engine, &f->alice, stack, &f->fault), 0);
	assert_int_equal(resource_count(f->engine, stack, &count), -ENOENT);
}

static int edge_text(void *userdata, const struct resource_edge *edge)
{
	fprintf(userdata, "%s/%s %s%s;", edge->type, edge->name, edge->is_explicit ? "explicit" : "implicit",
		edge->known ? "" : " missing");
	return 0;
}

static void test_dependencies(void **state)
{
	struct fixture *f = *state;
	int64_t file, folder, stack = fixture_stack(f, "a");
	CLEANUP(cleanup_free) char *before = NULL, *after = NULL, *dependents = NULL;
	CLEANUP(resource_done) struct resource resource = { 0 };

	put(f, &f->alice, stack, "file", "/srv/www/index.html",
		"{\"properties\": {\"owner\": \"web\", \"list\": [\"package/nginx\", \"text/html\"]},"
		"\"dependencies\": [\"service/nginx\", {\"type\": \"x\", \"name\": \"y\"}, \"x/y\"]}",
		&file);
	before = SHOWN(resource_dependency_each(f->engine, file, edge_text, out));
	assert_string_equal(before, "service/nginx explicit missing;x/y explicit missing;");
	put(f, &f->alice, stack, "directory", "/srv", "{}", &folder);
	put(f, &f->alice, stack, "user", "web", "{}", NULL);
	put(f, &f->alice, stack, "package", "nginx", "{}", NULL);
	put(f, &f->alice, stack, "service", "nginx", "{}", NULL);
	put(f, &f->alice, fixture_stack(f, "b"), "directory", "/srv/www", "{}", NULL); /* of another stack */
	after = SHOWN(resource_dependency_each(f->engine, file, edge_text, out));
	assert_string_equal(after, "directory//srv implicit;package/nginx implicit;service/nginx explicit;"
				   "user/web implicit;x/y explicit missing;");
	assert_int_equal(resource_get(f->engine, folder, &resource), 0);
	dependents = SHOWN(resource_dependent_each(f->engine, &resource, edge_text, out));
	assert_string_equal(dependents, "file//srv/www/index.html implicit;");
	assert_json(f, file, "\"dependencies\":[\"service/nginx\",\"x/y\"]");
	/* The same in another order is the same. */
	assert_int_equal(put(f, &f->alice, stack, "file", "/srv/www/index.html",
				 "{\"dependencies\": [\"x/y\", \"service/nginx\"]}", NULL),
		RESOURCE_UNCHANGED);
	assert_int_equal(
		put(f, &f->alice, stack, "file", "/srv/www/index.html", "{\"dependencies\": []}", NULL),
		RESOURCE_CHANGED);
	assert_json(f, file, "\"dependencies\":[]");
}

static void test_cycles(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a"), id;

	assert_int_equal(put(f, &f->alice, stack, "x", "a", "{\"dependencies\": [\"x/a\"]}", NULL), -ELOOP);
	assert_contains(f->fault.text, "x/a → x/a");
	assert_int_equal(resource_find(f->engine, stack, "x", "a", &id), -ENOENT);
	put(f, &f->alice, stack, "x", "a", "{\"dependencies\": [\"x/b\"]}", NULL);
	put(f, &f->alice, stack, "x", "b", "{\"dependencies\": [\"x/c\"]}", NULL);
	assert_int_equal(
		put(f, &f->alice, stack, "x", "c", "{\"dependencies\": [\"x/d\", \"x/a\"]}", NULL), -ELOOP);
	assert_contains(f->fault.text, "x/c → x/a → x/b → x/c");
	/* In another stack it closes nothing; what is only seen in properties neither. */
	put(f, &f->alice, fixture_stack(f, "b"), "x", "c", "{\"dependencies\": [\"x/a\"]}", NULL);
	assert_int_equal(put(f, &f->alice, stack, "x", "c", "{\"properties\": {\"of\": \"x/a\"}}", NULL),
		RESOURCE_CREATED);
	for (int i = 0; i < 100; i++) {
		char name[16], needs[64];

		snprintf(name, sizeof(name), "%d", i);
		snprintf(needs, sizeof(needs), "{\"dependencies\": [\"y/%d\"]}", i + 1);
		assert_int_equal(put(f, &f->alice, stack, "y", name, needs, NULL), RESOURCE_CREATED);
	}
	assert_int_equal(put(f, &f->alice, stack, "y", "100", "{\"dependencies\": [\"y/0\"]}", NULL), -ELOOP);
	assert_contains(f->fault.text, "y/100 → … → y/68 → y/69");
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	int64_t id, found, stack = fixture_stack(f, "a");
	CLEANUP(resource_done) struct resource resource = { 0 };
	char name[RESOURCE_NAME_MAX + 2], entry[RESOURCE_ENTRY_SIZE], other[RESOURCE_ENTRY_SIZE];

	memset(name, '/', sizeof(name));
	name[RESOURCE_NAME_MAX + 1] = '\0';
	assert_int_equal(put(f, &f->alice, stack, "file", name, "{}", NULL), -EINVAL);
	name[RESOURCE_NAME_MAX] = '\0';
	assert_int_equal(put(f, &f->alice, stack, "file", name, "{}", &id), RESOURCE_CREATED);
	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	assert_string_equal(resource.name, name);
	assert_true(strlen(resource.entry) < RESOURCE_ENTRY_SIZE);
	assert_int_equal(resource_find_entry(f->engine, stack, resource.type_id, resource.entry, &found), 0);
	assert_int_equal(found, id);
	name[RESOURCE_NAME_MAX - 1] = 'x'; /* the hash tells them apart */
	assert_int_equal(put(f, &f->alice, stack, "file", name, "{}", NULL), RESOURCE_CREATED);
	resource_entry_name(".a b", entry);
	assert_string_equal(entry, "%2Ea%20b");
	resource_entry_name("a.b", other);
	assert_string_equal(other, "a.b");
	assert_int_equal(put(f, &f->alice, stack, "file", "", "{}", NULL), -EINVAL);
	assert_int_equal(put(f, &f->alice, stack, "a/b", "x", "{}", NULL), -EINVAL);
	assert_contains(f->fault.text, "\"a/b\" is no type of resource");
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a"), id, token;
	struct lock_request request = { .kind = LOCK_DURABLE };
	CLEANUP(cleanup_free) char *text = NULL;

	assert_int_equal(put(f, &f->alice, stack, "x", "a", "{\"properties\": 1}", NULL), -EINVAL);
	assert_contains(f->fault.text, "properties must be names with values");
	assert_int_equal(put(f, &f->alice, stack, "x", "a", "{\"status\": \"fine\"}", NULL), -EINVAL);
	assert_contains(f->fault.text, RESOURCE_STATUSES);
	assert_int_equal(
		put(f, &f->alice, stack, "x", "a", "{\"dependencies\": [\"nginx\"]}", NULL), -EINVAL);
	assert_contains(f->fault.text, "\"nginx\": a dependency is \"TYPE/NAME\"");
	assert_int_equal(put(f, &f->alice, stack, "x", "a", "{\"dependencies\": {\"a\": 1}}", NULL), -EINVAL);
	text = malloc(RESOURCE_STATE_MAX + 64);
	assert_non_null(text);
	sprintf(text, "{\"properties\": {\"a\": \"%*s\"}}", RESOURCE_STATE_MAX, "x");
	assert_int_equal(put(f, &f->alice, stack, "x", "a", text, NULL), -EFBIG);
	assert_int_equal(put(f, &f->alice, stack, "x", "a", "{}", &id), RESOURCE_CREATED);
	assert_int_equal(
		lock_acquire(f->engine, &f->bob, lock_of_stack(stack), &request, &f->fault, &token), 0);
	assert_int_equal(put(f, &f->alice, stack, "x", "b", "{}", NULL), -EBUSY);
	assert_int_equal(resource_delete(f->engine, &f->root, id, &f->fault), -EBUSY);
	assert_int_equal(put(f, &f->bob, stack, "x", "b", "{}", NULL), RESOURCE_CREATED);
	assert_int_equal(lock_release(f->engine, &f->bob, lock_of_stack(stack), 0, &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, stack, 0755, NULL), 0);
	assert_int_equal(put(f, &f->bob, stack, "x", "c", "{}", NULL), -EACCES);
	assert_int_equal(resource_delete(f->engine, &f->bob, id, &f->fault), -EACCES);
	assert_int_equal(put(f, &f->alice, 999, "x", "c", "{}", NULL), -ENOENT);
}

static void test_too_many(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a"), count, id;
	struct store_change change = { 0 };

	assert_int_equal(put(f, &f->alice, stack, "x", "y", "{}", &id), RESOURCE_CREATED);
	/* As if they were there: to register as many takes a minute under a sanitizer. */
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(store_run(f->engine->store, SQL_RESOURCE_COUNT_ADD, "ii", stack,
				 INT64_C(1) * (RESOURCE_MAX - 1)),
		0);
	assert_int_equal(store_change_end(&change), 0);
	assert_int_equal(put(f, &f->alice, stack, "x", "z", "{}", NULL), -EDQUOT);
	assert_contains(f->fault.text, "stack a has 10000 resources");
	assert_int_equal(resource_count(f->engine, stack, &count), 0);
	assert_int_equal(count, RESOURCE_MAX);
	assert_int_equal(
		put(f, &f->alice, stack, "x", "y", "{\"properties\": {\"a\": 1}}", NULL), RESOURCE_CHANGED);
	assert_int_equal(resource_delete(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(put(f, &f->alice, stack, "x", "z", "{}", NULL), RESOURCE_CREATED);
}

static void test_types_run_out(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a"), other = fixture_stack(f, "b");
	unsigned number = 0;

	for (int i = 1; i <= RESOURCE_TYPE_MAX; i++) {
		char type[16];

		snprintf(type, sizeof(type), "t%d", i);
		assert_int_equal(
			put(f, &f->alice, i == 7 ? other : stack, type, "x", "{}", NULL), RESOURCE_CREATED);
	}
	assert_int_equal(put(f, &f->alice, stack, "more", "x", "{}", NULL), -EDQUOT);
	assert_int_equal(stack_destroy(f->engine, &f->alice, other, NULL), 0);
	assert_int_equal(put(f, &f->alice, stack, "more", "x", "{}", NULL), RESOURCE_CREATED);
	assert_int_equal(resource_type_find(f->engine, "more", &number), 0);
	assert_int_equal(number, 7);
	assert_int_equal(resource_type_find(f->engine, "t7", &number), -ENOENT);
}

static void test_list(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");
	CLEANUP(cleanup_free) char *empty = SHOWN(resource_write_list(f->engine, stack, out)), *two = NULL;
	json_auto_t *list = NULL;

	assert_string_equal(empty, "[]\n");
	put(f, &f->alice, stack, "service", "nginx", "{\"dependencies\": [\"file/a\\\"b\"]}", NULL);
	put(f, &f->alice, stack, "file", "a\\\"b\\n", "{\"properties\": {\"x\": \"ü\"}}", NULL);
	two = SHOWN(resource_write_list(f->engine, stack, out));
	list = json_loads(two, 0, NULL);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "name")), "a\\\"b\\n");
	fixture_restart(f);
	free(two);
	two = SHOWN(resource_write_list(f->engine, stack, out));
	assert_contains(two, "\"dependencies\":[\"file/a\\\"b\"]");
}

static int64_t put_whose(struct fixture *f, struct caller *caller, int64_t stack, const char *content,
	enum resource_whose whose)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	json_auto_t *properties = json_pack("{s:s}", "content", content);
	struct resource_draft draft = {
		.type = "file", .name = "motd", .properties = properties, .protect = -1, .whose = whose
	};
	enum resource_result result;
	int64_t id;

	assert_int_equal(resource_put(f->engine, caller, stack, &draft, &f->fault, &result, &id), 0);
	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	return resource.uid;
}

/* Who asked last for something else; the owner and root can also ask for the same. */
static void test_whose(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");
	const int64_t alice = f->alice.uid, bob = f->bob.uid;

	assert_int_equal(put_whose(f, &f->bob, stack, "x", RESOURCE_ASKED), bob);
	/* The owner adds something: the rest is his still. */
	assert_int_equal(put_whose(f, &f->alice, stack, "y", RESOURCE_ADDED), bob);
	assert_int_equal(put_whose(f, &f->alice, stack, "y", RESOURCE_ASKED), alice);
	assert_int_equal(put_whose(f, &f->bob, stack, "y", RESOURCE_ASKED), alice);
	assert_int_equal(put_whose(f, &f->alice, stack, "z", RESOURCE_ADDED), alice);
	assert_int_equal(put_whose(f, &f->root, stack, "z", RESOURCE_ASKED), 0);
	assert_int_equal(put_whose(f, &f->alice, stack, "z", RESOURCE_ASKED), 0);
	assert_int_equal(put_whose(f, &f->bob, stack, "y", RESOURCE_ADDED), bob);
	/* From a version: nobody knows, unless it is as it was. */
	assert_int_equal(put_whose(f, &f->root, stack, "y", RESOURCE_FOUND), bob);
	assert_int_equal(put_whose(f, &f->root, stack, "x", RESOURCE_FOUND), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whose, fixture_new, fixture_free),
		TEST(test_register),
		TEST(test_events_name_no_values),
		TEST(test_status),
		TEST(test_update),
		TEST(test_delete),
		TEST(test_dependencies),
		TEST(test_cycles),
		TEST(test_names),
		TEST(test_refusals),
		TEST(test_too_many),
		TEST(test_types_run_out),
		TEST(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
