/* SPDX-License-Identifier: MIT */
/* run.restore: the stack of a run that is rolled back becomes what it was before the run. */
#include <errno.h>

#include "engine/calls.h"
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

const struct call_row rollback_calls[] = {
	{ "run.restore", run_restore, true },
	{ NULL },
};
