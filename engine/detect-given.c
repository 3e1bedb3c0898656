/* SPDX-License-Identifier: MIT */
/* What only the daemon can tell of a resource. */
#include "engine/detect-given.h"

#include <errno.h>
#include <string.h>

#include "base/fault.h"
#include "engine/output.h"
#include "engine/stack.h"

/* The stack, when it is there and may be read. */
static int find_stack(struct engine *engine, struct caller *owner, const char *name, struct fault *fault,
	struct stack *ret_stack)
{
	int r = stack_find(engine, name, ret_stack);

	if (r == 0 && stack_access(owner, ret_stack, MAY_READ | MAY_EXECUTE) < 0)
		return fault_set(fault, EACCES, "the stack's owner may not read the stack %s", name);
	return r;
}

/* A sensitive value stays where it is: what is found is told to others. */
static int find_value(struct engine *engine, struct caller *owner, int64_t stack_id, const char *name,
	struct fault *fault, json_t **ret_value)
{
	int64_t id;
	int r = output_find(engine, stack_id, name, &id);

	if (r < 0)
		return r;
	if (output_sensitive(engine, id))
		return fault_set(fault, ENOTSUP, "the output %s is sensitive, and is not compared", name);
	return output_value(engine, owner, id, fault, ret_value);
}

static json_t *output_given(struct engine *engine, struct caller *owner, const json_t *desired)
{
	const char *stack_name = json_string_value(json_object_get(desired, "stack"));
	const char *name = json_string_value(json_object_get(desired, "output"));
	struct fault fault = { 0 };
	struct stack stack;
	json_t *value = NULL;
	int r = stack_name && name ? find_stack(engine, owner, stack_name, &fault, &stack) : -EINVAL;

	if (r == 0)
		r = find_value(engine, owner, stack.id, name, &fault, &value);
	if (r == 0)
		return json_pack("{s:o}", "value", value);
	if (r == -ENOENT)
		return json_object();
	fault_default(&fault, -r, "the output can't be read: %s", strerror(-r));
	return json_pack("{s:s}", "error", fault.text);
}

json_t *detect_given(struct engine *engine, struct caller *owner, const struct resource *resource)
{
	json_auto_t *desired = NULL;

	if (strcmp(resource->type, "output") != 0)
		return NULL;
	desired = json_loads(resource->desired, 0, NULL);
	return output_given(engine, owner, desired);
}
