/* SPDX-License-Identifier: MIT */
/* The workflow's own coroutines. */
#include "lua/coroutines.h"

#include <lauxlib.h>
#include <stdbool.h>

#include "lua/runner.h"

static lua_State *check_coroutine(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);

	luaL_argexpected(L, co, 1, "coroutine");
	return co;
}

static int co_create(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	return 1;
}

/* What keeps a coroutine from being resumed, or NULL. */
static const char *not_resumable(lua_State *L, lua_State *co)
{
	lua_Debug ar;

	if (co == L || fiber_owns(co))
		return "cannot resume non-suspended coroutine";
	if (thread_is_waiting(co))
		return "this coroutine waits in another task or goroutine, and can't be resumed here";
	if (lua_status(co) == LUA_YIELD)
		return NULL;
	if (lua_status(co) != LUA_OK)
		return "cannot resume dead coroutine";
	if (lua_getstack(co, 0, &ar))
		return "cannot resume non-suspended coroutine";
	return lua_gettop(co) == 0 ? "cannot resume dead coroutine" : NULL;
}

static int resume_finish(lua_State *L, int status, int results)
{
	lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
	lua_insert(L, -(results + 1));
	return results + 1;
}

static int co_resume(lua_State *L)
{
	lua_State *co = check_coroutine(L);
	const char *error = not_resumable(L, co);
	int arguments = lua_gettop(L) - 1;

	if (!error && !lua_checkstack(co, arguments))
		error = "too many arguments to resume";
	if (error) {
		lua_pushboolean(L, false);
		lua_pushstring(L, error);
		return 2;
	}
	lua_xmove(L, co, arguments);
	return sched_resume(L, co, arguments, resume_finish);
}

static int wrap_finish(lua_State *L, int status, int results)
{
	return status == LUA_OK || status == LUA_YIELD ? results : lua_error(L);
}

static int wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	const char *error = not_resumable(L, co);
	int arguments = lua_gettop(L);

	if (error)
		return luaL_error(L, "%s", error);
	if (!lua_checkstack(co, arguments))
		return luaL_error(L, "too many arguments to resume");
	lua_xmove(L, co, arguments);
	lua_pushvalue(L, lua_upvalueindex(1)); /* where a continuation looks for it */
	return sched_resume(L, co, arguments, wrap_finish);
}

static int co_wrap(lua_State *L)
{
	co_create(L);
	lua_pushcclosure(L, wrapped, 1);
	return 1;
}

/* The fiber itself yields to nobody but the loop. */
static bool is_fiber(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	return !fiber || fiber->L == L;
}

static int co_yield (lua_State *L)
{
	if (is_fiber(L))
		return luaL_error(L, "attempt to yield from outside a coroutine");
	return lua_yield(L, lua_gettop(L));
}

static int co_isyieldable(lua_State *L)
{
	lua_pushboolean(L, !is_fiber(L) && lua_isyieldable(L));
	return 1;
}

static int co_running(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	if (fiber && fiber->L == L)
		fiber->spent = true;
	lua_pushthread(L);
	lua_pushboolean(L, is_fiber(L));
	return 2;
}

static const char *status_name(lua_State *L, lua_State *co)
{
	const char *error = not_resumable(L, co);

	if (co == L)
		return "running";
	if (fiber_owns(co) || thread_is_waiting(co))
		return "normal";
	if (!error)
		return "suspended";
	return lua_status(co) == LUA_OK && lua_gettop(co) > 0 ? "normal" : "dead";
}

static int co_status(lua_State *L)
{
	lua_pushstring(L, status_name(L, check_coroutine(L)));
	return 1;
}

static int co_close(lua_State *L)
{
	lua_State *co = check_coroutine(L);
	const char *status = status_name(L, co);

	if (*status != 's' && *status != 'd')
		return luaL_error(L, "cannot close a %s coroutine", status);
	if (lua_resetthread(co) == LUA_OK) {
		lua_pushboolean(L, true);
		return 1;
	}
	lua_pushboolean(L, false);
	lua_xmove(co, L, 1);
	return 2;
}

static const luaL_Reg functions[] = {
	{ "close", co_close },
	{ "create", co_create },
	{ "isyieldable", co_isyieldable },
	{ "resume", co_resume },
	{ "running", co_running },
	{ "status", co_status },
	{ "wrap", co_wrap },
	{ "yield", co_yield },
	{ NULL, NULL },
};

void coroutines_push(lua_State *L)
{
	luaL_newlib(L, functions);
}
