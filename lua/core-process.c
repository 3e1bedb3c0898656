/* SPDX-License-Identifier: MIT */
/*
 * For the library that is written in Lua: a command that goes on while the workflow talks with it
 * (exec.spawn, io.popen). Nothing in here waits but process_pause(), which returns when something has
 * changed: the library asks again then.
 */
#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lua/core.h"
#include "lua/exec.h"
#include "lua/runner.h"
#include "lua/scope.h"

static const char TYPE[] = "sloth.process";

struct waiter {
	LIST_ENTRY(waiter) link;
	struct fiber *fiber;
	struct ev_loop *loop;
	ev_timer timer;
};

struct process {
	struct exec *exec; /* NULL: its task is over, and it with it */
	pid_t pid;
	bool over;
	LIST_HEAD(, waiter) waiters;
};

static struct process *process_at(lua_State *L, int index)
{
	return luaL_checkudata(L, index, TYPE);
}

/* Waiting. */

static void waiter_free(void *work)
{
	struct waiter *waiter = work;

	ev_timer_stop(waiter->loop, &waiter->timer);
	LIST_REMOVE(waiter, link);
	free(waiter);
}

static void waiter_wake(struct waiter *waiter)
{
	struct fiber *fiber = waiter->fiber;

	waiter_free(waiter);
	fiber_wake(fiber);
}

static void waiter_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	waiter_wake(timer->data);
}

static void process_changed(struct exec *exec)
{
	struct process *process = exec->userdata;

	while (process && !LIST_EMPTY(&process->waiters))
		waiter_wake(LIST_FIRST(&process->waiters));
}

static void process_over(struct exec *exec)
{
	struct process *process = exec->userdata;

	process->over = true;
	process_changed(exec);
}

/* Its scope is done. */
static void process_lost(struct exec *exec)
{
	struct process *process = exec->userdata;

	process->exec = NULL;
	process->over = true;
	process_changed(exec);
}

/* process_pause(process [, ms]): until something of it has changed, or the time is over. */
static int core_process_pause(lua_State *L)
{
	struct process *process = process_at(L, 1);
	lua_Number ms = luaL_optnumber(L, 2, -1);
	struct fiber *fiber = fiber_check(L, "a process");
	struct waiter *waiter;

	if (!process->exec || (process->over && ms < 0))
		return 0;
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		return luaL_error(L, "not enough memory");
	*waiter = (struct waiter){ .fiber = fiber, .loop = runner_of(L)->loop };
	ev_timer_init(&waiter->timer, waiter_over, ms > 0 ? ms / 1000 : 0, 0);
	waiter->timer.data = waiter;
	if (ms >= 0) {
		ev_now_update(waiter->loop);
		ev_timer_start(waiter->loop, &waiter->timer);
	}
	LIST_INSERT_HEAD(&process->waiters, waiter, link);
	return fiber_park(L, "a process", NULL, waiter_free, waiter);
}

/* Talking. */

static struct exec_stream *stream_at(lua_State *L, int index, struct process *process)
{
	static const char *const names[] = { "out", "err", NULL };

	return luaL_checkoption(L, index, "out", names) ? &process->exec->err : &process->exec->out;
}

/* process_take(process, "out" | "err" [, max]) → text; false: there is none yet; nil: there will be none */
static int core_process_take(lua_State *L)
{
	struct process *process = process_at(L, 1);
	lua_Integer max = luaL_optinteger(L, 3, 1 << 20);
	struct exec_stream *stream;
	size_t size;

	if (!process->exec)
		return 0;
	stream = stream_at(L, 2, process);
	size = stream->kept.size < (size_t)max ? stream->kept.size : (size_t)max;
	if (size) {
		lua_pushlstring(L, stream->kept.data, size);
		exec_consume(process->exec, stream, size);
	} else if (stream->fd >= 0) {
		lua_pushboolean(L, false);
	} else {
		lua_pushnil(L);
	}
	return 1;
}

/* process_put(process, text) → true; false: not now; nil: its input is closed */
static int core_process_put(lua_State *L)
{
	struct process *process = process_at(L, 1);
	size_t size;
	const char *text = luaL_checklstring(L, 2, &size);
	int r = process->exec ? exec_put(process->exec, text, size) : -EPIPE;

	if (r == -EPIPE)
		return 0;
	lua_pushboolean(L, r == 0);
	return 1;
}

/* process_end_input(process): when what is on its way has been read */
static int core_process_end_input(lua_State *L)
{
	struct process *process = process_at(L, 1);

	if (process->exec)
		exec_end_input(process->exec);
	return 0;
}

/* process_drain(process): what is too much of its output is dropped from now on, and it does not wait any
 * more. */
static int core_process_drain(lua_State *L)
{
	struct process *process = process_at(L, 1);

	if (process->exec)
		exec_drain(process->exec);
	return 0;
}

/* process_discard(process): nobody reads its output any more, and it may notice. */
static int core_process_discard(lua_State *L)
{
	struct process *process = process_at(L, 1);

	if (process->exec)
		exec_close_output(process->exec);
	return 0;
}

static int core_process_signal(lua_State *L)
{
	struct process *process = process_at(L, 1);
	bool there = process->exec && process->exec->pid;

	if (there)
		exec_signal(process->exec, (int)luaL_checkinteger(L, 2));
	lua_pushboolean(L, there);
	return 1;
}

/* process_result(process) → the raw result, as exec's; nil: it runs. */
static int core_process_result(lua_State *L)
{
	struct process *process = process_at(L, 1);

	if (!process->over)
		return 0;
	if (!process->exec)
		return luaL_error(L, "the process ended with its task");
	return core_push_result(L, process->exec);
}

static int core_process_pid(lua_State *L)
{
	lua_pushinteger(L, process_at(L, 1)->pid);
	return 1;
}

/* signal_number("TERM" | "SIGTERM" | 15) → a number, or nil */
static int core_signal_number(lua_State *L)
{
	const char *name;

	if (lua_isinteger(L, 1)) {
		lua_Integer number = lua_tointeger(L, 1);

		lua_pushinteger(L, number);
		return number > 0 && number < NSIG;
	}
	name = luaL_checkstring(L, 1);
	if (!strncasecmp(name, "SIG", 3))
		name += 3;
	for (int i = 1; i < NSIG; i++)
		if (sigabbrev_np(i) && !strcasecmp(sigabbrev_np(i), name)) {
			lua_pushinteger(L, i);
			return 1;
		}
	return 0;
}

static int process_gc(lua_State *L)
{
	struct process *process = process_at(L, 1);
	struct exec *exec = process->exec;

	process->exec = NULL;
	if (!exec)
		return 0;
	exec->lost = NULL;
	exec->changed = NULL;
	exec->userdata = NULL;
	if (process->over) {
		exec_free(exec);
	} else {
		exec_end_input(exec);
		exec_discard(exec);
		exec_forget(exec);
	}
	return 0;
}

/* process_start(options) → the process; or nil, a sentence, an exit code as of a shell */
static int core_process_start(lua_State *L)
{
	struct fiber *fiber = fiber_check(L, "a process");
	struct command command;
	struct fault fault = { 0 };
	struct process *process;
	int r;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	core_read_command(L, fiber->scope, &command);
	lua_getfield(L, 1, "hold");
	command.hold = (size_t)lua_tointeger(L, -1);
	lua_getfield(L, 1, "talk");
	command.talk = lua_toboolean(L, -1);
	process = lua_newuserdatauv(L, sizeof(*process), 0);
	*process = (struct process){ 0 };
	LIST_INIT(&process->waiters);
	if (luaL_newmetatable(L, TYPE)) {
		lua_pushcfunction(L, process_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	r = exec_start(fiber->scope, &command, process_over, process, &process->exec, &fault);
	if (r < 0) {
		lua_pushnil(L);
		lua_pushstring(L, fault.text);
		lua_pushinteger(L, r == -ENOENT ? 127 : 126);
		return 3;
	}
	process->pid = process->exec->pid;
	process->exec->changed = process_changed;
	process->exec->lost = process_lost;
	return 1;
}

const luaL_Reg core_processes[] = {
	{ "process_discard", core_process_discard },
	{ "process_drain", core_process_drain },
	{ "process_end_input", core_process_end_input },
	{ "process_pause", core_process_pause },
	{ "process_pid", core_process_pid },
	{ "process_put", core_process_put },
	{ "process_result", core_process_result },
	{ "process_signal", core_process_signal },
	{ "process_start", core_process_start },
	{ "process_take", core_process_take },
	{ "signal_number", core_signal_number },
	{ NULL, NULL },
};
