/* SPDX-License-Identifier: MIT */
/* How a run ended. */
#include "lua/result.h"

#include "lua/rollback.h"
#include "lua/value.h"
#include "lua/workflow.h"

enum { RESULT_TEXTS_MAX = 256 << 10 }; /* bytes of what tasks say in the run's result */

const char *result_status(const struct workflow *workflow)
{
	if (workflow->rollback)
		return rollback_status(workflow->rollback);
	if (workflow->timed_out)
		return "timed_out";
	if (workflow->cancelled)
		return "cancelled";
	return workflow->error ? "failed" : "success";
}

/* `most`: bytes of its error, which has been told in full. */
static json_t *task_result(const struct task *task, size_t most)
{
	int64_t ms = task->started ? (int64_t)((task->ended - task->started) * 1000) : 0;
	json_t *row = json_pack("{ss si sI}", "status", task_status_name(task->status), "tries", task->try,
		"duration_ms", (json_int_t)ms);

	if (row && task->outcome.error && !task_is_satisfied(task))
		json_object_set_new(row, "error", value_brief(task_error_told(task), most));
	return row;
}

/* In one frame, whatever tasks say: their errors have their share of a bound, hooks what is left of one. */
static json_t *task_results(const struct workflow *workflow)
{
	json_t *tasks = json_object();
	size_t left = RESULT_TEXTS_MAX;

	for (size_t i = 0; i < workflow->count; i++) {
		const struct task *task = &workflow->tasks[i];
		json_t *row = task_result(task, RESULT_TEXTS_MAX / (workflow->count + 1));
		size_t size = task->hooks ? json_dumpb(task->hooks, NULL, 0, JSON_COMPACT) : 0;

		if (size && size <= left) {
			json_object_set(row, "hooks", task->hooks);
			left -= size;
		}
		json_object_set_new(tasks, task->name, row);
	}
	return tasks;
}

json_t *result_frame(const struct workflow *workflow)
{
	int64_t ms = (int64_t)((ev_time() - workflow->started) * 1000);

	return json_pack("{ss ss so s{ss sI so so*}}", "op", "finished", "status", result_status(workflow),
		"error", workflow->error ? value_brief(workflow->error, TEXT_TOLD_MAX) : json_null(),
		"result", "status", result_status(workflow), "duration_ms", (json_int_t)ms, "tasks",
		task_results(workflow), "rollback", rollback_result(workflow->rollback));
}

static void push_record(lua_State *L, const struct task *task)
{
	bool failed = task_has_failed(task) || !task_is_satisfied(task);

	lua_createtable(L, 0, 8);
	lua_pushstring(L, task->name);
	lua_setfield(L, -2, "task_name");
	lua_pushstring(L, task_status_name(task->status));
	lua_setfield(L, -2, "status");
	lua_pushboolean(L, !failed);
	lua_setfield(L, -2, "success");
	lua_pushstring(L, failed ? task->outcome.error : NULL);
	lua_setfield(L, -2, "error");
	lua_pushstring(L, task->outcome.message);
	lua_setfield(L, -2, "message");
	lua_pushnumber(L, task->started ? task->ended - task->started : 0);
	lua_setfield(L, -2, "duration");
	lua_pushinteger(L, task->try);
	lua_setfield(L, -2, "tries");
	value_push(L, task->outcome.outputs);
	lua_setfield(L, -2, "outputs");
}

void result_push_records(lua_State *L, const struct workflow *workflow)
{
	lua_createtable(L, (int)workflow->count, 0);
	for (size_t i = 0; i < workflow->count; i++) {
		push_record(L, &workflow->tasks[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}
