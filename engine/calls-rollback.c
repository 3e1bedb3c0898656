/* SPDX-License-Identifier: MIT */
/* run.restore: the stack of a run that is rolled back becomes what it was before the run. run.take_back: what
 * another run did to it is taken back. */
#include <errno.h>

#include "engine/calls-image.h"
#include "engine/calls.h"
#include "engine/image.h"
#include "engine/restore.h"
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

const struct call_row rollback_calls[] = {
	{ "run.restore", run_restore, true },
	{ "run.take_back", take_back, true },
	{ NULL },
};
