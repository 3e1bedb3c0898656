/* SPDX-License-Identifier: MIT */
/* runs/ID/tasks/ and what is in a task. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/run.h"
#include "fs/nodes/nodes.h"

static int task_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	char plain[NAME_SIZE];
	struct task task;
	int r = name_decode(name, plain);

	if (r == 0)
		r = task_find(folder->engine, folder->id, plain, &task);
	if (r == 0)
		*ret_id = task.id;
	return r;
}

static int emit_task(void *userdata, const struct task *task)
{
	struct emitter *emitter = userdata;
	char name[ENCODED_SIZE];

	return emitter->emit(emitter->userdata, name_encode(task->name, name), task->id);
}

static int task_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	struct emitter emitter = { emit, userdata };

	return task_each(folder->engine, folder->id, emit_task, &emitter);
}

static int task_status_show(struct view *view, FILE *out)
{
	struct task task;
	int r = task_get(view->engine, view->id, &task);

	if (r == 0)
		fprintf(out, "%s\n", task_status_name(task.status));
	return r;
}

static int attempts_show(struct view *view, FILE *out)
{
	task_show_attempts(view->engine, view->id, out);
	return 0;
}

static int task_duration_show(struct view *view, FILE *out)
{
	struct task task;
	char text[32];
	int r = task_get(view->engine, view->id, &task);

	if (r == 0 && task.started_ms)
		fprintf(out, "%s\n",
			duration_format(
				(task.finished_ms ? task.finished_ms : time_now_ms()) - task.started_ms,
				text));
	return r;
}

static int task_error_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r = task_error(view->engine, view->id, &text);

	if (r == 0 && text.size)
		fprintf(out, "%s%s", buffer_text(&text), text.data[text.size - 1] == '\n' ? "" : "\n");
	return r;
}

static int task_output_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *value = NULL;
	int r = task_output(view->engine, view->id, &text);

	if (r < 0)
		return r;
	value = text.size ? json_loadb(text.data, text.size, JSON_DECODE_ANY, NULL) : json_object();
	return value ? show_json(out, value) : -EBADMSG;
}

static int64_t task_log_size(struct view *view)
{
	struct task task;
	int r = task_get(view->engine, view->id, &task);

	return r < 0 ? r : task.log_size;
}

static ssize_t task_log_read(struct view *view, int64_t offset, char *data, size_t size)
{
	struct task task;
	int r = task_get(view->engine, view->id, &task);

	return r < 0 ? r : log_read(view->engine, task.run_id, task.id, offset, data, size);
}

static bool task_ended(struct view *view)
{
	struct task task;

	return task_get(view->engine, view->id, &task) < 0 || task_status_final(task.status);
}

static const struct stream task_log_stream = { task_log_size, task_log_read, task_ended };

static int64_t task_log_json_size(struct view *view)
{
	struct task task;
	int r = task_get(view->engine, view->id, &task);

	return r < 0 ? r : task.log_json_size;
}

static ssize_t task_log_json_read(struct view *view, int64_t offset, char *data, size_t size)
{
	return log_json_read(view->engine, 0, view->id, offset, data, size);
}

static const struct stream task_log_json_stream = { task_log_json_size, task_log_json_read, task_ended };

/* clang-format off */
static const struct entry tasks_entries[] = {
	{ .help = "a task", .kind = KIND_DIRECTORY, .mode = 0555, .subject = SUBJECT_TASK, .aspects = ASPECT_ALL,
	  .directory = &task_directory, .object = object_task, .find = task_find_node, .each = task_each_node },
};
/* clang-format on */

const struct directory tasks_directory = DIRECTORY(tasks_entries);

/* clang-format off */
static const struct entry task_entries[] = {
	{ .name = "status", .help = "pending, running, success, failed …", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_TASK, .aspects = ASPECT_STATUS | ASPECT_TASKS, .object = object_task,
	  .show = task_status_show },
	{ .name = "log", .help = "what it prints", .kind = KIND_STREAM, .mode = 0444, .subject = SUBJECT_TASK,
	  .aspects = ASPECT_LOG | ASPECT_STATUS | ASPECT_TASKS, .object = object_task,
	  .stream = &task_log_stream },
	{ .name = "attempts", .help = "a line a try", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_TASK,
	  .aspects = ASPECT_STATUS | ASPECT_TASKS, .object = object_task, .show = attempts_show },
	{ .name = "duration", .help = "how long it took, or takes", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .subject = SUBJECT_TASK, .aspects = ASPECT_STATUS, .object = object_task,
	  .show = task_duration_show },
	{ .name = "error", .help = "why it failed", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_TASK,
	  .aspects = ASPECT_STATUS | ASPECT_TASKS, .object = object_task, .show = task_error_show },
	{ .name = "output.json", .help = "what it gave back", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_TASK, .aspects = ASPECT_STATUS | ASPECT_TASKS, .object = object_task,
	  .show = task_output_show },
	{ .name = "log.json", .help = "what it prints, as JSON lines", .kind = KIND_STREAM, .mode = 0444,
	  .subject = SUBJECT_TASK, .aspects = ASPECT_LOG | ASPECT_STATUS | ASPECT_TASKS, .object = object_task,
	  .stream = &task_log_json_stream },
	{ .name = "attempts.json", .help = "its tries as JSON", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_TASK, .aspects = ASPECT_STATUS | ASPECT_TASKS | ASPECT_LOG, .object = object_task,
	  .show = attempts_json_show },
	{ .name = "attempts.d", .help = "its tries, a folder each", .kind = KIND_DIRECTORY, .mode = 0555, .fleeting = true,
	  .subject = SUBJECT_TASK, .aspects = ASPECT_STATUS | ASPECT_TASKS, .directory = &attempts_directory,
	  .object = object_task },
	{ .name = "artifacts", .help = "what it has kept", .kind = KIND_DIRECTORY, .mode = 0555, .fleeting = true,
	  .subject = SUBJECT_TASK, .aspects = ASPECT_NAMES, .directory = &task_artifacts_directory,
	  .object = object_task },
};
/* clang-format on */

const struct directory task_directory = DIRECTORY(task_entries);
