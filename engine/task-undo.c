/* SPDX-License-Identifier: MIT */
/* Tasks that say how they are undone. */
#include "engine/task-undo.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/image.h"
#include "engine/try.h"

struct walk {
	struct engine *engine;
	json_t *names; /* of tasks of the plan that have the word: a set */
	int (*each)(void *userdata, const struct task *task, bool undone);
	void *userdata;
};

/* What was planned: it was so when the workflow was loaded. */
static int read_names(struct engine *engine, int64_t run_id, json_t *names)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r = run_text(engine, run_id, RUN_PLAN, &text);
	json_auto_t *plan = r == 0 && text.size ? json_loadb(text.data, text.size, 0, NULL) : NULL;
	json_t *task;
	size_t i;

	json_array_foreach (json_object_get(plan, "tasks"), i, task) {
		const char *name = json_string_value(json_object_get(task, "name"));
		json_t *undo = json_object_get(task, "undo");

		if (name && undo && !json_is_null(undo) && json_object_set_new(names, name, json_true()) < 0)
			return -ENOMEM;
	}
	return r == -ENOENT ? 0 : r;
}

static int find_success(void *userdata, const struct try *try, const char *error)
{
	return try->undo && try->status == TASK_SUCCESS;
}

static int look_at(void *userdata, const struct task *task)
{
	struct walk *walk = userdata;
	int r;

	/* One that a retry took over was another run's. */
	if (task->status != TASK_SUCCESS || !task->tries || !json_object_get(walk->names, task->name))
		return 0;
	r = try_each(walk->engine, task->id, find_success, NULL);
	return r < 0 ? r : walk->each(walk->userdata, task, r > 0);
}

int task_undo_each(struct engine *engine, int64_t run_id,
	int (*each)(void *userdata, const struct task *task, bool undone), void *userdata)
{
	json_auto_t *names = json_object();
	struct walk walk = { engine, names, each, userdata };
	int r = names ? read_names(engine, run_id, names) : -ENOMEM;

	return r < 0 || !json_object_size(names) ? r : task_each(engine, run_id, look_at, &walk);
}

static int find_last(void *userdata, const struct try *try, const char *error)
{
	int *last = userdata;

	if (try->number > *last)
		*last = try->number;
	return 0;
}

int task_undo_done(struct engine *engine, const struct task *task)
{
	int last = task->tries, r = try_each(engine, task->id, find_last, &last);

	if (r == 0)
		r = try_set(engine, task, last + 1, true, TASK_SUCCESS, time_now_ms(), NULL);
	if (r == 0)
		r = image_settle(engine, task->run_id, task->name);
	engine_note(engine, SUBJECT_TASK, task->id, ASPECT_STATUS | ASPECT_TASKS);
	return r;
}
