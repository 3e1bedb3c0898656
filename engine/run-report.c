/* SPDX-License-Identifier: MIT */
/* What can be said of a run as a whole. */
#include "engine/run-report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { SLOWEST = 5 };

void report_done(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->tasks[i].depends);
	free(report->tasks);
	free(report->path);
	*report = (struct report){ 0 };
}

static int add_task(void *userdata, const struct task *task)
{
	struct report *report = userdata;

	/* Grown by halves: a run may have ten thousand. */
	if ((report->count & (report->count - 1)) == 0) {
		size_t room = report->count ? 2 * report->count : 1;
		struct report_task *tasks = reallocarray(report->tasks, room, sizeof(*tasks));

		if (!tasks)
			return -ENOMEM;
		report->tasks = tasks;
	}
	report->tasks[report->count++] = (struct report_task){ .task = *task };
	return 0;
}

static int set_depends(struct report_task *task, const json_t *names, const json_t *places)
{
	json_t *name, *place;
	size_t i;

	task->depends = calloc(json_array_size(names) + 1, sizeof(*task->depends));
	if (!task->depends)
		return -ENOMEM;
	json_array_foreach (names, i, name) {
		place = json_object_get(places, json_string_value(name) ? json_string_value(name) : "");
		if (place)
			task->depends[task->depends_count++] = (size_t)json_integer_value(place);
	}
	return 0;
}

/* The plan says what depends on what. */
static int load_depends(struct engine *engine, struct report *report)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *plan = NULL, *places = json_object();
	const json_t *tasks;
	json_t *task;
	size_t i;
	int r = run_text(engine, report->run.id, RUN_PLAN, &text);

	if (r < 0)
		return r;
	plan = json_loadb(buffer_text(&text), text.size, 0, NULL);
	tasks = json_object_get(plan, "tasks");
	for (i = 0; i < report->count; i++)
		json_object_set_new(places, report->tasks[i].task.name, json_integer((json_int_t)i));
	json_array_foreach (tasks, i, task) {
		const char *name = json_string_value(json_object_get(task, "name"));
		const json_t *place = name ? json_object_get(places, name) : NULL;
		struct report_task *row = place ? &report->tasks[json_integer_value(place)] : NULL;

		if (r == 0 && row && !row->depends)
			r = set_depends(row, json_object_get(task, "depends"), places);
	}
	return r;
}

int report_load(struct engine *engine, int64_t run_id, struct report *ret_report)
{
	struct report report = { 0 };
	int r = run_get(engine, run_id, &report.run);

	if (r == 0)
		r = task_each(engine, run_id, add_task, &report);
	if (r == 0)
		r = load_depends(engine, &report);
	if (r == 0)
		r = report_find_path(&report);
	if (r < 0) {
		report_done(&report);
		return r;
	}
	*ret_report = report;
	return 0;
}

int64_t report_task_ms(const struct report_task *task)
{
	return task->task.started_ms && task->task.finished_ms
		       ? task->task.finished_ms - task->task.started_ms
		       : -1;
}

int64_t report_wait_ms(const struct report_task *task)
{
	if (!task->task.started_ms)
		return -1;
	return task->task.started_ms > task->ready_ms ? task->task.started_ms - task->ready_ms : 0;
}

/* The dependency that ended last; -1: there is none. */
static ssize_t last_dependency(const struct report *report, const struct report_task *task)
{
	ssize_t last = -1;

	for (size_t i = 0; i < task->depends_count; i++) {
		size_t at = task->depends[i];

		if (last < 0 || report->tasks[at].task.finished_ms > report->tasks[last].task.finished_ms)
			last = (ssize_t)at;
	}
	return last;
}

static ssize_t last_to_end(const struct report *report)
{
	ssize_t last = -1;

	for (size_t i = 0; i < report->count; i++) {
		if (report_task_ms(&report->tasks[i]) < 0)
			continue;
		if (last < 0 || report->tasks[i].task.finished_ms > report->tasks[last].task.finished_ms)
			last = (ssize_t)i;
	}
	return last;
}

int report_find_path(struct report *report)
{
	ssize_t at;

	for (size_t i = 0; i < report->count; i++) {
		struct report_task *task = &report->tasks[i];

		at = last_dependency(report, task);
		task->ready_ms = at < 0 ? report->run.started_ms : report->tasks[at].task.finished_ms;
	}
	report->path = calloc(report->count + 1, sizeof(*report->path));
	if (!report->path)
		return -ENOMEM;
	/* A graph has no cycle; a damaged plan may. */
	for (at = last_to_end(report); at >= 0 && report->path_count < report->count;
		at = last_dependency(report, &report->tasks[at]))
		report->path[report->path_count++] = (size_t)at;
	for (size_t i = 0; i < report->path_count / 2; i++) {
		size_t other = report->path[report->path_count - 1 - i];

		report->path[report->path_count - 1 - i] = report->path[i];
		report->path[i] = other;
	}
	return 0;
}

static json_t *number_or_null(int64_t number)
{
	return number < 0 ? json_null() : json_integer(number);
}

json_t *report_path_json(const struct report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->path_count; i++) {
		const struct report_task *task = &report->tasks[report->path[i]];

		json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "task", task->task.name,
						    "duration_ms", number_or_null(report_task_ms(task)),
						    "wait_ms", number_or_null(report_wait_ms(task))));
	}
	return list;
}

static int by_time(const void *a, const void *b)
{
	const struct report_task *x = *(const struct report_task *const *)a,
				 *y = *(const struct report_task *const *)b;
	int64_t x_ms = report_task_ms(x), y_ms = report_task_ms(y);

	if (x_ms != y_ms)
		return x_ms < y_ms ? 1 : -1;
	return (x > y) - (x < y);
}

static json_t *slowest_json(const struct report *report)
{
	CLEANUP(cleanup_free) const struct report_task **order = calloc(report->count + 1, sizeof(*order));
	json_t *list = json_array();

	for (size_t i = 0; order && i < report->count; i++)
		order[i] = &report->tasks[i];
	if (order)
		qsort(order, report->count, sizeof(*order), by_time);
	for (size_t i = 0; order && i < report->count && i < SLOWEST && report_task_ms(order[i]) >= 0; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:I, s:i}", "task", order[i]->task.name, "status",
				      task_status_name(order[i]->task.status), "duration_ms",
				      (json_int_t)report_task_ms(order[i]), "tries", order[i]->task.tries));
	return list;
}

/* Each status once, with how many tasks have it. */
static json_t *counts_json(const struct report *report, int64_t *ret_tries)
{
	size_t counts[TASK_STATUS_COUNT] = { 0 };
	json_t *object = json_object();

	*ret_tries = 0;
	for (size_t i = 0; i < report->count; i++) {
		counts[report->tasks[i].task.status]++;
		*ret_tries += report->tasks[i].task.tries;
	}
	for (int i = 0; i < TASK_STATUS_COUNT; i++)
		if (counts[i])
			json_object_set_new(object, task_status_name((enum task_status)i),
				json_integer((json_int_t)counts[i]));
	return object;
}

json_t *report_json(const struct report *report)
{
	const struct run *run = &report->run;
	bool over = run->started_ms && run->finished_ms;
	int64_t tries;
	json_t *counts = counts_json(report, &tries);

	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:i, s:I, s:o, s:o, s:o}", "id", (json_int_t)run->id,
		"file", run->file, "stack", run->stack, "status", run_status_name(run->status), "duration_ms",
		over ? json_integer(run->finished_ms - run->started_ms) : json_null(), "queue_ms",
		run->started_ms ? json_integer(run->started_ms - run->created_ms) : json_null(), "tasks",
		(int)report->count, "tries", (json_int_t)tries, "counts", counts, "slowest",
		slowest_json(report), "critical_path", report_path_json(report));
}
