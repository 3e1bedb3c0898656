/* SPDX-License-Identifier: MIT */
/* How dependencies look. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/deps.h"
#include "engine/stack.h"

const char *deps_state_name(enum deps_state state)
{
	static const char *const names[] = {
		[DEPS_OK] = "ok", [DEPS_MISSING] = "missing", [DEPS_UNMET] = "unmet"
	};

	return names[state];
}

void deps_problem(const struct dep *dep, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	if (dep->state == DEPS_MISSING)
		snprintf(ret_text, size, "there is no stack %s", dep->on);
	else if (dep->state == DEPS_UNMET && !dep->visible)
		snprintf(ret_text, size, "its version does not satisfy %s", dep->requires);
	else if (dep->state == DEPS_UNMET && !*dep->version)
		snprintf(ret_text, size, "it has no version, which must satisfy %s", dep->requires);
	else if (dep->state == DEPS_UNMET)
		snprintf(ret_text, size, "version %s does not satisfy %s", dep->version, dep->requires);
}

enum { PROBLEM_SIZE = NAME_SIZE + CONSTRAINT_SIZE + DEPS_VERSION_SIZE + 64 };

static int show_line(void *userdata, const struct dep *dep)
{
	char text[PROBLEM_SIZE];
	FILE *out = userdata;

	deps_problem(dep, text, sizeof(text));
	fprintf(out, "%s  %s  ", dep->on, *dep->requires ? dep->requires : "*");
	text_write_safe(out, *text ? text : "ok");
	fputc('\n', out);
	return 0;
}

int deps_show(struct engine *engine, struct caller *caller, int64_t stack_id, FILE *out)
{
	return deps_each(engine, caller, stack_id, show_line, out);
}

static int add_dep(void *userdata, const struct dep *dep)
{
	char text[PROBLEM_SIZE], time[32];
	json_t *value;

	deps_problem(dep, text, sizeof(text));
	value = json_pack("{s:s, s:s, s:s, s:s}", "name", dep->on, "requires", dep->requires, "state",
		deps_state_name(dep->state), "added", time_format(dep->created_ms, time));
	if (value && dep->visible)
		json_object_set_new(value, "version", json_string(dep->version));
	if (value && *text)
		json_object_set_new(value, "problem", json_string(text));
	return json_array_append_new(userdata, value) < 0 ? -ENOMEM : 0;
}

static int add_name(void *userdata, const struct dep *dep)
{
	return json_array_append_new(userdata, json_string(dep->stack)) < 0 ? -ENOMEM : 0;
}

json_t *deps_json(struct engine *engine, struct caller *caller, const struct stack *stack)
{
	json_t *depends = json_array(), *dependents = json_array();

	deps_each(engine, caller, stack->id, add_dep, depends);
	deps_dependents_each(engine, caller, stack->id, add_name, dependents);
	return json_pack(
		"{s:s, s:o, s:o}", "name", stack->name, "depends", depends, "dependents", dependents);
}
