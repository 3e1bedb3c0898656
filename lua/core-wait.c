/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: fibers that wait, for time and for each other. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "lua/core.h"
#include "lua/runner.h"
#include "lua/scope.h"

static double milliseconds(lua_State *L, int index)
{
	double ms = luaL_checknumber(L, index);

	return ms > 0 ? fmin(ms, 1e14) : 0; /* NaN is 0 */
}

/* sleep(ms) */
static int core_sleep(lua_State *L)
{
	double ms = milliseconds(L, 1);

	fiber_check(L, "sleep");
	return fiber_block(L, "sleep", ms);
}

/* ticket(what) → the number of the wait that follows. */
static int core_ticket(lua_State *L)
{
	lua_pushinteger(L, fiber_announce(fiber_check(L, luaL_checkstring(L, 1))));
	return 1;
}

/* park(what [, ms]) → what unpark() passed; nothing when the time is over. `what` is a constant of the
 * library: it outlives the wait. */
static int core_park(lua_State *L)
{
	const char *what = luaL_checkstring(L, 1);

	return fiber_block(L, what, lua_isnoneornil(L, 2) ? -1 : milliseconds(L, 2));
}

/* unpark(ticket, …): wakes who waits with it; false when nobody does (any more). */
static int core_unpark(lua_State *L)
{
	bool woken = fiber_pass(&runner_of(L)->sched, L, luaL_checkinteger(L, 1), lua_gettop(L) - 1);

	lua_pushboolean(L, woken);
	return 1;
}

static int core_waits(lua_State *L)
{
	lua_pushboolean(L, fiber_waits(&runner_of(L)->sched, luaL_checkinteger(L, 1)));
	return 1;
}

/* Where the function that a goroutine was started with stands, as far as it is the workflow's. */
static bool started_with(lua_State *L, lua_Debug *ar)
{
	int level = 0;

	while (lua_getstack(L, level, ar))
		level++;
	while (level-- > 0) {
		lua_getstack(L, level, ar);
		lua_getinfo(L, "S", ar);
		if (ar->linedefined > 0 && strncmp(ar->short_src, "[sloth:", 7) != 0)
			return true;
	}
	return false;
}

/* Its failure is a line in the log: the error has its place, and the function that was started, too. */
static int describe_failure(lua_State *L)
{
	struct fiber *fiber = lua_touserdata(L, 1);
	lua_Debug ar = { 0 };
	bool known = started_with(fiber->L, &ar);

	luaL_checkstack(fiber->L, 1, NULL);
	lua_pushvalue(fiber->L, -1);
	lua_xmove(fiber->L, L, 1);
	luaL_tolstring(L, -1, NULL);
	if (known)
		lua_pushfstring(L, "a goroutine (%s:%d) failed: %s\n", ar.short_src, ar.linedefined,
			lua_tostring(L, -1));
	else
		lua_pushfstring(L, "a goroutine failed: %s\n", lua_tostring(L, -1));
	return 1;
}

static void goroutine_done(struct fiber *fiber, lua_State *L, int status, int results, void *userdata)
{
	struct runner *runner = runner_of(L);
	struct vm *vm = &runner->vm;
	const char *text;

	if (status == LUA_OK || fiber->scope->reason || fiber->ends)
		return;
	lua_pushcfunction(vm->L, describe_failure);
	lua_pushlightuserdata(vm->L, fiber);
	if (vm_call(vm, 1, 1) == LUA_OK)
		text = lua_tostring(vm->L, -1);
	else
		text = "a goroutine failed: not enough memory\n";
	link_log(&runner->link, fiber->scope->task, fiber->scope->try, "log", text, strlen(text));
	lua_pop(vm->L, 1);
}

/* spawn(function, …) → its number: a fiber in the scope of the one that runs. */
static int core_spawn(lua_State *L)
{
	struct fiber *fiber = fiber_check(L, "goroutine.spawn");

	luaL_checktype(L, 1, LUA_TFUNCTION);
	fiber = fiber_start(&runner_of(L)->sched, fiber->scope, L, lua_gettop(L) - 1, goroutine_done, NULL);
	if (!fiber)
		return vm_error(L, "goroutine.spawn: there is no room for more goroutines");
	lua_pushinteger(L, fiber->id);
	return 1;
}

/* cancel(number, reason): the reason is raised in it, wherever it waits; a constant of the library. False:
 * it is over. */
static int core_cancel(lua_State *L)
{
	struct fiber *fiber = fiber_find(&runner_of(L)->sched, luaL_checkinteger(L, 1));

	if (fiber)
		fiber_cancel(fiber, luaL_checkstring(L, 2));
	lua_pushboolean(L, fiber != NULL);
	return 1;
}

/* limit(number, ms, reason): the same after that time, also while it computes. */
static int core_limit(lua_State *L)
{
	struct fiber *fiber = fiber_find(&runner_of(L)->sched, luaL_checkinteger(L, 1));

	if (fiber)
		fiber_limit(fiber, milliseconds(L, 2), luaL_checkstring(L, 3));
	return 0;
}

/* uptime() → milliseconds of a clock that nobody sets. */
static int core_uptime(lua_State *L)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	lua_pushnumber(L, (lua_Number)now.tv_sec * 1e3 + (lua_Number)now.tv_nsec / 1e6);
	return 1;
}

const luaL_Reg core_wait[] = {
	{ "cancel", core_cancel },
	{ "limit", core_limit },
	{ "park", core_park },
	{ "sleep", core_sleep },
	{ "spawn", core_spawn },
	{ "ticket", core_ticket },
	{ "unpark", core_unpark },
	{ "uptime", core_uptime },
	{ "waits", core_waits },
	{ NULL, NULL },
};
