/* SPDX-License-Identifier: MIT */
/* The workflow that fixes drift: what it has, in which order, and for whom it is made. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/detect.h"
#include "engine/lock.h"
#include "engine/resource.h"

/* A file of `caller` that needs others (a list as JSON) or names one in a property. */
static void file_of(struct fixture *f, struct caller *caller, int64_t stack, const char *name,
	const char *needs, const char *property)
{
	json_auto_t *list = json_loads(needs, 0, NULL);
	json_auto_t *properties = json_pack("{s:s}", "content", property);
	struct resource_draft draft = { .type = "file",
		.name = name,
		.properties = properties,
		.dependencies = list,
		.status = "applied",
		.protect = -1 };
	enum resource_result result;
	int64_t id;

	assert_int_equal(resource_put(f->engine, caller, stack, &draft, &f->fault, &result, &id), 0);
}

static void drifted(struct fixture *f, int64_t stack, const char *name, const char *kind)
{
	json_auto_t *rows = json_pack("[{s:s, s:s, s:s, s:{}, s:[{s:s, s:s, s:s, s:s, s:s, s:s}]}]", "type",
		"file", "name", name, "state", "drifted", "actual", "findings", "property", "content", "kind",
		kind, "severity", "low", "expected", "a", "actual", "b", "cause", "changed");

	assert_int_equal(drift_take(f->engine, &f->alice, stack, rows), 0);
}

/* What comes behind the head: free() it. */
static char *tasks(struct fixture *f, struct caller *caller, int64_t stack, const char *only)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	const char *first;

	assert_int_equal(drift_fix_workflow(f->engine, caller, stack, only, &f->fault, &text), 0);
	assert_contains(buffer_text(&text), "workflow.define(\"drift-fix\")");
	first = strstr(buffer_text(&text), "\ntask(");
	assert_non_null(first);
	return strdup(first + 1);
}

static void refused(struct fixture *f, struct caller *caller, int64_t stack, const char *only, int code,
	const char *words)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };

	f->fault = (struct fault){ 0 };
	assert_int_equal(drift_fix_workflow(f->engine, caller, stack, only, &f->fault, &text), -code);
	assert_contains(f->fault.text, words);
}

static void test_order(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");
	CLEANUP(cleanup_free) char *text = NULL;

	/* last → middle → first, and middle is as it should be. */
	file_of(f, &f->alice, stack, "first", "[]", "x");
	file_of(f, &f->alice, stack, "middle", "[\"file/first\"]", "x");
	file_of(f, &f->alice, stack, "last", "[\"file/middle\", \"file/nowhere\"]", "x");
	drifted(f, stack, "first", "configuration");
	drifted(f, stack, "last", "state");
	text = tasks(f, &f->alice, stack, NULL);
	assert_string_equal(text, "task(\"file-first\", {\n"
				  "\tdescription = \"file/first\",\n"
				  "\tcommand = fix(\"file\", \"first\", { \"content\" }),\n"
				  "})\n"
				  "\n"
				  "task(\"file-last\", {\n"
				  "\tdescription = \"file/last\",\n"
				  "\tdepends_on = { \"file-first\" },\n"
				  "\tcommand = fix(\"file\", \"last\", { \"content\" }),\n"
				  "})\n");
}

static void test_one(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");
	CLEANUP(cleanup_free) char *text = NULL;

	file_of(f, &f->alice, stack, "first", "[]", "x");
	file_of(f, &f->alice, stack, "last", "[\"file/first\"]", "x");
	drifted(f, stack, "first", "configuration");
	drifted(f, stack, "last", "configuration");
	text = tasks(f, &f->alice, stack, "last");
	assert_string_equal(text, "task(\"file-last\", {\n"
				  "\tdescription = \"file/last\",\n"
				  "\tcommand = fix(\"file\", \"last\", { \"content\" }),\n"
				  "})\n");
	refused(f, &f->alice, stack, "none", ENOENT, "none");
}

/* Two that name each other in their properties: one is the first all the same. */
static void test_circle(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");
	CLEANUP(cleanup_free) char *text = NULL;
	const char *first;

	file_of(f, &f->alice, stack, "a", "[]", "file/b");
	file_of(f, &f->alice, stack, "b", "[]", "file/a");
	drifted(f, stack, "a", "configuration");
	drifted(f, stack, "b", "configuration");
	text = tasks(f, &f->alice, stack, NULL);
	first = strstr(text, "depends_on");
	assert_non_null(first);
	assert_null(strstr(first + 1, "depends_on"));
}

/* Whatever a resource is called, it is one string of Lua; and each task has a name of its own. */
static void test_names(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");
	CLEANUP(cleanup_free) char *text = NULL;

	file_of(f, &f->alice, stack, "/a b", "[]", "x");
	file_of(f, &f->alice, stack, "/a/b", "[]", "x");
	file_of(f, &f->alice, stack, "\"..os.exit()..\"\\\n1", "[]", "x");
	drifted(f, stack, "/a b", "configuration");
	drifted(f, stack, "/a/b", "configuration");
	drifted(f, stack, "\"..os.exit()..\"\\\n1", "configuration");
	text = tasks(f, &f->alice, stack, NULL);
	assert_contains(text, "task(\"file-a-b\", {");
	assert_contains(text, "task(\"file-a-b-3\", {");
	assert_contains(text, "fix(\"file\", \"\\\"..os.exit()..\\\"\\\\\\0101\", {");
	assert_null(strstr(text, "\n1"));
}

/* What is ignored of a resource stays as it is; one that is missing is made whole. */
static void test_properties(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");
	CLEANUP(cleanup_free) char *text = NULL;
	struct drift_target mode;
	static const char *const properties[] = { "content", "mode", "owner" };
	json_auto_t *rows = json_loads("[{\"type\": \"file\", \"name\": \"x\", \"state\": \"drifted\", "
				       "\"actual\": {}, \"findings\": []}]",
		0, NULL);
	json_t *findings = json_object_get(json_array_get(rows, 0), "findings");

	file_of(f, &f->alice, stack, "x", "[]", "x");
	file_of(f, &f->alice, stack, "gone", "[]", "x");
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		json_array_append_new(
			findings, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "property", properties[i],
					  "kind", "configuration", "severity", "low", "expected", "a",
					  "actual", "b", "cause", "changed"));
	assert_int_equal(drift_take(f->engine, &f->alice, stack, rows), 0);
	json_array_clear(findings);
	json_object_set_new(json_array_get(rows, 0), "name", json_string("gone"));
	json_array_append_new(findings,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "property", "", "kind", "resource", "severity",
			"high", "expected", "present", "actual", "absent", "cause", "changed"));
	assert_int_equal(drift_take(f->engine, &f->alice, stack, rows), 0);
	assert_int_equal(drift_find_target(f->engine, stack, "x/mode", &f->fault, &mode), 0);
	assert_int_equal(drift_ignore(f->engine, &f->alice, stack, &mode, "known", 0, &f->fault), 0);
	text = tasks(f, &f->alice, stack, NULL);
	assert_contains(text, "fix(\"file\", \"x\", { \"content\", \"owner\" })");
	assert_contains(text, "fix(\"file\", \"gone\")");
}

static void test_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");

	refused(f, &f->alice, stack, NULL, ENOENT, "nothing has drifted");
	file_of(f, &f->alice, stack, "a", "[]", "x");
	drifted(f, stack, "a", "dependency");
	refused(f, &f->alice, stack, NULL, ENOENT, "nothing has drifted");
	refused(f, &f->alice, stack, "a", ENOENT, "nothing of a has drifted");
}

static void test_whose(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a");

	file_of(f, &f->alice, stack, "hers", "[]", "x");
	drifted(f, stack, "hers", "configuration");
	/* Not even root does with his rights what she says. */
	refused(f, &f->bob, stack, NULL, EPERM, "who asked for file/hers");
	refused(f, &f->root, stack, NULL, EPERM, "who asked for file/hers");
	/* Before he asks for the same: then all may, and she can't take that back by asking again. */
	file_of(f, &f->root, stack, "hers", "[]", "x");
	file_of(f, &f->alice, stack, "hers", "[]", "x");
	drifted(f, stack, "hers", "configuration");
	for (size_t i = 0; i < 3; i++) {
		CLEANUP(cleanup_free)
		char *text = tasks(f, i == 0 ? &f->root : i == 1 ? &f->alice : &f->bob, stack, NULL);

		assert_contains(text, "hers");
	}
	file_of(f, &f->alice, stack, "hers", "[]", "y");
	drifted(f, stack, "hers", "configuration");
	refused(f, &f->root, stack, NULL, EPERM, "who asked for file/hers");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_one, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_circle, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_names, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_properties, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_nothing, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_whose, fixture_new, fixture_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
