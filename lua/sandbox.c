/* SPDX-License-Identifier: MIT */
/* The library's own globals, the methods of strings, and metatables without finalizers. */
#include "lua/sandbox.h"

#include <lauxlib.h>
#include <stdbool.h>

static const char GLOBALS[] = "sloth.globals", CHUNKS[] = "sloth.chunks";

/* As Lua's, but __gc means nothing: a finalizer runs where nothing can interrupt it. It is looked for when
 * the metatable is set. */
static int set_metatable(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	lua_settop(L, 2);
	lua_pushliteral(L, "__gc");
	if (!lua_istable(L, 2) || lua_rawget(L, 2) == LUA_TNIL) {
		lua_settop(L, 2);
		lua_setmetatable(L, 1);
		return 1;
	}
	lua_pushliteral(L, "__gc");
	lua_pushnil(L);
	lua_rawset(L, 2);
	lua_pushvalue(L, 2);
	lua_setmetatable(L, 1);
	lua_pushliteral(L, "__gc");
	lua_insert(L, 3);
	lua_rawset(L, 2);
	return 1;
}

static bool is_plain_table(lua_State *L, int index)
{
	if (!lua_istable(L, index))
		return false;
	if (!lua_getmetatable(L, index))
		return true;
	lua_pop(L, 1);
	return false;
}

/* Pushes a copy of the table at `index`; plain tables in it are copied, too, `depth` deep. */
static void push_copy(lua_State *L, int index, int depth)
{
	int copy;

	index = lua_absindex(L, index);
	lua_newtable(L);
	copy = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, index); lua_settop(L, copy + 1)) {
		lua_pushvalue(L, -2);
		if (depth > 0 && is_plain_table(L, -2))
			push_copy(L, -2, depth - 1);
		else
			lua_pushvalue(L, -2);
		lua_rawset(L, copy);
	}
}

/* {} → what is not in the table on the top is looked for in the one at `index`. */
static void fall_back(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	lua_createtable(L, 0, 1);
	lua_pushvalue(L, index);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}

/* Methods of strings are Lua's; what a workflow adds to `string` is one, too. */
static void seal_strings(lua_State *L, int globals)
{
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_getfield(L, globals, "string");
	lua_getglobal(L, "string");
	lua_pushvalue(L, -2);
	fall_back(L, -2);
	lua_setfield(L, -4, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -4, "__metatable");
	lua_pop(L, 4);
}

void sandbox_seal(lua_State *L)
{
	int globals;

	lua_pushcfunction(L, set_metatable);
	lua_setglobal(L, "setmetatable");
	lua_pushglobaltable(L);
	push_copy(L, -1, 1);
	globals = lua_gettop(L);
	lua_pushglobaltable(L);
	lua_setfield(L, globals, "_G");
	fall_back(L, globals - 1);
	seal_strings(L, globals);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, CHUNKS);
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TFUNCTION; i++) {
		lua_pushvalue(L, globals);
		lua_setupvalue(L, -2, 1);
		lua_pop(L, 1);
	}
	lua_pop(L, 2);
	lua_setfield(L, LUA_REGISTRYINDEX, GLOBALS);
	lua_pop(L, 1);
}

void sandbox_enclose(lua_State *L)
{
	if (lua_getfield(L, LUA_REGISTRYINDEX, GLOBALS) == LUA_TTABLE) {
		lua_setupvalue(L, -2, 1);
		return;
	}
	lua_pop(L, 1);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, CHUNKS);
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
}
