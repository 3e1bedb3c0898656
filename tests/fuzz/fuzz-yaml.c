/* SPDX-License-Identifier: MIT */
/* Values and configuration: what is read is written and read again, as the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/config.h"
#include "engine/yaml-out.h"
#include "engine/yaml.h"
#include "tests/fuzz/input.h"

static void again(const json_t *value)
{
	struct fault fault = { 0 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	json_t *back = NULL;
	int r;

	must(out && yaml_write(out, value) == 0);
	fclose(out);
	r = yaml_parse("again", text, size, &fault, &back);
	/* What was written may be longer than what is read: aliases are written out. */
	must(r == 0 || strstr(fault.text, "more than") || strstr(fault.text, "deep"));
	if (r == 0)
		must(json_equal(back, value));
	json_decref(back);
	free(text);
}

static void values(const char *text, size_t size)
{
	struct fault fault = { 0 };
	json_t *value = NULL, *more = NULL;

	if (yaml_parse("fuzz", text, size, &fault, &value) < 0)
		must(fault.code && !strncmp(fault.text, "fuzz:", 5));
	else
		again(value);
	json_decref(value);
	value = NULL;
	if (yaml_parse_marks("fuzz", text, size, &fault, &value, &more) == 0) {
		json_decref(value);
		json_decref(more);
	}
	if (yaml_parse_lines("fuzz", text, size, &fault, &value, &more) == 0) {
		json_decref(value);
		json_decref(more);
	}
}

static char *shown(const struct config *config)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	must(out);
	config_show(config, out);
	fclose(out);
	return text;
}

static void configuration(const char *text, size_t size)
{
	struct config config, other;
	struct fault fault = { 0 };
	char *before, *after;

	config_init(&config);
	before = shown(&config);
	if (config_parse(&config, "fuzz", text, size, &fault) < 0) {
		/* All or nothing. */
		must(fault.code);
		after = shown(&config);
		must(!strcmp(before, after));
	} else {
		after = shown(&config);
		config_init(&other);
		must(config_parse(&other, "shown", after, strlen(after), &fault) == 0);
		free(before);
		before = shown(&other);
		must(!strcmp(before, after));
	}
	free(before);
	free(after);
	config_init(&config);
	config_parse_stack(&config, "fuzz", text, size, &fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	bool as_values = input_byte(&input) & 1;

	(as_values ? values : configuration)((const char *)input.at, input.left);
	return 0;
}
