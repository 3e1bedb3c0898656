/* SPDX-License-Identifier: MIT */
/* drift of a stack: what its files show, the commands, and their refusals. What was seen is made by hand. */
#include "tests/fs/world.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "engine/drift.h"

static const char report[] =
	"[{\"type\": \"file\", \"name\": \"/etc/motd\", \"state\": \"drifted\", \"actual\": {\"mode\": "
	"\"0600\"}, "
	"\"findings\": [{\"property\": \"mode\", \"kind\": \"configuration\", \"severity\": \"high\", "
	"\"expected\": \"0644\", \"actual\": \"0600\", \"cause\": \"changed\", \"fix\": \"chmod 0644 "
	"/etc/motd\"}]}]";

/* Alice's stack prod, with a file that has drifted and a service. */
static void make_drift(void)
{
	json_auto_t *rows = json_loads(report, 0, NULL), *properties = json_pack("{s:s}", "mode", "0644");
	struct resource_draft draft = { .type = "file",
		.name = "/etc/motd",
		.properties = properties,
		.status = "applied",
		.protect = -1 };
	enum resource_result result;
	struct stack stack;
	int64_t id;

	assert_int_equal(make_stack(0, "prod", 0755), 0);
	assert_int_equal(stack_find(world.engine, "prod", &stack), 0);
	assert_int_equal(stack_chown(world.engine, NULL, stack.id, ALICE, (gid_t)-1, NULL), 0);
	assert_int_equal(resource_put(world.engine, NULL, stack.id, &draft, NULL, &result, &id), 0);
	draft.type = "service";
	draft.name = "my web";
	assert_int_equal(resource_put(world.engine, NULL, stack.id, &draft, NULL, &result, &id), 0);
	assert_int_equal(drift_take(world.engine, NULL, stack.id, rows), 0);
	assert_int_equal(engine_turn_end(world.engine), 0);
}

static int command(uid_t uid, const char *line)
{
	return write_path(uid, "/stacks/prod/drift", line);
}

static void assert_shown(const char *path, const char *part)
{
	const char *text = read_path(BOB, path);

	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void test_files(void **state)
{
	make_drift();
	assert_shown("/stacks/prod/drift", "Drift Report for: prod\n");
	assert_shown("/stacks/prod/drift", "  Drifted Resources:    1\n  In Sync Resources:    1\n");
	assert_shown("/stacks/prod/drift.json", "\"property\": \"mode\"");
	assert_shown("/stacks/prod/drift.d/file:%2Fetc%2Fmotd", "Resource: /etc/motd (file)\n");
	assert_shown("/stacks/prod/drift.d/file:%2Fetc%2Fmotd", "Suggested Fix:\n  chmod 0644 /etc/motd\n");
	assert_int_equal(walk(BOB, "/stacks/prod/drift.d/service:my%20web", &(struct attr){ 0 }), -ENOENT);
	assert_int_equal(walk(BOB, "/stacks/prod/drift.d/nothing", &(struct attr){ 0 }), -ENOENT);
	assert_int_equal(walk(BOB, "/stacks/prod/drift.d/:x", &(struct attr){ 0 }), -ENOENT);
	assert_string_equal(read_path(BOB, "/stacks/prod/drift.history"), "");
	assert_shown("/stacks/prod/resources/file/%2Fetc%2Fmotd/status", "drifted\n");
}

static void test_adopt(void **state)
{
	make_drift();
	assert_int_equal(command(ALICE, "adopt /etc/motd\n"), 0);
	assert_shown("/stacks/prod/resources/file/%2Fetc%2Fmotd/desired.json", "\"mode\": \"0600\"");
	assert_shown("/stacks/prod/drift", "  Drifted Resources:    0\n");
	assert_shown(
		"/stacks/prod/drift.history", "adopted   file//etc/motd mode (expected: 0644, actual: 0600)");
	assert_shown("/stacks/prod/drift.history.json", "\"resolution\": \"adopted\"");
	assert_int_equal(walk(BOB, "/stacks/prod/drift.d/file:%2Fetc%2Fmotd", &(struct attr){ 0 }), -ENOENT);
}

static void test_ignore(void **state)
{
	make_drift();
	assert_int_equal(command(ALICE, "ignore /etc/motd/mode until=14d reason=\"as agreed\"\n"), 0);
	assert_shown("/stacks/prod/drift", "  file//etc/motd/mode until ");
	assert_shown("/stacks/prod/drift", ": as agreed\n");
	assert_shown("/stacks/prod/drift.json", "\"status\": \"ignored\"");
	assert_int_equal(command(ALICE, "ignore 'my web' until=2100-01-31\nunignore 'my web'\n"), 0);
	assert_int_equal(
		command(ALICE, "unignore file//etc/motd/mode\nacknowledge /etc/motd reason='yes'\n"), 0);
	assert_shown("/stacks/prod/drift.json", "\"status\": \"acknowledged\"");
}

static void test_refusals(void **state)
{
	static const struct {
		const char *line;
		int error;
		const char *words;
	} rows[] = {
		{ "detekt\n", EINVAL, "did you mean \"detect\"?" },
		{ "adopt\n", EINVAL, "whom? adopt NAME[/PROPERTY]" },
		{ "adopt a b\n", ENOTSUP, "" }, /* all of a that b means: this world can't run anything */
		{ "adopt 'my web' b\n", EINVAL, "\"b\" is too much: adopt NAME[/PROPERTY]" },
		{ "adopt /etc/motd reason=x\n", EINVAL, "\"reason=x\" is too much" },
		{ "ignore 'my web\n", EINVAL, "a quote is not closed" },
		{ "ignore nobody\n", ENOENT, "stack prod has no resource \"nobody\"" },
		{ "ignore /etc/motd/size\n", ENOENT, "file//etc/motd has no property \"size\"" },
		{ "ignore /etc/motd until=soon\n", EINVAL, "until=soon is no time" },
		{ "ignore /etc/motd until=2020-01-01\n", EINVAL, "a time that is over" },
		{ "unignore /etc/motd\n", ENOENT, "is not ignored" },
		{ "adopt 'my web'\n", ENOENT, "nothing is found of service/my web that differs" },
		{ "acknowledge 'my web'\n", ENOENT, "nothing is found of service/my web that differs" },
	};

	make_drift();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(command(ALICE, rows[i].line), -rows[i].error);
		if (!strstr(world.request.fault.text, rows[i].words))
			fail_msg("\"%s\": %s", rows[i].line, world.request.fault.text);
	}
	assert_int_equal(command(ALICE, "\n"), 0);
	assert_int_equal(command(ALICE, "detect\n"), -ENOTSUP); /* this world can't run anything */
	assert_int_equal(command(BOB, "adopt /etc/motd\n"), -EACCES);
	assert_int_equal(write_path(0, "/stacks/prod/lock", "mine\n"), 0);
	assert_int_equal(command(ALICE, "adopt /etc/motd\n"), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_files),
		TREE_TEST(test_adopt),
		TREE_TEST(test_ignore),
		TREE_TEST(test_refusals),
	};

	return cmocka_run_group_tests_name("fs-drift", tests, NULL, NULL);
}
