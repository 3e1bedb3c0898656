/* SPDX-License-Identifier: MIT */
/* runs/ID/changes: what a run has changed, for people and for programs. Nothing of what stood in it is shown.
 */
#include "fs/nodes/changes.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "engine/image.h"
#include "engine/task-undo.h"
#include "fs/nodes/nodes.h"

static const struct {
	const char *state, *words;
} words[] = {
	{ "taken", "begun" }, /* whether the change was made is not known */
	{ "done", "changed" },
	{ "undone", "undone" },
	{ "failed", "not undone" },
};

static const char *words_of(const struct image *image)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].state, image->state))
			return words[i].words;
	return image->state;
}

static const char *why_not(const struct image *image)
{
	return *image->error ? image->error : image->reason;
}

static int show_one(void *userdata, const struct image *image)
{
	FILE *out = userdata;
	char time[32];

	fprintf(out, "%s %s ", time_format(image->time_ms, time), words_of(image));
	text_write_safe(out, image->type);
	fputc('/', out);
	text_write_safe(out, image->name);
	if (*image->task) {
		fputs(" by ", out);
		text_write_safe(out, image->task);
	}
	if (*why_not(image) && strcmp(image->state, "undone") != 0) {
		fputs(*image->error ? ": " : ": can't be undone: ", out);
		text_write_safe(out, why_not(image));
	}
	fputc('\n', out);
	return 0;
}

static int show_own(void *userdata, const struct task *task, bool undone)
{
	FILE *out = userdata;
	char time[32];

	fprintf(out, "%s %s task/%s: it says itself how it is undone\n", time_format(task->finished_ms, time),
		undone ? "undone" : "done", task->name);
	return 0;
}

int changes_show(struct view *view, FILE *out)
{
	int r = image_each(view->engine, view->id, show_one, out);

	return r < 0 ? r : task_undo_each(view->engine, view->id, show_own, out);
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static int add_one(void *userdata, const struct image *image)
{
	return json_array_append_new(userdata,
		json_pack("{s:I, s:o, s:s, s:s, s:s, s:o, s:b, s:o, s:o}", "id", (json_int_t)image->id,
			"task", text_or_null(image->task), "type", image->type, "name", image->name, "state",
			image->state, "time", time_json(image->time_ms), "can_be_undone", !*image->reason,
			"reason", text_or_null(image->reason), "error", text_or_null(image->error)));
}

/* In the order in which it was done. */
static int add_own(void *userdata, const struct task *task, bool undone)
{
	return json_array_append_new(userdata,
		json_pack("{s:n, s:s, s:s, s:s, s:s, s:o, s:b, s:n, s:n}", "id", "task", task->name, "type",
			"task", "name", task->name, "state", undone ? "undone" : "done", "time",
			time_json(task->finished_ms), "can_be_undone", true, "reason", "error"));
}

int changes_json_show(struct view *view, FILE *out)
{
	json_auto_t *list = json_array();
	int r = list ? image_each(view->engine, view->id, add_one, list) : -ENOMEM;

	if (r == 0)
		r = task_undo_each(view->engine, view->id, add_own, list);

	return r < 0 ? r : show_json(out, list);
}
