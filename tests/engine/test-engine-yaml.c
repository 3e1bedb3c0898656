/* SPDX-License-Identifier: MIT */
/* YAML, and the configuration that is written in it. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/yaml.h"

static void test_values(void **state)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{ "", "{}" },
		{ "# nothing\n", "{}" },
		{ "a: 1\nb: -2.5\nc: 1e3\nd: 0x1f\ne: 0o17\n",
			"{\"a\":1,\"b\":-2.5,\"c\":1000.0,\"d\":31,\"e\":15}" },
		{ "a: true\nb: False\nc: ~\nd:\ne: yes\n",
			"{\"a\":true,\"b\":false,\"c\":null,\"d\":null,\"e\":\"yes\"}" },
		{ "a: \"1\"\nb: '2'\nc: |\n  x\n  y\n", "{\"a\":\"1\",\"b\":\"2\",\"c\":\"x\\ny\\n\"}" },
		{ "a: &x [1, {b: 2}]\nc: *x\n", "{\"a\":[1,{\"b\":2}],\"c\":[1,{\"b\":2}]}" },
		{ "a: 1.2.3\nb: 9223372036854775808\nc: 2026-01-01\nd: '.'\ne: .\nf: -\n", NULL },
		{ "- 1\n- x\n", "[1,\"x\"]" },
		{ "a: 1.2.3\nc: 2026-01-01\nd: .\ne: 1 \nf: .5\n",
			"{\"a\":\"1.2.3\",\"c\":\"2026-01-01\",\"d\":\".\",\"e\":1,\"f\":0.5}" },
		{ "{\"json\": [1, \"two\", null]}", "{\"json\":[1,\"two\",null]}" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault fault = { 0 };
		json_t *value = NULL;
		char *text;
		int r = yaml_parse("f", rows[i].yaml, strlen(rows[i].yaml), &fault, &value);

		if (!rows[i].json) {
			json_decref(value);
			continue;
		}
		if (r < 0)
			fail_msg("%s", fault.text);
		text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT);
		assert_string_equal(text, rows[i].json);
		free(text);
		json_decref(value);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *yaml, *part;
	} rows[] = {
		{ "a:\n\tb: 1\n", "f:2:1: a tab" },
		{ "a: 1\nb: 2\na: 3\n", "f:3:1: this key stands here twice: a" },
		{ "a: [1\nb: 2\n", "f:2:" },
		{ "a: 1\n--- \nb: 1\n", "f:2:1: a second document" },
		{ "? [a]\n: 1\n", "f:1:3: a key must be" },
		{ "a: !!python/object x\n", "f:1:4: tags are not understood" },
		{ "a: *b\n", "f:1:4: no anchor of that name above: b" },
		{ "a: &x\n  b: *x\n", "f:2:6: no anchor of that name above: x" },
		{ "ok: 1\na: \xff\n", "f:2:1: this line is no UTF-8" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault fault = { 0 };
		json_t *value = NULL;

		assert_int_equal(
			yaml_parse("f", rows[i].yaml, strlen(rows[i].yaml), &fault, &value), -EINVAL);
		assert_null(value);
		assert_contains(fault.text, rows[i].part);
	}
}

/* The ways to read a text, which all have to refuse the same. */

static int parse_plain(const char *text, size_t size, struct fault *fault)
{
	json_auto_t *value = NULL;

	return yaml_parse("f", text, size, fault, &value);
}

static int parse_with_lines(const char *text, size_t size, struct fault *fault)
{
	json_auto_t *value = NULL, *lines = NULL;

	return yaml_parse_lines("f", text, size, fault, &value, &lines);
}

static int parse_with_marks(const char *text, size_t size, struct fault *fault)
{
	json_auto_t *value = NULL, *marks = NULL;

	return yaml_parse_marks("f", text, size, fault, &value, &marks);
}

static int parse_config(const char *text, size_t size, struct fault *fault)
{
	struct config config;

	config_init(&config);
	return config_parse(&config, "f", text, size, fault);
}

static int (*const readers[])(const char *text, size_t size, struct fault *fault) = { parse_plain,
	parse_with_lines, parse_with_marks, parse_config };

static void refused_by_all(const char *text, size_t size, const char *part)
{
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		struct fault fault = { 0 };

		assert_int_equal(readers[i](text, size, &fault), -EINVAL);
		assert_contains(fault.text, part);
	}
}

static void test_circles(void **state)
{
	static const struct {
		const char *yaml, *part;
	} rows[] = {
		{ "&a [*a]", "f:1:5: no anchor of that name above: a" },
		{ "&a {b: *a}", "f:1:8: no anchor" },
		{ "a: &a\n  - x\n  - b: [1, *a]\n", "f:3:12: no anchor" },
		{ "a: &a [*b]\nb: &b [*a]\n", "f:1:8: no anchor of that name above: b" },
		{ "a: &a\n  <<: *a\n", "f:2:7: no anchor" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refused_by_all(rows[i].yaml, strlen(rows[i].yaml), rows[i].part);
}

/* `width` aliases a line, each of the line before; `first` is what the first line has. */
static void bomb(struct buffer *ret_text, const char *first, int lines, int width)
{
	char text[64];

	buffer_truncate(ret_text, 0);
	buffer_append_text(ret_text, "a0: &a0 ");
	buffer_append_text(ret_text, first);
	for (int i = 1; i <= lines; i++) {
		snprintf(text, sizeof(text), "\na%d: &a%d [*a%d", i, i, i - 1);
		buffer_append_text(ret_text, text);
		for (int j = 1; j < width; j++) {
			snprintf(text, sizeof(text), ", *a%d", i - 1);
			buffer_append_text(ret_text, text);
		}
		buffer_append_text(ret_text, "]");
	}
	buffer_append_text(ret_text, "\n");
}

/* Few values, but long ones: texts, and keys. */
static void test_long_bombs(void **state)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(cleanup_free) char *first = malloc((1 << 20) + 64);

	memset(first, 'x', 1 << 20);
	strcpy(first + (1 << 20), "");
	bomb(&text, first, 1, 17);
	refused_by_all(text.data, text.size, "f:2:90: aliases repeat more than 16 MiB of text");
	bomb(&text, first, 1, 16);
	assert_int_equal(parse_with_marks(text.data, text.size, &(struct fault){ 0 }), 0);
	memcpy(first, "{? ", 3);
	strcpy(first + (1 << 20), " : 1}");
	bomb(&text, first, 3, 4);
	refused_by_all(text.data, text.size, "f:3:25: aliases repeat more than 16 MiB of text");
}

static void test_many_bombs(void **state)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };

	bomb(&text, "[x,x,x,x,x,x,x,x,x,x]", 9, 9);
	refused_by_all(text.data, text.size, "f:6:");
	refused_by_all(text.data, text.size, "more than 100,000 values");
	bomb(&text, "x", 80, 1);
	refused_by_all(text.data, text.size, "f:65:12: nested deeper than 64 levels");
	buffer_truncate(&text, 0);
	for (int i = 0; i < 5000; i++)
		buffer_append_text(&text, "[");
	refused_by_all(text.data, text.size, "f:1:66: nested deeper than 64 levels");
}

static int parse(struct config *config, const char *text, struct fault *fault)
{
	return config_parse(config, "c.yaml", text, strlen(text), fault);
}

static void test_config(void **state)
{
	struct config config, again;
	struct fault fault = { 0 };
	CLEANUP(cleanup_free) char *text = NULL;

	config_init(&config);
	assert_true(config.auto_lock);
	assert_int_equal(config.lock_timeout_ms, 3600000);
	assert_int_equal(config.max_concurrent_executions, 10);
	assert_int_equal(
		parse(&config, "stacks:\n  auto_lock: false\n  lock_timeout: 90\n  max_log_size: 1MB\n",
			&fault),
		0);
	assert_int_equal(parse(&config, "max_concurrent_executions: 3\n", &fault), 0);
	assert_int_equal(parse(&config, "local_agents: web-1\n", &fault), 0);
	assert_string_equal(config.local_agents, "web-1");
	assert_int_equal(parse(&config, "local_agents: [web-1, db.example]\n", &fault), 0);
	assert_int_equal(parse(&config, "stacks:\n", &fault), 0);
	assert_false(config.auto_lock);
	assert_int_equal(config.lock_timeout_ms, 90000);
	assert_int_equal(config.max_log_size, 1 << 20);
	assert_int_equal(config.max_concurrent_executions, 3);
	assert_int_equal(config.auto_fix, 0);
	assert_int_equal(
		parse(&config, "auto_fix: high\nauto_fix_only: [file/*, 'a \"b\"\\c']\n", &fault), 0);
	assert_int_equal(config.auto_fix, 3);
	assert_string_equal(config.auto_fix_only, "file/*\na \"b\"\\c");
	assert_int_equal(parse(&config, "auto_fix_quiet: ['22:00-06:00', 'Sat,Sun']\n", &fault), 0);
	text = SHOWN(config_show(&config, out));
	assert_contains(text, "lock_timeout: 90s\n");
	assert_contains(text, "auto_fix: high\n  auto_fix_only: [\"file/*\", \"a \\\"b\\\"\\\\c\"]\n");
	assert_contains(text, "auto_fix_quiet: [\"22:00-06:00\", \"Sat,Sun\"]\n");
	assert_contains(text, "local_agents: [web-1, db.example]\n");
	config_init(&again);
	assert_int_equal(parse(&again, text, &fault), 0);
	assert_memory_equal(&again, &config, sizeof(config));
}

static void test_config_of_one_stack(void **state)
{
	const char *daemons = "auto_lock: false\nmax_log_size: 1MB\n";
	struct config config;
	struct fault fault = { 0 };

	config_init(&config);
	assert_int_equal(config_parse_stack(&config, "c.yaml", "auto_lock: false\n", 17, &fault), 0);
	assert_false(config.auto_lock);
	assert_int_equal(config_parse_stack(&config, "c.yaml", daemons, strlen(daemons), &fault), -EINVAL);
	assert_contains(fault.text, "c.yaml:2: max_log_size is a setting of the daemon");
}

static void test_config_refusals(void **state)
{
	static const struct {
		const char *yaml, *part;
	} rows[] = {
		{ "stacks:\n  auto_lock: true\n  lock_timout: 5m\n",
			"c.yaml:3: there is no setting lock_timout; did you mean lock_timeout?" },
		{ "a:\n  b: 1\n", "c.yaml:1: there is no setting a" },
		{ "auto_lock: maybe\n", "c.yaml:1: auto_lock must be true or false" },
		{ "\nlock_timeout: soon\n", "c.yaml:2: lock_timeout must be a duration" },
		{ "max_log_size: 1\n", "must be within 4KB to 1TB" },
		{ "max_concurrent_executions: 2.5\n", "must be a whole number" },
		{ "local_agents: [web 1]\n", "c.yaml:1: local_agents must be a list of names" },
		{ "local_agents: [1]\n", "local_agents must be a list of names" },
		{ "auto_fix: some\n", "auto_fix must be off, low, medium, high or critical" },
		{ "auto_fix: true\n", "auto_fix must be off, low" },
		{ "auto_fix_only: ['']\n", "auto_fix_only must be a list of names like" },
		{ "auto_fix_only: [\"a\\nb\"]\n", "auto_fix_only must be a list of names like" },
		{ "auto_fix_quiet: [at night]\n", "auto_fix_quiet must be a list of hours like" },
		{ "auto_fix_budget: 0\n", "must be within 1 to 10000" },
		{ "- a\n", "name: value" },
	};
	struct config config, before;

	config_init(&config);
	before = config;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault fault = { 0 };

		assert_int_equal(parse(&config, rows[i].yaml, &fault), -EINVAL);
		assert_contains(fault.text, rows[i].part);
		assert_memory_equal(&config, &before, sizeof(config));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_long_bombs),
		cmocka_unit_test(test_many_bombs),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_of_one_stack),
		cmocka_unit_test(test_config_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
