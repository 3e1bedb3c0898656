/* SPDX-License-Identifier: MIT */
/* JSON values as YAML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/yaml-out.h"

static void expect(const char *json, const char *yaml)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(yaml_write(out, value), 0);
	fclose(out);
	assert_string_equal(text, yaml);
	free(text);
	json_decref(value);
}

static void test_values(void **state)
{
	expect("{\"a\":1,\"b\":[true,null,0.1],\"c\":{}}", "a: 1\nb:\n- true\n- null\n- 0.1\nc: {}\n");
	expect("[]", "[]\n");
}

/* Strings that a reader would take for something else. */
static void test_quotes(void **state)
{
	expect("{\"a\":\"1\",\"b\":\"true\",\"c\":\"\",\"d\":\"No\",\"e\":\"v1\"}",
		"a: \"1\"\nb: \"true\"\nc: \"\"\nd: \"No\"\ne: v1\n");
	expect("{\"1\":\"a: b\",\"x\":\"~\",\"y\":\"2026-01-02\"}",
		"\"1\": 'a: b'\nx: \"~\"\n\"y\": \"2026-01-02\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
