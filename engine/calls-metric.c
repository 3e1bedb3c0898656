/* SPDX-License-Identifier: MIT */
/* What runs ask for about metrics. They are no part of the stack's versions, and no lock stops them. */
#include <errno.h>
#include <string.h>

#include "engine/calls.h"
#include "engine/metric.h"

static int may_write(struct call *call)
{
	struct stack stack;
	int r = call_own_stack(call, &stack);

	return r < 0 ? r : stack_may_write(&call->caller, &stack, &call->fault);
}

static int metric_add(struct call *call)
{
	json_t *value = json_object_get(call->args, "value");
	const char *type, *name;
	double number;
	int r = call_need_text(call, "type", &type);

	if (r == 0)
		r = call_need_text(call, "name", &name);
	if (r == 0 && !json_is_number(value))
		return fault_set(&call->fault, EINVAL, "the metric %s: its value has to be a number", name);
	if (r == 0)
		r = may_write(call);
	if (r == 0)
		r = metric_record(call->engine, call->run.stack_id, type, name,
			json_object_get(call->args, "tags"), json_number_value(value), &call->fault, &number);
	call->value = r == 0 ? json_real(number) : NULL;
	return r;
}

struct search {
	const char *name;
	json_t *tags; /* NULL: any */
	int64_t newest_ms;
	json_t *found;
};

/* Of several series with the name the one that was written last. */
static int look_at(void *userdata, const struct metric *metric)
{
	struct search *search = userdata;
	json_auto_t *tags = json_loads(metric->tags, 0, NULL);

	if (strcmp(metric->name, search->name) != 0 || metric->updated_ms < search->newest_ms ||
		(search->tags && !json_equal(search->tags, tags)))
		return 0;
	json_decref(search->found);
	search->found = metric_json(metric);
	search->newest_ms = metric->updated_ms;
	return search->found ? 0 : -ENOMEM;
}

static int metric_get(struct call *call)
{
	struct search search = { .tags = json_object_get(call->args, "tags") };
	struct stack stack;
	int r = call_need_text(call, "name", &search.name);

	if (r == 0)
		r = call_own_stack(call, &stack);
	if (r == 0)
		r = metric_each(call->engine, stack.id, look_at, &search);
	call->value = search.found;
	return r;
}

static int add_name(void *userdata, const struct metric *metric)
{
	json_t *names = userdata;

	return json_object_set_new(names, metric->name, json_true()) < 0 ? -ENOMEM : 0;
}

static int metric_list(struct call *call)
{
	json_auto_t *names = json_object();
	struct stack stack;
	const char *name;
	json_t *value;
	int r = call_own_stack(call, &stack);

	if (r == 0)
		r = metric_each(call->engine, stack.id, add_name, names);
	call->value = json_array();
	json_object_foreach (names, name, value)
		json_array_append_new(call->value, json_string(name));
	return r;
}

static int metric_alert(struct call *call)
{
	json_t *data = json_object_get(call->args, "data");

	call->value = json_true();
	return call_add_event(call, "metric.alert", json_is_object(data) ? data : NULL);
}

const struct call_row metric_calls[] = {
	{ "metric.add", metric_add, true },
	{ "metric.alert", metric_alert, true },
	{ "metric.get", metric_get, false },
	{ "metric.list", metric_list, false },
	{ NULL },
};
