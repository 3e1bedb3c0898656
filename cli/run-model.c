/* SPDX-License-Identifier: MIT */
/* A run and its tasks as who follows it knows them. */
#include "cli/run-model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/print.h"

static const struct {
	const char *name;
	bool over, bad;
} statuses[MODEL_STATUS_COUNT] = {
	[MODEL_PENDING] = { "pending" },
	[MODEL_READY] = { "ready" },
	[MODEL_RUNNING] = { "running" },
	[MODEL_RETRY_WAIT] = { "retry_wait" },
	[MODEL_SUCCESS] = { "success", .over = true },
	[MODEL_UNCHANGED] = { "unchanged", .over = true },
	[MODEL_SKIPPED] = { "skipped", .over = true },
	[MODEL_FAILED] = { "failed", .over = true, .bad = true },
	[MODEL_TIMED_OUT] = { "timed_out", .over = true, .bad = true },
	[MODEL_CANCELLED] = { "cancelled", .over = true },
	[MODEL_UPSTREAM_FAILED] = { "upstream_failed", .over = true },
	[MODEL_LOST] = { "lost", .over = true, .bad = true },
};

const char *model_status_name(enum model_status status)
{
	return statuses[status].name;
}

bool model_status_over(enum model_status status)
{
	return statuses[status].over;
}

bool model_status_bad(enum model_status status)
{
	return statuses[status].bad;
}

/* A word that a newer daemon may have is over: nothing here waits for it. */
static enum model_status status_of(const char *name)
{
	for (int i = 0; i < MODEL_STATUS_COUNT; i++)
		if (!strcmp(statuses[i].name, name))
			return (enum model_status)i;
	return MODEL_LOST;
}

static void tasks_free(struct run_model *model)
{
	for (size_t i = 0; i < model->count; i++) {
		free(model->tasks[i].error);
		free(model->tasks[i].depends);
	}
	free(model->tasks);
	json_decref(model->plan);
	json_decref(model->places);
	model->tasks = NULL;
	model->count = 0;
	model->plan = model->places = NULL;
}

void model_done(struct run_model *model)
{
	tasks_free(model);
}

static int set_depends(struct run_model *model, struct model_task *task, const json_t *names)
{
	json_t *name, *place;
	size_t i;

	if (!json_array_size(names))
		return 0;
	task->depends = calloc(json_array_size(names), sizeof(*task->depends));
	if (!task->depends)
		return -ENOMEM;
	json_array_foreach (names, i, name) {
		place = json_object_get(
			model->places, json_string_value(name) ? json_string_value(name) : "");
		if (place)
			task->depends[task->depends_count++] = (size_t)json_integer_value(place);
	}
	return 0;
}

int model_set_plan(struct run_model *model, json_t *plan)
{
	const json_t *tasks = json_object_get(plan, "tasks");
	json_t *task;
	size_t i;
	int r = 0;

	tasks_free(model);
	memset(model->with_status, 0, sizeof(model->with_status));
	model->plan = json_incref(plan);
	model->places = json_object();
	model->tasks = calloc(json_array_size(tasks) + 1, sizeof(*model->tasks));
	if (!model->places || !model->tasks)
		return -ENOMEM;
	model->count = json_array_size(tasks);
	model->with_status[MODEL_PENDING] = model->count;
	json_array_foreach (tasks, i, task) {
		model->tasks[i].name = print_text(task, "name");
		if (json_object_set_new(model->places, model->tasks[i].name, json_integer((json_int_t)i)) < 0)
			return -ENOMEM;
	}
	json_array_foreach (tasks, i, task)
		r = r < 0 ? r : set_depends(model, &model->tasks[i], json_object_get(task, "depends"));
	return r;
}

struct model_task *model_find(const struct run_model *model, const char *name)
{
	const json_t *place = json_object_get(model->places, name);

	return place ? &model->tasks[json_integer_value(place)] : NULL;
}

size_t model_over(const struct run_model *model)
{
	size_t sum = 0;

	for (int i = 0; i < MODEL_STATUS_COUNT; i++)
		sum += statuses[i].over ? model->with_status[i] : 0;
	return sum;
}

static void apply_to_run(struct run_model *model, const struct model_change *change)
{
	snprintf(model->status, sizeof(model->status), "%s", change->to);
	if (!strcmp(change->to, "running") && !model->started_ms)
		model->started_ms = change->time_ms;
}

static void apply_to_task(struct run_model *model, const json_t *line, const struct model_change *change)
{
	struct model_task *task = change->task;
	json_int_t try = json_integer_value(json_object_get(line, "try"));

	model->with_status[task->status]--;
	task->status = status_of(change->to);
	model->with_status[task->status]++;
	task->try = try ? (int)
	try : task
		->try;
	task->until_ms = print_ms(json_object_get(line, "until"));
	if (task->status == MODEL_RUNNING) {
		task->started_ms = change->time_ms;
		task->first_ms = task->first_ms ? task->first_ms : change->time_ms;
	}
	task->ended_ms = statuses[task->status].over ? change->time_ms : 0;
	free(task->error);
	task->error = *change->error ? strdup(change->error) : NULL;
}

int model_apply(struct run_model *model, const json_t *line, struct model_change *ret_change)
{
	const json_t *name = json_object_get(line, "task"), *took = json_object_get(line, "duration_ms");
	struct model_change change = {
		.from = print_text(line, "from"),
		.to = print_text(line, "to"),
		.error = print_text(line, "error"),
		.time_ms = print_ms(json_object_get(line, "time")),
		.duration_ms = json_is_integer(took) ? json_integer_value(took) : -1,
	};

	if (!json_is_object(line) || !*change.to)
		return -EINVAL;
	if (json_is_string(name)) {
		change.task = model_find(model, json_string_value(name));
		if (!change.task)
			return -ENOENT;
		apply_to_task(model, line, &change);
	} else {
		apply_to_run(model, &change);
	}
	*ret_change = change;
	return 0;
}
