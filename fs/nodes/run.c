/* SPDX-License-Identifier: MIT */
/* What is in a run: runs/7/. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/plan.h"
#include "engine/run-undo.h"
#include "engine/runner.h"
#include "engine/transition.h"
#include "fs/nodes/changes.h"
#include "fs/nodes/nodes.h"
#include "fs/nodes/report.h"

static int status_show(struct view *view, FILE *out)
{
	struct run run;
	int r = run_get(view->engine, view->id, &run);

	if (r == 0)
		fprintf(out, "%s\n", run_status_name(run.status));
	return r;
}

static int wait_done(struct view *view)
{
	struct run run;
	int r = run_get(view->engine, view->id, &run);

	return r < 0 ? r : run_status_final(run.status);
}

/* A line, as long as it has not begun; then it is empty. */
static int waiting_show(struct view *view, FILE *out)
{
	json_auto_t *waiting = runner_waiting(view->tree->runners, view->id);
	const char *text = json_string_value(json_object_get(waiting, "text"));

	if (text)
		fprintf(out, "waits for %s\n", text);
	return 0;
}

static json_t *waiting_json(struct view *view)
{
	json_t *waiting = runner_waiting(view->tree->runners, view->id);

	return waiting ? waiting : json_null();
}

static json_t *duration_or_null(int64_t from_ms, int64_t to_ms)
{
	return from_ms && to_ms ? json_integer(to_ms - from_ms) : json_null();
}

static int add_task(void *userdata, const struct task *task)
{
	json_t *list = userdata;

	json_array_append_new(
		list, json_pack("{s:s, s:s, s:i, s:o, s:o, s:o}", "name", task->name, "status",
			      task_status_name(task->status), "tries", task->tries, "started",
			      time_json(task->started_ms), "finished", time_json(task->finished_ms),
			      "duration_ms", duration_or_null(task->started_ms, task->finished_ms)));
	return 0;
}

static bool has_failed(const json_t *row)
{
	int status = task_status_parse(json_string_value(json_object_get(row, "status")));

	return status == TASK_FAILED || status == TASK_TIMED_OUT;
}

/* Task errors are few: read one by one, for those that can have one. */
static void add_errors(struct view *view, json_t *tasks)
{
	json_t *row;
	size_t i;

	json_array_foreach (tasks, i, row) {
		CLEANUP(buffer_done) struct buffer text = { 0 };
		struct task task;

		if (has_failed(row) &&
			task_find(view->engine, view->id, json_string_value(json_object_get(row, "name")),
				&task) == 0 &&
			task_error(view->engine, task.id, &text) == 0)
			json_object_set_new(row, "error", json_stringn(buffer_text(&text), text.size));
	}
}

static int status_json_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_done) struct buffer error = { 0 };
	json_auto_t *value = NULL;
	json_t *tasks = json_array();
	char user[128];
	struct run run;
	int r = run_get(view->engine, view->id, &run);

	if (r == 0)
		r = task_each(view->engine, view->id, add_task, tasks);
	if (r < 0) {
		json_decref(tasks);
		return r;
	}
	add_errors(view, tasks);
	run_text(view->engine, view->id, RUN_ERROR, &error);
	value = json_pack("{s:I, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
		(json_int_t)run.id, "status", run_status_name(run.status), "stack", run.stack, "file",
		run.file, "user", caller_user_name(run.uid, user, sizeof(user)), "uid", (int)run.uid,
		"created", time_json(run.created_ms), "started", time_json(run.started_ms), "finished",
		time_json(run.finished_ms), "duration_ms", duration_or_null(run.started_ms, run.finished_ms),
		"error", error.size ? json_stringn(error.data, error.size) : json_null(), "waiting",
		waiting_json(view), "tasks", tasks);
	return value ? show_json(out, value) : -ENOMEM;
}

static int stack_link_show(struct view *view, FILE *out)
{
	struct run run;
	int r = run_get(view->engine, view->id, &run);

	/* A workflow that was refused before it named a stack has none; the link leads nowhere then. */
	if (r == 0)
		fprintf(out, "../../stacks/%s", *run.stack ? run.stack : "-");
	return r;
}

static const struct {
	const char *name;
	enum run_text which;
} text_rows[] = {
	{ "error", RUN_ERROR },
	{ "workflow", RUN_WORKFLOW },
};

static int text_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	const char *name = node_entry(view->node)->name;
	int r = -ENOENT;

	for (size_t i = 0; i < sizeof(text_rows) / sizeof(text_rows[0]); i++)
		if (!strcmp(text_rows[i].name, name))
			r = run_text(view->engine, view->id, text_rows[i].which, &text);
	if (r < 0)
		return r;
	fwrite(buffer_text(&text), 1, text.size, out);
	if (!strcmp(name, "error") && text.size && text.data[text.size - 1] != '\n')
		fputc('\n', out);
	return 0;
}

static int64_t workflow_size(struct view *view)
{
	return run_text_size(view->engine, view->id, RUN_WORKFLOW);
}

/* A text of the run that is JSON; an empty object when there is none yet. New reference. */
static json_t *run_json(struct view *view, enum run_text which)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_t *value = NULL;

	if (run_text(view->engine, view->id, which, &text) == 0 && text.size)
		value = json_loadb(text.data, text.size, JSON_DECODE_ANY, NULL);
	return value ? value : json_object();
}

static int show_run_json(struct view *view, enum run_text which, FILE *out)
{
	json_auto_t *value = run_json(view, which);

	return value ? show_json(out, value) : -ENOMEM;
}

/* JSON is YAML. */
static int values_show(struct view *view, FILE *out)
{
	return show_run_json(view, RUN_VALUES, out);
}

static int plan_json_show(struct view *view, FILE *out)
{
	return show_run_json(view, RUN_PLAN, out);
}

static int outputs_json_show(struct view *view, FILE *out)
{
	return show_run_json(view, RUN_OUTPUTS, out);
}

static int outputs_show(struct view *view, FILE *out)
{
	json_auto_t *outputs = run_json(view, RUN_OUTPUTS);
	const char *key;
	json_t *value;

	json_object_foreach (outputs, key, value) {
		CLEANUP(cleanup_free)
		char *text =
			json_is_string(value) ? NULL : json_dumps(value, JSON_SORT_KEYS | JSON_ENCODE_ANY);

		fprintf(out, "%s=", key);
		text_write_safe(out, text ? text : json_string_value(value));
		fputc('\n', out);
	}
	return 0;
}

static int plan_show_node(struct view *view, FILE *out)
{
	json_auto_t *plan = run_json(view, RUN_PLAN);

	plan_show(plan, out);
	return 0;
}

static int plan_dot_show(struct view *view, FILE *out)
{
	json_auto_t *plan = run_json(view, RUN_PLAN);

	plan_show_dot(plan, out);
	return 0;
}

static int times_show(struct view *view, FILE *out)
{
	const char *name = node_entry(view->node)->name;
	struct run run;
	char text[32];
	int64_t end;
	int r = run_get(view->engine, view->id, &run);

	if (r < 0)
		return r;
	end = run.finished_ms ? run.finished_ms : time_now_ms();
	if (!strcmp(name, "started") && run.started_ms)
		fprintf(out, "%s\n", time_format(run.started_ms, text));
	else if (!strcmp(name, "finished") && run.finished_ms)
		fprintf(out, "%s\n", time_format(run.finished_ms, text));
	else if (!strcmp(name, "duration") && run.started_ms)
		fprintf(out, "%s\n", duration_format(end - run.started_ms, text));
	return 0;
}

static int64_t log_size(struct view *view)
{
	struct run run;
	int r = run_get(view->engine, view->id, &run);

	return r < 0 ? r : run.log_size;
}

static ssize_t log_read_node(struct view *view, int64_t offset, char *data, size_t size)
{
	return log_read(view->engine, view->id, 0, offset, data, size);
}

static bool run_ended(struct view *view)
{
	return wait_done(view) != 0;
}

static const struct stream log_stream = { log_size, log_read_node, run_ended };

static int64_t log_json_size(struct view *view)
{
	struct run run;
	int r = run_get(view->engine, view->id, &run);

	return r < 0 ? r : run.log_json_size;
}

static ssize_t log_json_read_node(struct view *view, int64_t offset, char *data, size_t size)
{
	return log_json_read(view->engine, view->id, 0, offset, data, size);
}

static const struct stream log_json_stream = { log_json_size, log_json_read_node, run_ended };

static int64_t transitions_size(struct view *view)
{
	return transition_size(view->engine, view->id);
}

static ssize_t transitions_read(struct view *view, int64_t offset, char *data, size_t size)
{
	return transition_read(view->engine, view->id, offset, data, size);
}

static const struct stream transitions_stream = { transitions_size, transitions_read, run_ended };

static int ctl_cancel(struct view *view)
{
	return runner_cancel(view->tree->runners, view->caller, view->id, view->fault);
}

static void retried(void *userdata, int result, const struct fault *fault)
{
	struct request *request = userdata;

	if (fault && result < 0)
		request->fault = *fault;
	request_finish(request, result < 0 ? result : (ssize_t)request->size);
}

static void retry_taken_back(struct request *request)
{
	runner_forget(request->tree->runners, request->started_run);
}

static int retry(struct view *view, bool only_failed)
{
	int r = runner_retry(view->tree->runners, view->caller, view->id, only_failed, view->fault, retried,
		view->request, &view->request->started_run);

	return r < 0 ? r : request_later(view->request, retry_taken_back, NULL);
}

static int ctl_retry(struct view *view)
{
	return retry(view, false);
}

static int ctl_retry_failed(struct view *view)
{
	return retry(view, true);
}

static int undo(struct view *view, bool dry, bool force)
{
	const struct run_undo undo = { .run_id = view->id, .force = force, .dry = dry };
	int r = run_undo(view->tree->runners, view->caller, &undo, view->fault, retried, view->request,
		&view->request->started_run);

	return r < 0 || dry ? r : request_later(view->request, retry_taken_back, NULL);
}

static int ctl_undo(struct view *view)
{
	return undo(view, false, false);
}

static int ctl_undo_force(struct view *view)
{
	return undo(view, false, true);
}

static int ctl_undo_plan(struct view *view)
{
	return undo(view, true, false);
}

static int ctl_undo_plan_force(struct view *view)
{
	return undo(view, true, true);
}

static const struct {
	const char *verb;
	int (*run)(struct view *view);
} verbs[] = {
	{ "cancel", ctl_cancel },
	{ "retry", ctl_retry },
	{ "retry failed", ctl_retry_failed },
	{ "undo", ctl_undo },
	{ "undo force", ctl_undo_force },
	{ "undo plan", ctl_undo_plan },
	{ "undo plan force", ctl_undo_plan_force },
};

static int ctl_show(struct view *view, FILE *out)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(out, "%s\n", verbs[i].verb);
	return 0;
}

static int ctl_write(struct view *view, const char *line, size_t size)
{
	const char *words[sizeof(verbs) / sizeof(verbs[0])];
	char word[64];

	while (size && (line[size - 1] == ' ' || line[size - 1] == '\r'))
		size--;
	snprintf(word, sizeof(word), "%.*s", (int)(size < 63 ? size : 63), line);
	if (!view->tree->runners)
		return -ENOTSUP;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!strcmp(verbs[i].verb, word))
			return verbs[i].run(view);
		words[i] = verbs[i].verb;
	}
	const char *near = text_nearest(word, words, sizeof(words) / sizeof(words[0]));
	return fault_set(view->fault, EINVAL,
		"\"%s\" is no command for a run: cancel, retry, retry failed, undo [plan] [force]%s%s%s",
		word, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* clang-format off */
static const struct entry run_entries[] = {
	{ .name = "status", .help = "queued, waiting, running, success, failed …", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_STATUS | ASPECT_META, .object = object_run,
	  .show = status_show },
	{ .name = "status.json", .help = "the run and its tasks as JSON", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .subject = SUBJECT_RUN, .aspects = ASPECT_ALL, .object = object_run,
	  .show = status_json_show },
	{ .name = "waiting", .help = "what it waits for before it begins, and who has it", .kind = KIND_TEXT,
	  .mode = 0444, .fleeting = true, .subject = SUBJECT_RUN, .aspects = ASPECT_STATUS | ASPECT_META,
	  .object = object_run, .show = waiting_show },
	{ .name = "error", .help = "why it failed", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_RUN,
	  .aspects = ASPECT_STATUS | ASPECT_META, .object = object_run, .show = text_show },
	{ .name = "stack", .help = "link to its stack", .kind = KIND_LINK, .mode = 0777, .subject = SUBJECT_RUN,
	  .aspects = ASPECT_META, .object = object_run, .show = stack_link_show },
	{ .name = "workflow", .help = "the text that runs", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_RUN,
	  .aspects = ASPECT_META | ASPECT_DOCUMENTS, .object = object_run, .show = text_show,
	  .size = workflow_size },
	{ .name = "values.yaml", .help = "the values that it sees", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_META | ASPECT_DOCUMENTS, .object = object_run,
	  .show = values_show },
	{ .name = "plan", .help = "its tasks, and what each waits for", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_PLAN | ASPECT_META, .object = object_run, .show = plan_show_node },
	{ .name = "plan.json", .help = "the plan as JSON", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_RUN,
	  .aspects = ASPECT_PLAN | ASPECT_META, .object = object_run, .show = plan_json_show },
	{ .name = "plan.dot", .help = "the plan for Graphviz", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_PLAN | ASPECT_META, .object = object_run,
	  .show = plan_dot_show },
	{ .name = "log", .help = "what its tasks print; grows while it goes on", .kind = KIND_STREAM, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_LOG | ASPECT_STATUS, .object = object_run,
	  .stream = &log_stream },
	{ .name = "wait", .help = "reading blocks until it ends, then gives its status", .kind = KIND_WAIT,
	  .mode = 0444, .subject = SUBJECT_RUN, .aspects = ASPECT_STATUS, .object = object_run,
	  .show = status_show, .done = wait_done },
	{ .name = "ctl", .help = "commands: cancel, retry, retry failed, undo", .kind = KIND_CONTROL, .mode = 0666,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_META, .object = object_run, .show = ctl_show,
	  .write = ctl_write },
	{ .name = "outputs", .help = "what it set, key=value lines", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_OUTPUTS | ASPECT_META, .object = object_run,
	  .show = outputs_show },
	{ .name = "outputs.json", .help = "what it set, as JSON", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_OUTPUTS | ASPECT_META, .object = object_run,
	  .show = outputs_json_show },
	{ .name = "result.json", .help = "its result", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_RUN,
	  .aspects = ASPECT_STATUS | ASPECT_META, .object = object_run, .show = result_json_show },
	{ .name = "duration", .help = "how long it took, or takes", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .subject = SUBJECT_RUN, .aspects = ASPECT_STATUS, .object = object_run,
	  .show = times_show },
	{ .name = "started", .help = "when it started", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_RUN,
	  .aspects = ASPECT_STATUS | ASPECT_META, .object = object_run, .show = times_show },
	{ .name = "finished", .help = "when it ended", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_RUN,
	  .aspects = ASPECT_STATUS | ASPECT_META, .object = object_run, .show = times_show },
	{ .name = "tasks", .help = "its tasks", .kind = KIND_DIRECTORY, .mode = 0555, .subject = SUBJECT_RUN,
	  .aspects = ASPECT_META | ASPECT_PLAN, .directory = &tasks_directory, .object = object_run },
	{ .name = "log.json", .help = "the log as JSON lines", .kind = KIND_STREAM, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_LOG | ASPECT_STATUS, .object = object_run,
	  .stream = &log_json_stream },
	{ .name = "events.json", .help = "what becomes of it and its tasks, as JSON lines", .kind = KIND_STREAM,
	  .mode = 0444, .subject = SUBJECT_RUN, .aspects = ASPECT_TASKS | ASPECT_STATUS, .object = object_run,
	  .stream = &transitions_stream },
	{ .name = "summary", .help = "how it went: slowest tasks, critical path", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_TASKS | ASPECT_STATUS,
	  .object = object_run, .show = summary_show },
	{ .name = "summary.json", .help = "the summary as JSON", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_TASKS | ASPECT_STATUS, .object = object_run,
	  .show = summary_json_show },
	{ .name = "junit.xml", .help = "its tasks as a test report", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_TASKS | ASPECT_STATUS | ASPECT_LOG,
	  .object = object_run, .show = junit_show },
	{ .name = "changes", .help = "what it changed in the world, and whether that can be undone", .kind = KIND_TEXT,
	  .mode = 0444, .fleeting = true, .subject = SUBJECT_RUN, .aspects = ASPECT_ALL, .object = object_run,
	  .show = changes_show },
	{ .name = "changes.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_ALL, .object = object_run, .show = changes_json_show },
	{ .name = "artifacts", .help = "what its tasks have kept", .kind = KIND_DIRECTORY, .mode = 0555, .fleeting = true,
	  .subject = SUBJECT_RUN, .aspects = ASPECT_META | ASPECT_NAMES, .directory = &run_artifacts_directory,
	  .object = object_run },
};
/* clang-format on */

const struct directory run_directory = DIRECTORY(run_entries);
