/* SPDX-License-Identifier: MIT */
/*
 * The short way of the words that nearly every task has, for workflows of thousands of tasks. It does what
 * lib/dsl.lua does, as long as what it is given is as it should be; everything else, and every error, is left
 * to the function there, which is called with the same arguments.
 */
#include "lua/core.h"

#include <string.h>

#include "base/text.h"
#include "lua/runner.h"
#include "lua/vm.h"

enum { SPEC_FIELDS = 16 }; /* how many a task has when it is complete, so that its table never grows */

/* To the function that is the first upvalue. */
static int leave_to(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static bool take_text(lua_State *L)
{
	if (lua_type(L, 2) != LUA_TSTRING)
		return false;
	lua_pushvalue(L, 2);
	return true;
}

static bool take_command(lua_State *L)
{
	if (lua_type(L, 2) != LUA_TSTRING && lua_type(L, 2) != LUA_TFUNCTION)
		return false;
	lua_pushvalue(L, 2);
	return true;
}

static bool take_duration(lua_State *L)
{
	int64_t ms;

	if (lua_type(L, 2) != LUA_TSTRING || duration_parse(lua_tostring(L, 2), &ms) < 0 || ms <= 0)
		return false;
	lua_pushinteger(L, ms);
	return true;
}

enum { UP_SLOW = 1, UP_SPECS, UP_FIELD, UP_KIND };

/* Pushes the name of a task that is given by it or as its object; false: it is neither. */
static bool push_name(lua_State *L, int index)
{
	lua_pushvalue(L, index);
	if (lua_type(L, -1) == LUA_TSTRING)
		return true;
	if (lua_rawget(L, lua_upvalueindex(UP_SPECS)) != LUA_TTABLE)
		return false;
	lua_getfield(L, -1, "name");
	lua_remove(L, -2);
	return true;
}

static bool take_list(lua_State *L)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, 2);

	if (lua_type(L, 2) != LUA_TTABLE || lua_getmetatable(L, 2) || lua_getfield(L, 2, "name") != LUA_TNIL)
		return false; /* a plain table with a name is a task */
	lua_settop(L, 2);
	lua_createtable(L, (int)count, 0);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, 2, i);
		if (!push_name(L, 4))
			return false;
		lua_rawseti(L, 3, i);
		lua_settop(L, 3);
	}
	return true;
}

static bool take_names(lua_State *L)
{
	if (!push_name(L, 2)) {
		lua_settop(L, 2);
		return take_list(L);
	}
	lua_createtable(L, 1, 0);
	lua_insert(L, 3);
	lua_rawseti(L, 3, 1);
	return true;
}

/* The names in the list at 3 become edges of the spec at 4, with the line that says so. */
static void add_edges(lua_State *L)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, 3);

	lua_getfield(L, 4, "edges");
	vm_where(L);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, 3, i);
		lua_pushvalue(L, 7);
		if (lua_rawget(L, 5) == LUA_TNIL) {
			lua_pushvalue(L, 7);
			lua_pushvalue(L, 6);
			lua_rawset(L, 5);
		}
		lua_settop(L, 6);
	}
}

static const struct {
	const char *name;	    /* of lib/kinds.lua */
	bool (*take)(lua_State *L); /* the argument at 2: pushes its value to 3 */
	bool edges;
} kinds[] = {
	{ "text", take_text, false },
	{ "command", take_command, false },
	{ "duration", take_duration, false },
	{ "names", take_names, true },
};

/* task:word(value) → task */
static int quick_word(lua_State *L)
{
	int kind = (int)lua_tointeger(L, lua_upvalueindex(UP_KIND));

	if (lua_gettop(L) != 2)
		return leave_to(L);
	if (!kinds[kind].take(L)) {
		lua_settop(L, 2);
		return leave_to(L);
	}
	lua_pushvalue(L, 1);
	if (lua_rawget(L, lua_upvalueindex(UP_SPECS)) != LUA_TTABLE) {
		lua_settop(L, 2);
		return leave_to(L);
	}
	if (kinds[kind].edges)
		add_edges(L);
	lua_pushvalue(L, lua_upvalueindex(UP_FIELD));
	lua_pushvalue(L, 3);
	lua_rawset(L, 4);
	lua_pushboolean(L, 1);
	lua_setfield(L, 4, "touched");
	lua_settop(L, 1);
	return 1;
}

/* quick_word(slow, specs, field, kind): the method of a word; `slow` itself, where its kind has no short way.
 */
static int core_quick_word(lua_State *L)
{
	const char *name = luaL_optstring(L, 4, "");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name)) {
			lua_settop(L, 3);
			lua_pushinteger(L, (lua_Integer)i);
			lua_pushcclosure(L, quick_word, 4);
			return 1;
		}
	lua_settop(L, 1);
	return 1;
}

enum { UP_TASK_SPECS = 2, UP_DEFINED, UP_BY_NAME, UP_META };

/* task("name") → a new task */
static int quick_task(lua_State *L)
{
	if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING || runner_of(L)->sched.current ||
		strlen(lua_tostring(L, 1)) != lua_rawlen(L, 1) || name_check(lua_tostring(L, 1)) < 0)
		return leave_to(L);
	lua_pushvalue(L, 1);
	if (lua_rawget(L, lua_upvalueindex(UP_BY_NAME)) != LUA_TNIL) {
		lua_settop(L, 1);
		return leave_to(L);
	}
	lua_settop(L, 1);
	lua_newtable(L);
	lua_pushvalue(L, lua_upvalueindex(UP_META));
	lua_setmetatable(L, 2);

	lua_pushvalue(L, 2);
	lua_createtable(L, 0, SPEC_FIELDS);
	lua_pushvalue(L, 1);
	lua_setfield(L, 4, "name");
	lua_pushinteger(L, vm_where(L));
	lua_setfield(L, 4, "line");
	lua_setfield(L, 4, "where");
	lua_newtable(L);
	lua_setfield(L, 4, "edges");
	lua_rawset(L, lua_upvalueindex(UP_TASK_SPECS));

	lua_pushvalue(L, 2);
	lua_rawseti(L, lua_upvalueindex(UP_DEFINED),
		(lua_Integer)lua_rawlen(L, lua_upvalueindex(UP_DEFINED)) + 1);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_rawset(L, lua_upvalueindex(UP_BY_NAME));
	return 1;
}

/* quick_task(slow, specs, defined, by_name, meta) → the global task() */
static int core_quick_task(lua_State *L)
{
	lua_settop(L, 5);
	lua_pushcclosure(L, quick_task, 5);
	return 1;
}

/* task.key: a method. */
static int quick_method(lua_State *L)
{
	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
		return 1;
	lua_settop(L, 2);
	return leave_to(L);
}

/* quick_method(slow, methods) → what __index is */
static int core_quick_method(lua_State *L)
{
	lua_settop(L, 2);
	lua_pushcclosure(L, quick_method, 2);
	return 1;
}

const luaL_Reg core_words[] = {
	{ "quick_method", core_quick_method },
	{ "quick_task", core_quick_task },
	{ "quick_word", core_quick_word },
	{ NULL, NULL },
};
