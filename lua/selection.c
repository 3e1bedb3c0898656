/* SPDX-License-Identifier: MIT */
/*
 * Only some tasks: those that were asked for (`tasks` of the options) with all that they wait for, and what
 * belongs to them: what runs after the failure of one of them, and what runs in any case after tasks that are
 * all among them. Less those that are to be left out (`skip`), which count as done.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lua/load.h"
#include "lua/runner.h"
#include "lua/workflow.h"

/* dsl.lua has made sure that they are there. */
static struct task *task_named(struct workflow *workflow, const json_t *name)
{
	const char *text = json_string_value(name);

	for (size_t i = 0; text && i < workflow->count; i++)
		if (!strcmp(workflow->tasks[i].name, text))
			return &workflow->tasks[i];
	return NULL;
}

static bool all_selected(const struct workflow *workflow, const struct task *task)
{
	for (size_t i = 0; i < task->depends_count; i++)
		if (!workflow->tasks[task->depends[i]].selected)
			return false;
	return true;
}

static bool belongs(const struct workflow *workflow, const struct task *task)
{
	bool handles = false;

	for (size_t i = 0; i < task->after_failure_count; i++)
		handles = handles || workflow->tasks[task->after_failure[i]].selected;
	return (handles || (task->always && task->depends_count)) && all_selected(workflow, task);
}

/* `order`: tasks behind what they wait for. Backwards, what is needed; forwards, what belongs. */
static void select_around(struct workflow *workflow, const int *order)
{
	for (size_t i = workflow->count; i-- > 0;) {
		const struct graph_node *node = &workflow->nodes[order[i]];

		for (size_t j = 0; workflow->tasks[order[i]].selected && j < node->depends_count; j++)
			workflow->tasks[node->depends[j]].selected = true;
	}
	for (size_t i = 0; i < workflow->count; i++) {
		struct task *task = &workflow->tasks[order[i]];

		task->selected = task->selected || belongs(workflow, task);
	}
}

int workflow_select(struct workflow *workflow)
{
	const json_t *options = workflow->runner->options;
	const json_t *wanted = json_object_get(options, "tasks"),
		     *left_out = json_object_get(options, "skip");
	CLEANUP(cleanup_free) int *order = NULL;
	size_t i;
	json_t *name;

	if (json_array_size(wanted)) {
		order = calloc(workflow->count + 1, sizeof(*order));
		if (!order || graph_sort(workflow->nodes, workflow->count, order) < 0)
			return -ENOMEM;
		for (i = 0; i < workflow->count; i++)
			workflow->tasks[i].selected = false;
		json_array_foreach (wanted, i, name)
			task_named(workflow, name)->selected = true;
		select_around(workflow, order);
	}
	json_array_foreach (left_out, i, name)
		task_named(workflow, name)->selected = false;
	return 0;
}
