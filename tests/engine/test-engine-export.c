/* SPDX-License-Identifier: MIT */
/* A stack as a document, and back. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/clock.h"
#include "engine/deps.h"
#include "engine/event.h"
#include "engine/export.h"
#include "engine/kv.h"
#include "engine/output.h"
#include "engine/resource.h"
#include "engine/tag.h"
#include "engine/version.h"

/* Put together by hand, it must be as sorted as if it was not. */
static void assert_canonical(const char *document, const json_t *value)
{
	CLEANUP(cleanup_free) char *sorted = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT);
	size_t at = 0;

	for (const char *p = document; *p; p++)
		if (*p != '\n')
			assert_int_equal(*p, sorted[at++]);
	assert_int_equal(sorted[at], '\0');
}

/* The document, with the name that is wanted. */
static char *exported(struct fixture *f, int64_t id, const char *name)
{
	CLEANUP(cleanup_free) char *document = NULL;
	json_auto_t *value = NULL;
	char *text;

	document = SHOWN(assert_int_equal(stack_export(f->engine, &f->alice, id, out), 0));
	value = json_loads(document, JSON_REJECT_DUPLICATES, NULL);
	text = json_dumps(value, JSON_SORT_KEYS);
	assert_non_null(text);
	assert_canonical(document, value);
	if (!name)
		return text;
	free(text);
	json_object_set_new(value, "name", json_string(name));
	return json_dumps(value, JSON_SORT_KEYS);
}

/* The number of the newest version. */
static int64_t newest(struct fixture *f, int64_t id)
{
	struct version version;
	int64_t number = 0;

	while (version_find(f->engine, id, number + 1, &version) == 0)
		number++;
	return number;
}

static int import(struct fixture *f, struct caller *caller, int64_t id, const char *text)
{
	f->fault.text[0] = '\0';
	return stack_import(f->engine, caller, id, text, strlen(text), &f->fault);
}

static void put(struct fixture *f, int64_t id, const char *type, const char *name, const char *needs,
	int protect, const char *status)
{
	json_auto_t *properties = json_pack("{s:s, s:f}", "mode", "0644", "weight", 0.1),
		    *list = needs ? json_pack("[s]", needs) : json_array();
	struct resource_draft draft = { .type = type,
		.name = name,
		.module = "m",
		.properties = properties,
		.dependencies = list,
		.protect = protect,
		.status = status,
		.error = !strcmp(status, "failed") ? "no\nroom" : NULL };
	enum resource_result result;
	int64_t resource;

	assert_int_equal(resource_put(f->engine, &f->alice, id, &draft, &f->fault, &result, &resource), 0);
}

static void set_text(struct fixture *f, int64_t id, enum stack_text which, const char *text)
{
	assert_int_equal(stack_set_text(f->engine, &f->alice, id, which, text, strlen(text), &f->fault), 0);
}

static int64_t full_stack(struct fixture *f)
{
	int64_t id = fixture_stack(f, "full"), ignored;
	struct kv_scope scope = { .stack_id = id };
	json_auto_t *list = json_pack("[i,{s:n}]", 1, "x"), *text = json_string("a\nb\xc3\xbc");

	fixture_stack(f, "network");
	set_text(f, id, STACK_DESCRIPTION, "All there is");
	set_text(f, id, STACK_VERSION, "v2");
	set_text(f, id, STACK_CONFIG, "lock_timeout: 2h\n");
	set_text(f, id, STACK_VALUES, "a: [1, 2]\n");
	set_text(f, id, STACK_WORKFLOW, "-- caf\xe9, latin-1\n");
	assert_int_equal(output_set(f->engine, &f->alice, id, "list", list, &f->fault), 0);
	assert_int_equal(output_set(f->engine, &f->alice, id, "text", text, &f->fault), 0);
	assert_int_equal(tag_add(f->engine, &f->alice, id, "prod", &f->fault, &ignored), 0);
	assert_int_equal(deps_set(f->engine, &f->alice, id, "network", ">=1.0", &f->fault, &ignored), 0);
	assert_int_equal(kv_set(f->engine, scope, "stays", list, 0), 0);
	assert_int_equal(kv_set(f->engine, scope, "goes", text, 3600000), 0);
	put(f, id, "file", "/etc/motd", "user/web", 1, "failed");
	put(f, id, "user", "web", NULL, 0, "applied");
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 02750, &f->fault), 0);
	return id;
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	int64_t full = full_stack(f), other = fixture_stack(f, "other"), versions, after;
	CLEANUP(cleanup_free) char *before = exported(f, full, NULL), *then = NULL, *again = NULL;

	assert_contains(before, "\"format\": \"sloth-stack\"");
	assert_contains(before, "\"workflow_base64\": \"LS0gY2Fm6SwgbGF0aW4tMQo=\"");
	versions = newest(f, other);
	assert_int_equal(import(f, &f->alice, other, before), 0);
	after = newest(f, other);
	assert_int_equal(after, versions + 1);
	then = exported(f, other, "full");
	assert_string_equal(then, before);
	/* What is protected stays protected, when it was applied is as it was. */
	assert_int_equal(stack_destroy(f->engine, &f->alice, other, &f->fault), -EPERM);
	fixture_restart(f);
	again = exported(f, other, "full");
	assert_string_equal(again, before);
}

static void test_not_empty(void **state)
{
	struct fixture *f = *state;
	int64_t full = full_stack(f), other = fixture_stack(f, "other");
	CLEANUP(cleanup_free) char *text = exported(f, full, NULL), *before = NULL, *after = NULL;

	set_text(f, other, STACK_DESCRIPTION, "mine");
	before = exported(f, other, NULL);
	assert_int_equal(import(f, &f->alice, other, text), -ENOTEMPTY);
	assert_contains(f->fault.text, "stack other is not empty");
	after = exported(f, other, NULL);
	assert_string_equal(after, before);
}

static void test_replace(void **state)
{
	struct fixture *f = *state;
	int64_t full = full_stack(f), other = fixture_stack(f, "other"), id;
	json_auto_t *document = NULL, *value = json_true();
	CLEANUP(cleanup_free) char *text = NULL, *before = exported(f, full, "other"), *after = NULL;

	/* What it has is the other way round, and more. */
	put(f, other, "user", "web", "file//etc/motd", 0, "pending");
	put(f, other, "service", "old", NULL, 1, "pending");
	assert_int_equal(output_set(f->engine, &f->alice, other, "old", value, &f->fault), 0);
	assert_int_equal(tag_add(f->engine, &f->alice, other, "old", &f->fault, &id), 0);
	assert_int_equal(kv_set(f->engine, (struct kv_scope){ .stack_id = other }, "old", value, 0), 0);
	document = json_loads(before, 0, NULL);
	json_object_set_new(document, "replace", json_true());
	text = json_dumps(document, 0);
	assert_int_equal(import(f, &f->alice, other, text), -EPERM);
	assert_contains(f->fault.text, "service/old of stack other is protected");
	put(f, other, "service", "old", NULL, 0, "pending");
	assert_int_equal(import(f, &f->alice, other, text), 0);
	after = exported(f, other, NULL);
	assert_string_equal(after, before);
	/* Doing it again changes nothing. */
	assert_int_equal(import(f, &f->alice, other, text), 0);
	free(after);
	after = exported(f, other, NULL);
	assert_string_equal(after, before);
}

#define HEAD "{\"format\": \"sloth-stack\", \"format_version\": 1"

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text;
		int result;
		const char *words;
	} rows[] = {
		{ "{", -EINVAL, "export.json:1:" },
		{ "[]", -EINVAL, "its \"format\" must be" },
		{ "{\"format\": \"other\"}", -EINVAL, "its \"format\" must be" },
		{ "{\"format\": \"sloth-stack\", \"format_version\": 2}", -EINVAL,
			"this version of Sloth reads 1" },
		{ HEAD ", \"outputz\": {}}", -EINVAL, "outputz is nothing that" },
		{ HEAD ", \"outputs\": []}", -EINVAL, "outputs has the wrong type" },
		{ HEAD ", \"outputs\": {\"../x\": 1}}", -EINVAL, "../x" },
		{ HEAD ", \"config\": \"nonsense: 1\"}", -EINVAL, "config.yaml:1" },
		{ HEAD ", \"tags\": [1]}", -EINVAL, "tags must be texts" },
		{ HEAD ", \"depends\": [{\"requires\": \"1\"}]}", -EINVAL, "depends.name is missing" },
		{ HEAD ", \"depends\": [{\"name\": \"nowhere\"}]}", -ENOENT, "nowhere" },
		{ HEAD ", \"state\": {\"k\": 1}}", -EINVAL, "state must be an object" },
		{ HEAD ", \"state\": {\"k\": {\"value\": null}}}", -EINVAL, "without a value" },
		{ HEAD ", \"resources\": [{\"type\": \"x\"}]}", -EINVAL, "resources.name is missing" },
		{ HEAD ", \"resources\": [{\"type\": \"x\", \"name\": \"y\", \"status\": \"fine\"}]}",
			-EINVAL, "no status" },
		{ HEAD ", \"resources\": [{\"type\": \"x\", \"name\": \"y\"}, {\"type\": \"x\", \"name\": "
		       "\"y\"}]}",
			-EINVAL, "x/y twice" },
		{ HEAD ", \"resources\": [{\"type\": \"x\", \"name\": \"y\", \"dependencies\": [\"x/y\"]}]}",
			-ELOOP, "circle" },
		{ HEAD ", \"workflow_base64\": \"%%%\"}", -EINVAL, "no base64" },
		{ HEAD ", \"mode\": \"0999\"}", -EINVAL, "mode is no mode" },
	};
	int64_t id = fixture_stack(f, "a"), version, after;
	CLEANUP(cleanup_free) char *before = exported(f, id, NULL), *still = NULL;

	version = newest(f, id);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (import(f, &f->alice, id, rows[i].text) != rows[i].result)
			fail_msg("%s: %s", rows[i].text, f->fault.text);
		assert_contains(f->fault.text, rows[i].words);
	}
	still = exported(f, id, NULL);
	assert_string_equal(still, before);
	after = newest(f, id);
	assert_int_equal(after, version);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0755, &f->fault), 0);
	assert_int_equal(import(f, &f->bob, id, HEAD "}"), -EACCES);
	assert_int_equal(import(f, &f->alice, 999, HEAD "}"), -ENOENT);
}

static void test_sensitive(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b"), id;
	json_auto_t *value = json_string("canary"), *document = NULL;
	CLEANUP(cleanup_free) char *text = NULL, *replace = NULL;

	assert_int_equal(output_set_as(f->engine, &f->alice, a, "key", value, true, &f->fault), 0);
	text = exported(f, a, NULL);
	assert_null(strstr(text, "canary"));
	assert_contains(text, "\"key\": \"<sensitive>\"");
	assert_int_equal(import(f, &f->alice, b, text), 0);
	assert_int_equal(output_find(f->engine, b, "key", &id), -ENOENT);
	/* What is there under the name is not lost, either. */
	document = json_loads(text, 0, NULL);
	json_object_set_new(document, "replace", json_true());
	replace = json_dumps(document, 0);
	assert_int_equal(import(f, &f->alice, a, replace), 0);
	assert_int_equal(output_find(f->engine, a, "key", &id), 0);
	assert_true(output_sensitive(f->engine, id));
}

static void test_what_was_over(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	char text[256];
	struct kv kv;

	snprintf(text, sizeof(text), HEAD ", \"state\": {\"k\": {\"value\": 1, \"expires_ms\": %lld}}}",
		(long long)clock_now_ms(f->engine) - 1);
	assert_int_equal(import(f, &f->alice, id, text), 0);
	assert_int_equal(kv_find(f->engine, (struct kv_scope){ .stack_id = id }, "k", &kv, NULL), -ENOENT);
}

/* A document of `count` items, each with its number between two texts. malloc'ed. */
static char *list_document(
	const char *start, const char *before, const char *after, int count, const char *end)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs(start, out);
	for (int i = 0; i < count; i++)
		fprintf(out, "%s%s%d%s", i ? ", " : "", before, i, after);
	fputs(end, out);
	fclose(out);
	return text;
}

static void test_many(void **state)
{
	enum { MANY = 50000, SECONDS = 20 };
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), start = time_now_ms();
	CLEANUP(cleanup_free)
	char *tags = list_document(HEAD ", \"tags\": [", "\"t", "\"", TAGS_MAX + 1, "]}");
	CLEANUP(cleanup_free)
	char *deps = list_document(HEAD ", \"depends\": [", "{\"name\": \"b", "\"}", DEPS_MAX + 1, "]}");
	CLEANUP(cleanup_free)
	char *outputs = list_document(HEAD ", \"outputs\": {", "\"k", "\": 1", MANY, "}, ");
	CLEANUP(cleanup_free)
	char *sensitive = list_document("\"sensitive\": [", "\"k", "\"", MANY, "]}"), *both = NULL;

	assert_int_equal(import(f, &f->alice, id, tags), -EDQUOT);
	assert_int_equal(import(f, &f->alice, id, deps), -EDQUOT);
	/* Each is looked up among all: with a search through the list it takes minutes. */
	assert_true(asprintf(&both, "%s%s", outputs, sensitive) > 0);
	assert_int_equal(import(f, &f->alice, id, both), 0);
	assert_true(time_now_ms() - start < SECONDS * 1000);
	assert_int_equal(import(f, &f->alice, id, HEAD ", \"sensitive\": [1]}"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_not_empty),
		TEST(test_replace),
		TEST(test_refusals),
		TEST(test_sensitive),
		TEST(test_what_was_over),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
