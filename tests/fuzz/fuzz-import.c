/* SPDX-License-Identifier: MIT */
/* export.json of a stack: whatever it says, it is taken whole or not at all; and what was taken is exported
 * as that. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engine/export.h"
#include "engine/stack.h"
#include "base/cleanup.h"
#include "tests/fuzz/home.h"
#include "tests/fuzz/input.h"

static char *exported(struct home *home, struct caller *caller, int64_t id)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	must(out && stack_export(home->engine, caller, id, out) == 0);
	fclose(out);
	return text;
}

static char *replacing(const char *text)
{
	json_auto_t *value = json_loads(text, 0, NULL);
	char *dumped;

	must(value && json_object_set_new(value, "replace", json_true()) == 0);
	dumped = json_dumps(value, JSON_COMPACT);
	must(dumped);
	return dumped;
}

/* But for the number of the version. */
static bool same(const char *text, const char *other)
{
	json_auto_t *a = json_loads(text, 0, NULL), *b = json_loads(other, 0, NULL);

	must(a && b);
	json_object_del(a, "version");
	json_object_del(b, "version");
	return json_equal(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct caller caller = { .uid = 1002, .gid = 1002, .groups_known = true };
	struct input input = { data, size };
	struct fault fault = { 0 };
	char *text = input_rest(&input), *before, *after, *again;
	struct stack stack;
	struct home home;

	home_new(&home);
	must(stack_find(home.engine, "open", &stack) == 0);
	before = exported(&home, &caller, stack.id);
	if (stack_import(home.engine, &caller, stack.id, text, size, &fault) < 0) {
		must(fault.code);
		after = exported(&home, &caller, stack.id);
		must(!strcmp(before, after));
	} else {
		after = exported(&home, &caller, stack.id);
		/* What was exported can be taken again, and is the same then. */
		again = replacing(after);
		must(stack_import(home.engine, &caller, stack.id, again, strlen(again), &fault) == 0);
		free(again);
		again = exported(&home, &caller, stack.id);
		must(same(after, again));
		free(again);
	}
	must(engine_turn_end(home.engine) == 0);
	home_check(&home);
	home_free(&home);
	free(text);
	free(before);
	free(after);
	return 0;
}
