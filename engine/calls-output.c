/* SPDX-License-Identifier: MIT */
/* What runs ask for about outputs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/calls.h"
#include "engine/output.h"
#include "engine/seal.h"

/* The file `outputs` of the run itself. */
static int keep_output(struct call *call, const char *name, json_t *value)
{
	CLEANUP(cleanup_free) char *text = NULL;
	int64_t id;
	int r = output_find(call->engine, call->run.stack_id, name, &id);

	if (r == 0 && output_sensitive(call->engine, id)) {
		json_object_set_new(call->runner->outputs, name, json_string(SEAL_SHOWN));
		r = runner_hand_json(call->runner, value, &call->fault);
	} else if (r == 0) {
		json_object_set(call->runner->outputs, name, value);
	}
	if (r < 0)
		return r;
	text = json_dumps(call->runner->outputs, JSON_COMPACT | JSON_SORT_KEYS);
	return text ? run_set_text(call->engine, call->run.id, RUN_OUTPUTS, text, strlen(text)) : -ENOMEM;
}

static int set_output(struct call *call)
{
	json_t *value = json_object_get(call->args, "value");
	bool sensitive = json_is_true(json_object_get(call->args, "sensitive"));
	const char *name;
	int r = call_need_text(call, "name", &name);

	if (r == 0 && name_check(name) < 0)
		return fault_set(&call->fault, EINVAL, "\"%s\" is no valid name of an output", name);
	if (r == 0 && !value)
		return fault_set(&call->fault, EINVAL, "the output %s has no value", name);
	if (r == 0)
		r = call_may_change(call);
	/* A value with a secret in it is one. */
	sensitive |= runner_knows(call->runner, value);
	if (r == 0)
		r = output_set_as(call->engine, &call->caller, call->run.stack_id, name, value, sensitive,
			&call->fault);
	if (r == 0)
		r = keep_output(call, name, value);
	call->value = json_true();
	return r;
}

static int add_output(void *userdata, const struct output *output)
{
	json_object_set_new(userdata, output->name, json_loads(output->value, JSON_DECODE_ANY, NULL));
	return 0;
}

static int get_output(struct call *call)
{
	const char *name = json_string_value(json_object_get(call->args, "name"));
	struct stack stack;
	int64_t id;
	int r = call_stack(call, &stack);

	if (r < 0)
		return r;
	if (!name) {
		call->value = json_object();
		return output_each(call->engine, stack.id, add_output, call->value);
	}
	r = output_find(call->engine, stack.id, name, &id);
	if (r == 0)
		r = output_value(call->engine, &call->caller, id, &call->fault, &call->value);
	if (r == 0 && output_sensitive(call->engine, id)) {
		r = output_note_read(call->engine, &call->caller, id);
		if (r == 0)
			r = runner_hand_json(call->runner, call->value, &call->fault);
	}
	/* Damaged is this one value, and not the store: asking again would be of no use. */
	if (r == -EBADMSG)
		return -EUCLEAN;
	return r == -ENOENT ? 0 : r;
}

const struct call_row output_calls[] = {
	{ "stack.set_output", set_output, true },
	{ "stack.get_output", get_output, false },
	{ NULL },
};
