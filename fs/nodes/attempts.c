/* SPDX-License-Identifier: MIT */
/* The tries of a task: attempts.json, and attempts.d/N/. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/try.h"
#include "fs/nodes/nodes.h"

/* All of a task. */

static int add_row(void *userdata, const struct try *try, const char *error)
{
	json_t *duration = try->finished_ms ? json_integer(try->finished_ms - try->started_ms) : json_null();

	return json_array_append_new(userdata,
		json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:I}", "attempt", try->number, "kind",
			try->undo ? "undo" : "run", "status", task_status_name(try->status), "started",
			time_json(try->started_ms), "finished", time_json(try->finished_ms), "duration_ms",
			duration, "error", *error ? json_string(error) : json_null(), "log_size",
			(json_int_t)(try->log_end - try->log_start)));
}

int attempts_json_show(struct view *view, FILE *out)
{
	json_auto_t *list = json_array();
	int r = try_each(view->engine, view->id, add_row, list);

	return r < 0 ? r : show_json(out, list);
}

/* One of them: the object is task and number. */

static int of_view(struct view *view, struct try *ret_try)
{
	return try_get(view->engine, node_packed_id(view->id), (int)node_packed_part(view->id), ret_try);
}

static int attempt_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct try try;
	int64_t number;
	int r;

	if (*name < '1' || *name > '9' || parse_int64(name, &number) < 0 || number > NODE_PART_MAX)
		return -ENOENT;
	r = try_get(folder->engine, folder->id, (int)number, &try);
	if (r == 0)
		*ret_id = node_pack(folder->id, (unsigned)number);
	return r;
}

static int emit_one(void *userdata, const struct try *try, const char *error)
{
	struct emitter *emitter = userdata;
	char name[16];

	if (try->number > NODE_PART_MAX)
		return 1;
	snprintf(name, sizeof(name), "%d", try->number);
	return emitter->emit(emitter->userdata, name, node_pack(try->task_id, (unsigned)try->number));
}

static int attempt_each(struct view *folder, node_emit *emit, void *userdata)
{
	struct emitter emitter = { emit, userdata };
	int r = try_each(folder->engine, folder->id, emit_one, &emitter);

	return r > 0 ? 0 : r;
}

static int object_attempt(struct view *view, struct object *ret_object)
{
	struct view task = *view;
	struct try try;
	int r = of_view(view, &try);

	task.id = node_packed_id(view->id);
	if (r == 0)
		r = object_task(&task, ret_object);
	if (r == 0)
		ret_object->mtime_ms = try.finished_ms ? try.finished_ms : try.started_ms;
	return r;
}

static int status_show(struct view *view, FILE *out)
{
	struct try try;
	int r = of_view(view, &try);

	if (r == 0)
		fprintf(out, "%s\n", task_status_name(try.status));
	return r;
}

static int kind_show(struct view *view, FILE *out)
{
	struct try try;
	int r = of_view(view, &try);

	if (r == 0)
		fprintf(out, "%s\n", try.undo ? "undo" : "run");
	return r;
}

static int error_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r = try_error(view->engine, node_packed_id(view->id), (int)node_packed_part(view->id), &text);

	if (r == 0 && text.size)
		fprintf(out, "%s%s", buffer_text(&text), text.data[text.size - 1] == '\n' ? "" : "\n");
	return r;
}

static int times_show(struct view *view, FILE *out)
{
	const char *name = node_entry(view->node)->name;
	struct try try;
	char text[32];
	int r = of_view(view, &try);

	if (r < 0)
		return r;
	if (!strcmp(name, "started"))
		fprintf(out, "%s\n", time_format(try.started_ms, text));
	else if (!strcmp(name, "finished") && try.finished_ms)
		fprintf(out, "%s\n", time_format(try.finished_ms, text));
	else if (!strcmp(name, "duration"))
		fprintf(out, "%s\n",
			duration_format(
				(try.finished_ms ? try.finished_ms : time_now_ms()) - try.started_ms, text));
	return 0;
}

static int64_t log_size(struct view *view)
{
	struct try try;
	int r = of_view(view, &try);

	return r < 0 ? r : try.log_end - try.log_start;
}

static ssize_t log_part_read(struct view *view, int64_t offset, char *data, size_t size)
{
	struct task task;
	struct try try;
	int r = of_view(view, &try);

	if (r == 0)
		r = task_get(view->engine, try.task_id, &task);
	if (r < 0 || offset >= try.log_end - try.log_start)
		return r;
	if ((int64_t)size > try.log_end - try.log_start - offset)
		size = (size_t)(try.log_end - try.log_start - offset);
	return log_read(view->engine, task.run_id, task.id, try.log_start + offset, data, size);
}

/* What its last hooks say is the last try's. */
static bool attempt_ended(struct view *view)
{
	struct task task;
	struct try try;

	if (of_view(view, &try) < 0 || task_get(view->engine, try.task_id, &task) < 0)
		return true;
	return task_status_final(task.status) || try.number < task.tries;
}

static const struct stream log_stream = { log_size, log_part_read, attempt_ended };

/* clang-format off */
static const struct entry attempts_entries[] = {
	{ .help = "a try", .kind = KIND_DIRECTORY, .mode = 0555, .fleeting = true, .subject = SUBJECT_TASK,
	  .directory = &attempt_directory, .object = object_attempt, .find = attempt_find, .each = attempt_each },
};

static const struct entry attempt_entries[] = {
	{ .name = "status", .help = "how it went", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_TASK, .object = object_attempt, .show = status_show },
	{ .name = "kind", .help = "run, or undo", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_TASK, .object = object_attempt, .show = kind_show },
	{ .name = "log", .help = "what it printed", .kind = KIND_STREAM, .mode = 0444, .subject = SUBJECT_TASK,
	  .object = object_attempt, .stream = &log_stream },
	{ .name = "error", .help = "why it failed", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_TASK, .object = object_attempt, .show = error_show },
	{ .name = "started", .help = "when it began", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_TASK, .object = object_attempt, .show = times_show },
	{ .name = "finished", .help = "when it ended", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_TASK, .object = object_attempt, .show = times_show },
	{ .name = "duration", .help = "how long it took, or takes", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_TASK, .object = object_attempt, .show = times_show },
};
/* clang-format on */

const struct directory attempts_directory = DIRECTORY(attempts_entries);
const struct directory attempt_directory = DIRECTORY(attempt_entries);
