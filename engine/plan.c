/* SPDX-License-Identifier: MIT */
/* Plans of workflows that are not run. */
#include "engine/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/check.h"
#include "engine/lock.h"
#include "engine/stack.h"
#include "engine/yaml.h"

struct planning {
	struct engine *engine;
	struct caller caller;
	struct check *check;
	char stack[NAME_SIZE]; /* "": the workflow says */
	void (*done)(void *userdata, const json_t *plan, const struct fault *fault);
	void *userdata;
};

static void planning_free(struct planning *planning)
{
	caller_done(&planning->caller);
	free(planning);
}

/* Which stack it would be, and whether a run could begin there now. Nothing is said of a stack that the
 * caller does not see. */
static json_t *stack_state(struct planning *planning, const char *name)
{
	struct engine *engine = planning->engine;
	struct fault fault = { 0 };
	struct stack stack;
	int r = stack_find(engine, name, &stack);

	if (r == -ENOENT)
		return json_pack("{s:s, s:b}", "name", name, "exists", 0);
	if (r < 0 || stack_access(&planning->caller, &stack, MAY_READ | MAY_EXECUTE) < 0)
		return json_pack(
			"{s:s, s:b, s:s}", "name", name, "exists", 1, "error", "you may not read it");
	r = stack_may_change(engine, &planning->caller, &stack, &fault);
	if (r == 0)
		r = lock_check_automation(engine, stack.id, &fault);
	return json_pack("{s:s, s:b, s:o}", "name", name, "exists", 1, "error",
		r < 0 ? json_string(fault.text) : json_null());
}

static json_t *complete(struct planning *planning, const json_t *loaded)
{
	json_t *plan = json_copy((json_t *)(uintptr_t)loaded);
	const char *named = json_string_value(json_object_get(plan, "stack"));
	const char *own = json_string_value(json_object_get(plan, "workflow"));
	const char *name = *planning->stack ? planning->stack : named ? named : own;

	if (plan && name)
		json_object_set_new(plan, "on", stack_state(planning, name));
	return plan;
}

static int refusal(const json_t *verdict, const struct fault *fault, struct fault *ret_fault)
{
	const char *text = json_string_value(json_object_get(verdict, "text"));
	const char *code = json_string_value(json_object_get(verdict, "errno"));

	if (fault)
		return fault_set(ret_fault, fault->code, "%s", fault->text);
	return fault_set(ret_fault, code ? fault_errno_value(code) : EINVAL, "%s",
		text ? text : "the workflow was refused");
}

static void checked(void *userdata, const json_t *answer, const struct fault *fault)
{
	struct planning *planning = userdata;
	const json_t *verdict = json_object_get(answer, "workflow"),
		     *loaded = json_object_get(verdict, "plan");
	json_auto_t *plan = NULL;
	struct fault refused = { 0 };

	if (answer && loaded)
		plan = complete(planning, loaded);
	if (!plan)
		refusal(verdict, fault, &refused);
	planning->done(planning->userdata, plan, plan ? NULL : &refused);
	planning_free(planning);
}

/* As a run would see them: the stack's, and over them those that were given. */
static int values_of(struct engine *engine, struct caller *caller, const struct plan_order *order,
	struct fault *fault, json_t **ret_values)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *values = NULL;
	struct stack stack;
	int r = order->stack ? stack_find(engine, order->stack, &stack) : -ENOENT;

	if (r == 0)
		r = stack_text(engine, stack.id, STACK_VALUES, &text, NULL);
	if (r == 0 && text.size && stack_access(caller, &stack, MAY_READ | MAY_EXECUTE) < 0)
		return fault_set(fault, EACCES, "you may not read the values of the stack %s", stack.name);
	if (r == 0)
		r = yaml_parse("values.yaml", buffer_text(&text), text.size, fault, &values);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!json_is_object(values)) {
		json_decref(values);
		values = json_object();
	}
	if (order->values && json_object_update_recursive(values, order->values) < 0)
		return -ENOMEM;
	*ret_values = TAKE(values);
	return 0;
}

int plan_start(struct runners *runners, const struct plan_order *order, struct fault *fault,
	struct planning **ret_planning)
{
	struct planning *planning = calloc(1, sizeof(*planning));
	json_auto_t *values = NULL;
	int r;

	if (!planning)
		return -ENOMEM;
	*planning = (struct planning){
		.engine = runners_engine(runners), .done = order->done, .userdata = order->userdata
	};
	snprintf(planning->stack, sizeof(planning->stack), "%s", order->stack ? order->stack : "");
	r = caller_copy(order->caller, &planning->caller);
	if (r == 0)
		r = values_of(planning->engine, order->caller, order, fault, &values);
	if (r == 0)
		r = check_start(runners,
			&(struct check_order){ .caller = order->caller,
				.file = order->file,
				.text = order->text,
				.size = order->size,
				.values = values,
				.options = order->options,
				.plan = true,
				.done = checked,
				.userdata = planning },
			&planning->check);
	if (r < 0) {
		planning_free(planning);
		return fault_default(fault, -r, "the workflow can't be looked at: %s", strerror(-r));
	}
	*ret_planning = planning;
	return 0;
}

void plan_cancel(struct planning *planning)
{
	check_cancel(planning->check);
	planning_free(planning);
}
