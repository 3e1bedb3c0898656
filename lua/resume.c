/* SPDX-License-Identifier: MIT */
/* What a run that repeats another need not do again, and what it does a second time. */
#include "lua/resume.h"

#include <jansson.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lua/runner.h"
#include "lua/workflow.h"

static const char *status_before(const struct workflow *workflow, const struct task *task)
{
	json_t *tasks = json_object_get(workflow->runner->resume, "tasks");

	return json_string_value(json_object_get(json_object_get(tasks, task->name), "status"));
}

static bool is_idempotent(const struct workflow *workflow, const struct task *task)
{
	lua_State *L = workflow->runner->vm.L;
	bool idempotent;

	lua_rawgeti(L, LUA_REGISTRYINDEX, task->spec);
	lua_pushliteral(L, "idempotent");
	lua_rawget(L, -2);
	idempotent = lua_toboolean(L, -1);
	lua_pop(L, 2);
	return idempotent;
}

/* Nobody saw the end of one that was lost: it may have done its work, all of it or a part. */
static void warn_of_second_time(struct workflow *workflow, struct task *task)
{
	const char *before = status_before(workflow, task);
	CLEANUP(cleanup_free) char *text = NULL;

	if (!before || strcmp(before, "lost") != 0 || is_idempotent(workflow, task))
		return;
	if (asprintf(&text,
		    "task '%s' was lost in the run before, which nobody saw the end of: what it did there "
		    "may "
		    "be done twice now (it does not say 'idempotent')\n",
		    task->name) >= 0)
		link_log(&workflow->runner->link, NULL, 0, "log", text, strlen(text));
}

/* What had finished well before, and what it depends on, too: else it is run again with what has changed.
 * What follows on a failure, or runs in any case, belongs to this run. */
static bool keeps(const struct workflow *workflow, const struct task *task, const bool *kept)
{
	const char *name = status_before(workflow, task);
	enum task_status status = name ? task_status_parse(name) : TASK_STATUS_COUNT;

	if ((status != TASK_SUCCESS && status != TASK_UNCHANGED && status != TASK_SKIPPED) || task->always ||
		task->after_failure_count)
		return false;
	for (size_t i = 0; i < task->depends_count; i++)
		if (!kept[task->depends[i]] && workflow->tasks[task->depends[i]].selected)
			return false;
	return true;
}

static void keep(struct workflow *workflow, struct task *task)
{
	json_t *before = json_object_get(json_object_get(workflow->runner->resume, "tasks"), task->name);

	task->outcome.outputs = json_incref(json_object_get(before, "outputs"));
	task->outcome.message = strdup("kept from the run before");
	task_set(task, task_status_parse(json_string_value(json_object_get(before, "status"))), NULL);
}

void resume_tasks(struct workflow *workflow)
{
	CLEANUP(cleanup_free) int *order = calloc(workflow->count + 1, sizeof(*order));
	CLEANUP(cleanup_free) bool *kept = calloc(workflow->count + 1, sizeof(*kept));

	if (!order || !kept)
		return;
	if (json_object_size(json_object_get(workflow->runner->resume, "tasks")) &&
		graph_sort(workflow->nodes, workflow->count, order) == 0)
		for (size_t i = 0; i < workflow->count; i++)
			kept[order[i]] = keeps(workflow, &workflow->tasks[order[i]], kept);
	for (size_t i = 0; i < workflow->count; i++) {
		struct task *task = &workflow->tasks[i];

		if (task->status != TASK_PENDING)
			continue;
		if (kept[i]) {
			keep(workflow, task);
		} else if (!task->selected) {
			task->outcome.message = strdup("not selected");
			task_set(task, TASK_SKIPPED, NULL);
		} else {
			warn_of_second_time(workflow, task);
		}
	}
}
