/* SPDX-License-Identifier: MIT */
/* A run's plan: as it came from its process, and what the daemon itself has to know of it later. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/runner-internal.h"

/* `keys` of a plan, a new object. */
static json_t *part_of(const json_t *plan, const char *const *keys)
{
	json_t *part = json_object();

	for (; *keys; keys++)
		if (json_object_get(plan, *keys))
			json_object_set(part, *keys, json_object_get(plan, *keys));
	return part;
}

/* What is small, and asked for while the run goes on. */
static void remember(struct runner *runner, const json_t *plan)
{
	static const char *const keys[] = { "config", "lock_wait_ms", "limits", NULL };

	json_decref(runner->plan);
	runner->plan = part_of(plan, keys);
}

int runner_keep_plan(struct runner *runner, const json_t *head)
{
	static const char *const keys[] = { "workflow", "description", "version", "config", "lock_wait_ms",
		"limits", "critical_path", "tasks", NULL };
	struct engine *engine = runner->of->engine;
	json_auto_t *plan = part_of(head, keys);
	CLEANUP(cleanup_free) char *text = json_dumps(plan, JSON_COMPACT | JSON_SORT_KEYS);
	json_t *task;
	size_t i;
	int r;

	if (!text)
		return -ENOMEM;
	r = run_set_text(engine, runner->run_id, RUN_PLAN, text, strlen(text));
	json_array_foreach (json_object_get(head, "tasks"), i, task) {
		const char *name = json_string_value(json_object_get(task, "name"));
		int64_t id;

		if (r == 0)
			r = name ? task_add(engine, runner->run_id, (int)i, name, &id) : -EPROTO;
	}
	if (r == 0)
		remember(runner, head);
	return r;
}

const json_t *runner_plan(struct runner *runner)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *plan = NULL;

	if (runner->plan)
		return runner->plan;
	/* It was taken up from a former daemon. */
	if (run_text(runner->of->engine, runner->run_id, RUN_PLAN, &text) == 0)
		plan = json_loadb(buffer_text(&text), text.size, 0, NULL);
	if (plan)
		remember(runner, plan);
	return runner->plan;
}
