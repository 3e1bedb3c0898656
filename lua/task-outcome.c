/* SPDX-License-Identifier: MIT */
/* How a try of a task went. */
#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lua/runner.h"
#include "lua/task-internal.h"
#include "lua/value.h"
#include "lua/workflow.h"

enum { OUTPUTS_MAX = 1 << 20 }; /* bytes of JSON */

void outcome_reset(struct task *task)
{
	lua_State *L = task->workflow->runner->vm.L;

	free(task->outcome.error);
	free(task->outcome.message);
	json_decref(task->outcome.outputs);
	if (L && task->outcome.table)
		luaL_unref(L, LUA_REGISTRYINDEX, task->outcome.table);
	memset(&task->outcome, 0, sizeof(task->outcome));
}

void outcome_fail(struct task *task, enum task_status status, const char *error)
{
	free(task->outcome.error);
	task->outcome.error = error ? strdup(error) : NULL;
	task->outcome.status = status;
	task->outcome.known = true;
}

static char *copy_field(lua_State *L, int index, const char *name)
{
	const char *text;
	char *copy;

	lua_getfield(L, index, name);
	text = lua_tostring(L, -1);
	copy = text ? strdup(text) : NULL;
	lua_pop(L, 1);
	return copy;
}

/* The table on the top as what is kept of it, or NULL and why not (malloc'ed; NULL: not enough memory). */
static json_t *outputs_get(lua_State *L, char **ret_error)
{
	const char *error;
	json_t *outputs = value_get(L, -1, &error);
	size_t size = outputs ? json_dumpb(outputs, NULL, 0, JSON_ENCODE_ANY | JSON_COMPACT) : 0;

	if (!outputs)
		*ret_error = strdup(error);
	else if (!json_is_object(outputs))
		*ret_error = strdup("a list has no names");
	else if (size <= OUTPUTS_MAX)
		return outputs;
	else if (asprintf(ret_error,
			 "they have %zu bytes, and at most 1 MiB is kept: keep large things as artifacts",
			 size) < 0)
		*ret_error = NULL;
	json_decref(outputs);
	return NULL;
}

static void outcome_read_outputs(lua_State *L, struct task *task)
{
	CLEANUP(cleanup_free) char *why = NULL, *text = NULL;

	if (lua_getfield(L, 1, "outputs") == LUA_TTABLE) {
		task->outcome.outputs = outputs_get(L, &why);
		if (!task->outcome.outputs && asprintf(&text, "the outputs can't be kept: %s",
						      why ? why : "not enough memory") >= 0)
			outcome_fail(task, TASK_FAILED, text);
	}
	lua_pop(L, 1);
}

static struct task *task_of(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	return fiber ? fiber->scope->userdata : NULL;
}

int task_outcome(lua_State *L)
{
	struct task *task = task_of(L);
	enum task_status status;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_getfield(L, 1, "status");
	status = task_status_parse(luaL_checkstring(L, -1));
	luaL_argcheck(L, task && task_status_final(status), 1, "not an outcome");
	outcome_reset(task);
	task->outcome.known = true;
	task->outcome.status = status;
	task->outcome.error = copy_field(L, 1, "error");
	task->outcome.message = copy_field(L, 1, "message");
	lua_getfield(L, 1, "aborts");
	task->outcome.aborts = lua_toboolean(L, -1);
	outcome_read_outputs(L, task);
	lua_pushvalue(L, 1);
	task->outcome.table = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

/* A try that was ended from outside has told nothing; hooks and retries are asked all the same. */
int outcome_make(lua_State *L)
{
	struct task *task = lua_touserdata(L, 1);

	lua_newtable(L);
	task->outcome.table = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}
