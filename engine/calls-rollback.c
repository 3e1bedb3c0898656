/* SPDX-License-Identifier: MIT */
/* run.restore: the stack of a run that is rolled back becomes what it was before the run. run.take_back: what
 * another run did to it is taken back. task.undo, task.undone: of a task of another run, what it says itself
 * of how it is undone is called by this one. */
#include <errno.h>

#include "base/cleanup.h"
#include "engine/calls-image.h"
#include "engine/calls.h"
#include "engine/image.h"
#include "engine/restore.h"
#include "engine/task-undo.h"
#include "engine/undo.h"

static int run_restore(struct call *call)
{
	int64_t before = 0, count = 0, number = 0;
	struct restore restore;
	int r = call_may_change(call);

	if (r == 0 && call->run.status != RUN_ROLLING_BACK)
		return fault_set(
			&call->fault, EINVAL, "run %lld is not being rolled back", (long long)call->run.id);
	if (r == 0)
		r = run_before(call->engine, call->run.id, &before);
	if (r == 0 && !before)
		return fault_set(
			&call->fault, ENOENT, "no version was kept before run %lld", (long long)call->run.id);
	if (r < 0)
		return r;
	restore_all(before, &restore);
	restore.by_run = call->run.id;
	r = restore_version(
		call->engine, &call->caller, call->run.stack_id, &restore, &call->fault, &count, &number);
	if (r == 0)
		r = undo_resource_rows(call->engine, &call->caller, call->run.stack_id, call->run.id);
	if (r == 0)
		call->value = json_pack("{s:I, s:I, s:I}", "from", (json_int_t)before, "version",
			(json_int_t)number, "changes", (json_int_t)count);
	return r;
}

static int count_left(void *userdata, const struct image *image)
{
	++*(size_t *)userdata;
	return 0;
}

/* The last step of the workflow that undoes a run (engine/run-undo.h). */
static int take_back(struct call *call)
{
	json_t *id = json_object_get(call->args, "run");
	bool force = json_is_true(json_object_get(call->args, "force"));
	int64_t count = 0, number = 0;
	size_t left = 0;
	struct run run;
	int r = json_is_integer(id)
			? call_may_change(call)
			: fault_set(&call->fault, EINVAL, "the argument \"run\" must be a number");

	if (r == 0)
		r = call_own_run(call, json_integer_value(id), &run);
	if (r == 0 && !force)
		r = image_each_standing(call->engine, run.id, NULL, INT64_MAX, count_left, &left);
	if (r == 0 && left)
		return fault_set(&call->fault, EINVAL,
			"%zu thing%s that run %lld has changed %s not as before: the stack goes on to look "
			"after "
			"what there is",
			left, left == 1 ? "" : "s", (long long)run.id, left == 1 ? "is" : "are");
	if (r == 0)
		r = undo_stack(call->engine, &call->caller, &run, call->run.id, force, &call->fault, &count,
			&number);
	if (r == 0)
		call->value =
			json_pack("{s:I, s:I}", "version", (json_int_t)number, "changes", (json_int_t)count);
	return r;
}

/* A task of another run, of which is asked how it is undone. */
static int undone_task(struct call *call, struct task *ret_task)
{
	json_t *id = json_object_get(call->args, "run");
	const char *name;
	struct run run;
	int r = json_is_integer(id)
			? call_need_text(call, "task", &name)
			: fault_set(&call->fault, EINVAL, "the argument \"run\" must be a number");

	if (r == 0)
		r = call_own_run(call, json_integer_value(id), &run);
	if (r == 0 && !run_status_final(run.status))
		r = fault_set(&call->fault, EBUSY, "run %lld is not over", (long long)run.id);
	if (r < 0)
		return r;
	r = task_find(call->engine, run.id, name, ret_task);
	return r == -ENOENT
		       ? fault_set(&call->fault, ENOENT, "run %lld has no task '%s'", (long long)run.id, name)
		       : r;
}

static int task_undo(struct call *call)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_t *outputs = NULL;
	struct task task;
	int r = undone_task(call, &task);

	if (r == 0)
		r = task_output(call->engine, task.id, &text);
	if (r < 0)
		return r;
	if (text.size)
		outputs = json_loadb(text.data, text.size, JSON_DECODE_ANY, NULL);
	call->value = json_pack("{s:o}", "outputs", json_is_object(outputs) ? outputs : json_object());
	return call->value ? 0 : -ENOMEM;
}

static int task_undone(struct call *call)
{
	struct task task;
	int r = call_may_change(call);

	if (r == 0)
		r = undone_task(call, &task);
	if (r == 0)
		r = task_undo_done(call->engine, &task);
	call->value = json_true();
	return r;
}

const struct call_row rollback_calls[] = {
	{ "run.restore", run_restore, true },
	{ "run.take_back", take_back, true },
	{ "task.undo", task_undo, false },
	{ "task.undone", task_undone, true },
	{ NULL },
};
