/* SPDX-License-Identifier: MIT */
/* Values of properties that nobody is told: sealed, opened for who asked alone, and taken out of reports. */
#include "tests/engine/motd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/keyring.h"
#include "engine/resource-secret.h"

/* A file of alice's whose content is sealed; *ret_id. */
static int64_t secret_new(struct fixture *f, const char *content, int64_t *ret_id)
{
	int64_t stack = fixture_stack(f, "a");
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	json_auto_t *values = json_pack("{s:s}", "content", content);

	*ret_id = motd_applied(f, &f->alice, stack, "file", "/etc/motd",
		"{\"path\": \"/etc/motd\", \"content\": \"<sensitive>\", \"mode\": \"0644\"}");
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(
		resource_secret_put(f->engine, *ret_id, f->alice.uid, values, values, values, &f->fault), 0);
	assert_int_equal(store_change_end(&change), 0);
	return stack;
}

/* What is asked for of a property, as JSON; or the refusal. free() it. */
static char *opened(struct fixture *f, int64_t id, uid_t uid, const char *property)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	json_auto_t *desired = NULL, *applied = NULL, *names = NULL;
	struct fault fault = { 0 };

	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	if (resource_secret_open(f->engine, &resource, uid, &fault, &desired, &applied, &names) < 0)
		return strdup(fault.text);
	assert_true(json_equal(json_object_get(desired, property), json_object_get(applied, property)));
	return json_dumps(json_object_get(desired, property), JSON_ENCODE_ANY);
}

#define assert_opened(f, id, uid, property, part)                                                            \
	do {                                                                                                 \
		char *text_ = opened(f, id, uid, property);                                                  \
		assert_contains(text_, part);                                                                \
		free(text_);                                                                                 \
	} while (0)

static int put(struct fixture *f, int64_t id, uid_t uid, const char *properties, const char *values)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	json_auto_t *all = properties ? json_loads(properties, 0, NULL) : NULL;
	json_auto_t *sealed = values ? json_loads(values, 0, NULL) : NULL;
	int r = store_change_begin(f->engine->store, &change);

	if (r == 0)
		r = resource_secret_put(f->engine, id, uid, all, sealed, NULL, &f->fault);
	return r < 0 ? r : store_change_end(&change);
}

static bool differs(struct fixture *f, int64_t id, uid_t uid, const char *values)
{
	json_auto_t *sealed = json_loads(values, 0, NULL);
	bool answer = false;

	assert_int_equal(resource_secret_differs(f->engine, id, uid, sealed, &answer), 0);
	return answer;
}

static void test_who(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	secret_new(f, "canary", &id);
	assert_opened(f, id, f->alice.uid, "content", "\"canary\"");
	assert_opened(f, id, f->bob.uid, "content", "sensitive values of");
	assert_int_equal(
		fixture_query(f, "SELECT COUNT(*) FROM resource_secrets WHERE value LIKE 'sealed:1:%' "
				 "AND applied LIKE 'sealed:1:%' AND value NOT LIKE '%canary%'"),
		1);
	/* Also where bob asks for the rest of it, and says nothing of the content, or that it is what he has
	 * read. */
	fixture_sql(f, "UPDATE resources SET uid = 12345");
	assert_opened(f, id, 12345, "content", "sensitive values of");
	assert_opened(f, id, f->alice.uid, "content", "sensitive values of");
}

static void test_whose(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	secret_new(f, "canary", &id);
	assert_false(differs(f, id, f->alice.uid, "{\"content\": \"canary\"}"));
	assert_true(differs(f, id, f->alice.uid, "{\"content\": \"other\"}"));
	assert_true(differs(f, id, f->bob.uid, "{\"content\": \"canary\"}"));
	/* Whoever has read it so leaves it as it was, if it is his. */
	assert_int_equal(put(f, id, f->alice.uid, "{\"content\": \"<sensitive>\"}", NULL), 0);
	assert_opened(f, id, f->alice.uid, "content", "\"canary\"");
	assert_int_equal(put(f, id, f->bob.uid, "{\"content\": \"<sensitive>\"}", NULL), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM resource_secrets"), 0);
	assert_opened(f, id, f->alice.uid, "content", "is not kept here: run the workflow");
}

static void test_over(void **state)
{
	struct fixture *f = *state;
	int64_t id, stack = secret_new(f, "canary", &id);

	/* A fix says nothing of properties. */
	assert_int_equal(put(f, id, f->alice.uid, NULL, NULL), 0);
	assert_opened(f, id, f->alice.uid, "content", "\"canary\"");
	assert_int_equal(put(f, id, f->alice.uid, "{\"mode\": \"0600\"}", NULL), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM resource_secrets"), 0);
	assert_int_equal(put(f, id, f->alice.uid, "{}", "{\"content\": \"again\"}"), 0);
	assert_int_equal(resource_delete(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM resource_secrets"), 0);
	assert_int_equal(motd_sum(f, stack).total, 0);
}

/* The same value leaves the same bytes: no change where nothing has. */
static void test_same(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	secret_new(f, "canary", &id);
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(
		put(f, id, f->alice.uid, "{\"content\": \"<sensitive>\"}", "{\"content\": \"canary\"}"), 0);
	assert_false(store_turn_dirty(f->engine->store));
}

static void test_rotation(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	secret_new(f, "canary", &id);
	assert_int_equal(keyring_rotate(f->engine->keys, &f->root, false, &f->fault), 0);
	assert_int_equal(
		fixture_query(f, "SELECT COUNT(*) FROM resource_secrets WHERE value LIKE 'sealed:1:2:%' "
				 "AND applied LIKE 'sealed:1:2:%'"),
		1);
	assert_opened(f, id, f->alice.uid, "content", "\"canary\"");
}

static const char told[] =
	"[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"drifted\", \"actual\": {\"content\": "
	"{\"sha256\": \"feed\"}, \"mode\": \"0600\"}, \"findings\": [{\"property\": \"content\", \"kind\": "
	"\"configuration\", \"severity\": \"high\", \"expected\": \"canary\", \"actual\": {\"sha256\": "
	"\"feed\"}, "
	"\"cause\": \"changed\", \"fix\": \"echo canary\"}, {\"property\": \"mode\", \"kind\": "
	"\"configuration\", "
	"\"severity\": \"low\", \"expected\": \"0644\", \"actual\": \"0600\", \"cause\": \"changed\", "
	"\"impact\": "
	"\"it was canary\"}]}]";

/* What a process tells, carelessly, is told to nobody. */
static void test_reports(void **state)
{
	struct fixture *f = *state;
	int64_t id, stack = secret_new(f, "canary", &id);
	CLEANUP(resource_done) struct resource resource = { 0 };
	json_auto_t *value = NULL;
	char *text;

	assert_int_equal(motd_take(f, NULL, stack, told), 0);
	assert_int_equal(drift_json(f->engine, stack, &value), 0);
	text = json_dumps(value, 0);
	assert_null(strstr(text, "canary"));
	assert_null(strstr(text, "feed"));
	assert_contains(text, "\"expected\": \"<sensitive>\"");
	assert_contains(text, "\"expected\": \"0644\"");
	free(text);
	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	assert_string_equal(resource.actual, "{\"content\":\"<sensitive>\",\"mode\":\"0600\"}");
	assert_int_equal(
		motd_take(f, NULL, stack,
			"[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"unknown\", \"actual\": "
			"null, \"error\": \"canary can't be read\", \"findings\": []}]"),
		0);
	text = SHOWN(drift_show(f->engine, stack, out));
	assert_null(strstr(text, "canary"));
	assert_contains(text, "*** can't be read");
	free(text);
}

static void test_adopt(void **state)
{
	struct fixture *f = *state;
	int64_t id, stack = secret_new(f, "canary", &id);
	struct drift_target target = { .resource_id = id, .property = "content" };

	assert_int_equal(motd_take(f, NULL, stack, told), 0);
	assert_int_equal(drift_adopt(f->engine, &f->alice, stack, &target, &f->fault), -EINVAL);
	assert_contains(f->fault.text, "is sensitive");
	assert_opened(f, id, f->alice.uid, "content", "\"canary\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_who), TEST(test_whose), TEST(test_over),
		TEST(test_same), TEST(test_rotation), TEST(test_reports), TEST(test_adopt) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
