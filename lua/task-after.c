/* SPDX-License-Identifier: MIT */
/* Hooks and undo. */
#include "lua/task-after.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lua/rollback.h"
#include "lua/runner.h"
#include "lua/task-internal.h"
#include "lua/value.h"
#include "lua/workflow.h"

enum {
	HOOKS_MS = 300000, /* all hooks of a task together, when it has no timeout of its own */
	HOOK_TEXT_MAX = 4000,
};

static void limit_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct task *task = timer->data;
	char text[32];

	if (!task->scope.runner || task->scope.reason)
		return;
	snprintf(task->reason, sizeof(task->reason), "ended after %s",
		duration_format((int64_t)(task->limit_s * 1000), text));
	scope_end(&task->scope, task->reason, true, task->grace_ms, task->after_ended);
}

void task_after_init(struct task *task)
{
	ev_init(&task->limit, limit_over);
	task->limit.data = task;
}

void task_after_done(struct task *task)
{
	ev_timer_stop(task->workflow->runner->loop, &task->limit);
	free(task->undo_error);
	json_decref(task->hooks);
}

void task_after_cancel(struct task *task, int64_t grace_ms)
{
	scope_end(&task->scope, "cancelled", true, grace_ms, task->after_ended);
}

/* Starts what `start` makes a fiber of. 0 or -errno, -ENOENT: it made none. */
static int after_start(
	struct task *task, lua_CFunction start, void (*ended)(struct scope *), int64_t limit_ms)
{
	struct ev_loop *loop = task->workflow->runner->loop;
	int r;

	task_scope_open(task);
	task->after_ended = ended;
	task->after_told = false;
	r = task_protected(task, start, 0);
	if (r == 0 && TAILQ_EMPTY(&task->scope.fibers))
		r = -ENOENT;
	if (r < 0) {
		scope_done(&task->scope);
		return r;
	}
	if (limit_ms) {
		task->limit_s = (ev_tstamp)limit_ms / 1000;
		ev_now_update(loop);
		ev_timer_set(&task->limit, task->limit_s, 0);
		ev_timer_start(loop, &task->limit);
	}
	return 0;
}

static void after_end(struct scope *scope)
{
	struct task *task = scope->userdata;

	ev_timer_stop(task->workflow->runner->loop, &task->limit);
	scope_done(scope);
}

/* Hooks. */

static void hook_note(struct task *task, const char *name, const char *text)
{
	if (!task->hooks)
		task->hooks = json_object();
	json_object_set_new(task->hooks, name,
		task->sensitive ? json_string("failed") : value_brief(text, HOOK_TEXT_MAX));
}

static void hooks_cut_short(struct task *task, const char *why)
{
	task_log(task, "a hook of the task was ended\n");
	hook_note(task, "ended", why);
}

/* One that was killed has told nothing. */
static void hooks_ended(struct scope *scope)
{
	struct task *task = scope->userdata;

	if (!task->after_told)
		hooks_cut_short(task, scope->reason);
	after_end(scope);
	task_hooks_over(task);
}

static void hooks_done(struct fiber *fiber, lua_State *L, int status, int results, void *userdata)
{
	struct task *task = userdata;

	task->after_told = true;
	if (status != LUA_OK)
		hooks_cut_short(task, task->scope.reason ? task->scope.reason : "ended");
	scope_end(&task->scope, "the task has ended", false, task->grace_ms, hooks_ended);
}

static int start_hooks(lua_State *L)
{
	struct task *task = lua_touserdata(L, 1);

	task_push_call(L, task, "hooks");
	lua_pushstring(L, task_status_name(task->status));
	lua_rawgeti(L, LUA_REGISTRYINDEX, task->outcome.table);
	lua_pushstring(L, task->outcome.error);
	fiber_start(&runner_of(L)->sched, &task->scope, L, 4, hooks_done, task);
	return 0;
}

bool task_hooks_start(struct task *task)
{
	return after_start(task, start_hooks, hooks_ended, task->timeout_ms ? task->timeout_ms : HOOKS_MS) ==
	       0;
}

static struct task *task_running(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	return fiber ? fiber->scope->userdata : NULL;
}

int task_hook_failed(lua_State *L)
{
	struct task *task = task_running(L);
	const char *name = luaL_checkstring(L, 1), *text = luaL_checkstring(L, 2);

	if (task)
		hook_note(task, name, text);
	return 0;
}

/* Undo. */

static void undo_failed(struct task *task, const char *text)
{
	free(task->undo_error);
	task->undo_error = text ? strdup(text) : NULL;
}

/* One that was killed has told nothing: what it did is not known. */
static void undo_ended(struct scope *scope)
{
	struct task *task = scope->userdata;

	if (!task->after_told)
		undo_failed(task, scope->reason);
	after_end(scope);
	rollback_task_undone(task->workflow, task);
}

static void undo_done(struct fiber *fiber, lua_State *L, int status, int results, void *userdata)
{
	struct task *task = userdata;
	const char *text = results > 0 || status != LUA_OK ? lua_tostring(L, -1) : NULL;

	if (status != LUA_OK)
		text = task->scope.reason ? task->scope.reason : text ? text : "it was ended";
	task->after_told = true;
	undo_failed(task, text);
	scope_end(&task->scope, "the undo has ended", text != NULL, task->grace_ms, undo_ended);
}

static int start_undo(lua_State *L)
{
	struct task *task = lua_touserdata(L, 1);

	task_open_directories(L, task);
	task->scope.workdir = task->workdir ? task->workdir : task->home;
	task_push_call(L, task, "undo");
	lua_pushinteger(L, task->try + 1);
	value_push(L, task->outcome.outputs);
	lua_pushboolean(L, task->by_images);
	if (!fiber_start(&runner_of(L)->sched, &task->scope, L, 4, undo_done, task))
		return luaL_error(L, "not enough memory");
	return 0;
}

int task_undo_start(struct task *task)
{
	char *error = task->outcome.error;
	int r;

	/* The outcome is that of the task, whatever becomes of its undo. */
	task->outcome.error = NULL;
	r = after_start(task, start_undo, undo_ended,
		task->total_timeout_ms ? task->total_timeout_ms : task->timeout_ms);
	if (r < 0) {
		free(task->undo_error);
		task->undo_error =
			task->outcome.error ? task->outcome.error : strdup("it could not be started");
	}
	task->outcome.error = error;
	return r;
}

int task_undo_told(lua_State *L)
{
	struct task *task = task_running(L);
	const char *status = luaL_checkstring(L, 1), *error = luaL_optstring(L, 3, NULL);
	json_t *head;

	if (!task)
		return 0;
	task->scope.try = (int)luaL_checkinteger(L, 2);
	if (error && task->sensitive)
		error = "it is a sensitive task: what went wrong is not told";
	head = json_pack("{ss ss ss si sI}", "op", "undo", "name", task->name, "status", status, "try",
		task->scope.try, "time", (json_int_t)time_now_ms());
	if (head && error)
		json_object_set_new(head, "error", value_brief(error, TEXT_TOLD_MAX));
	link_send(&runner_of(L)->link, head);
	return 0;
}

int task_image_taken(lua_State *L)
{
	struct runner *runner = runner_of(L);
	struct fiber *fiber = runner->sched.current;
	const char *name = fiber ? fiber->scope->task : NULL;

	for (size_t i = 0; name && runner->workflow && i < runner->workflow->count; i++)
		if (!strcmp(runner->workflow->tasks[i].name, name))
			runner->workflow->tasks[i].has_images = true;
	return 0;
}
