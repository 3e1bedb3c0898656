/* SPDX-License-Identifier: MIT */
/* summary, summary.json and result.json of a run. */
#include "fs/nodes/report.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/run-report.h"
#include "fs/nodes/nodes.h"

enum { FAILED_SHOWN = 20, LABEL = 16 };

static bool task_is_bad(const struct task *task)
{
	return task->status == TASK_FAILED || task->status == TASK_TIMED_OUT || task->status == TASK_LOST;
}

static json_t *text_json(const struct buffer *text)
{
	return text->size ? json_stringn(text->data, text->size) : json_null();
}

/* The tasks that failed, with why; the first of many. */
static json_t *failed_json(struct view *view, const struct report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->count && json_array_size(list) < FAILED_SHOWN; i++) {
		CLEANUP(buffer_done) struct buffer error = { 0 };
		const struct task *task = &report->tasks[i].task;

		if (!task_is_bad(task))
			continue;
		task_error(view->engine, task->id, &error);
		json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:i}", "task", task->name, "status",
						    task_status_name(task->status), "error",
						    text_json(&error), "tries", task->tries));
	}
	return list;
}

/* Whether the run's error is that of a task, told again: "task build: exit status 1". */
static bool is_error_of_task(const char *error, const json_t *failed)
{
	json_t *task;
	size_t i;

	json_array_foreach (failed, i, task) {
		const char *name = json_string_value(json_object_get(task, "task"));
		const char *own = json_string_value(json_object_get(task, "error"));
		size_t n = strlen(name);

		if (!strncmp(error, "task ", 5) && !strncmp(error + 5, name, n) &&
			!strncmp(error + 5 + n, ": ", 2) && own && !strcmp(error + 5 + n + 2, own))
			return true;
	}
	return false;
}

static int load_summary(struct view *view, json_t **ret_summary)
{
	CLEANUP(report_done) struct report report = { 0 };
	CLEANUP(buffer_done) struct buffer error = { 0 };
	json_t *summary, *failed;
	int r = report_load(view->engine, view->id, &report);

	if (r == 0)
		r = run_text(view->engine, view->id, RUN_ERROR, &error);
	if (r < 0)
		return r;
	summary = report_json(&report);
	failed = failed_json(view, &report);
	if (!summary || !failed) {
		json_decref(summary);
		json_decref(failed);
		return -ENOMEM;
	}
	json_object_set_new(summary, "error", text_json(&error));
	json_object_set_new(
		summary, "error_of_task", json_boolean(is_error_of_task(buffer_text(&error), failed)));
	json_object_set_new(summary, "failed", failed);
	*ret_summary = summary;
	return 0;
}

int summary_json_show(struct view *view, FILE *out)
{
	json_auto_t *summary = NULL;
	int r = load_summary(view, &summary);

	return r < 0 ? r : show_json(out, summary);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const char *took_of(const json_t *object, const char *key, char text[32])
{
	const json_t *ms = json_object_get(object, key);

	return json_is_integer(ms) ? duration_format(json_integer_value(ms), text) : "-";
}

/* The first line: what a message shows below it stands in `error`, and in the log. */
static void write_message(FILE *out, const char *error)
{
	text_write_safe_n(out, error, strcspn(error, "\n"));
}

static void write_label(FILE *out, const char *label)
{
	fprintf(out, "%-*s", LABEL, label);
}

static void write_counts(FILE *out, const json_t *counts)
{
	const char *status, *separator = "";
	json_t *count;

	write_label(out, "Tasks:");
	json_object_foreach ((json_t *)(uintptr_t)counts, status, count) {
		fprintf(out, "%s%lld %s", separator, (long long)json_integer_value(count), status);
		separator = ", ";
	}
	fputs(*separator ? "\n" : "none\n", out);
}

static void write_tasks(FILE *out, const char *label, const json_t *tasks)
{
	char text[32];
	json_t *task;
	size_t i;

	json_array_foreach (tasks, i, task) {
		write_label(out, i ? "" : label);
		text_write_safe(out, text_of(task, "task"));
		fprintf(out, "  %s", took_of(task, "duration_ms", text));
		if (json_integer_value(json_object_get(task, "wait_ms")) > 0)
			fprintf(out, ", after waiting %s", took_of(task, "wait_ms", text));
		if (json_integer_value(json_object_get(task, "tries")) > 1)
			fprintf(out, ", %lld tries",
				(long long)json_integer_value(json_object_get(task, "tries")));
		fputc('\n', out);
	}
}

static void write_failed(FILE *out, const json_t *summary)
{
	const json_t *failed = json_object_get(summary, "failed");
	json_t *task;
	size_t i;

	json_array_foreach (failed, i, task) {
		write_label(out, i ? "" : "Failed:");
		text_write_safe(out, text_of(task, "task"));
		fprintf(out, "  %s", text_of(task, "status"));
		if (*text_of(task, "error")) {
			fputs(": ", out);
			write_message(out, text_of(task, "error"));
		}
		fputc('\n', out);
	}
	if (!*text_of(summary, "error") || json_is_true(json_object_get(summary, "error_of_task")))
		return;
	write_label(out, "Error:");
	write_message(out, text_of(summary, "error"));
	fputc('\n', out);
}

int summary_show(struct view *view, FILE *out)
{
	json_auto_t *summary = NULL;
	char text[32];
	int r = load_summary(view, &summary);

	if (r < 0)
		return r;
	write_label(out, "Run:");
	fprintf(out, "%lld of %s", (long long)view->id, text_of(summary, "file"));
	if (*text_of(summary, "stack"))
		fprintf(out, " on %s", text_of(summary, "stack"));
	fputc('\n', out);
	write_label(out, "Status:");
	fprintf(out, "%s\n", text_of(summary, "status"));
	write_label(out, "Duration:");
	fprintf(out, "%s", took_of(summary, "duration_ms", text));
	fprintf(out, ", after waiting %s\n", took_of(summary, "queue_ms", text));
	write_counts(out, json_object_get(summary, "counts"));
	write_label(out, "Tries:");
	fprintf(out, "%lld\n", (long long)json_integer_value(json_object_get(summary, "tries")));
	write_failed(out, summary);
	write_tasks(out, "Slowest:", json_object_get(summary, "slowest"));
	write_tasks(out, "Critical path:", json_object_get(summary, "critical_path"));
	return 0;
}

/* What its process has left, and for each task when it began and ended and how long it could have run and did
 * not. */
static void add_times(const struct report *report, json_t *result)
{
	json_t *tasks = json_object_get(result, "tasks");

	for (size_t i = 0; i < report->count; i++) {
		const struct report_task *task = &report->tasks[i];
		json_t *row = json_object_get(tasks, task->task.name);
		int64_t wait = report_wait_ms(task);

		if (!json_is_object(row))
			continue;
		json_object_set_new(row, "started", time_json(task->task.started_ms));
		json_object_set_new(row, "finished", time_json(task->task.finished_ms));
		json_object_set_new(row, "wait_ms", wait < 0 ? json_null() : json_integer(wait));
	}
	json_object_set_new(result, "critical_path", report_path_json(report));
	if (report->run.started_ms)
		json_object_set_new(
			result, "queue_ms", json_integer(report->run.started_ms - report->run.created_ms));
}

int result_json_show(struct view *view, FILE *out)
{
	CLEANUP(report_done) struct report report = { 0 };
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *result = NULL;
	int r = run_text(view->engine, view->id, RUN_RESULT, &text);

	if (r < 0)
		return r;
	result = json_loadb(buffer_text(&text), text.size, 0, NULL);
	if (!json_is_object(result))
		return fputs("{}\n", out) < 0 ? -EIO : 0;
	r = report_load(view->engine, view->id, &report);
	if (r < 0)
		return r;
	add_times(&report, result);
	return show_json(out, result);
}
