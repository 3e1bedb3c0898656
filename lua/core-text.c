/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: the texts of the run's program, and the names in it. */
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "lua/core.h"
#include "lua/module.h"
#include "lua/vm.h"

/* sources() → the texts by the names that chunks have. */
static int core_sources(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, VM_SOURCES);
	return 1;
}

/* The workflow's innermost function that runs; false: none does. */
static bool find_user_function(lua_State *L, lua_Debug *ret_ar)
{
	for (int level = 0; lua_getstack(L, level, ret_ar); level++) {
		lua_getinfo(L, "Sl", ret_ar);
		if (ret_ar->currentline > 0 && strncmp(ret_ar->short_src, "[sloth:", 7) != 0)
			return true;
	}
	return false;
}

/* source() → the name of its chunk, or nil. */
static int core_source(lua_State *L)
{
	lua_Debug ar;

	if (!find_user_function(L, &ar) || *ar.source != '@')
		return 0;
	lua_pushstring(L, ar.source + 1);
	return 1;
}

static void add_name(lua_State *L, const char *name)
{
	/* "(temporary)", "(for state)": not the program's. */
	if (!name || *name == '(' || !strcmp(name, "_ENV"))
		return;
	lua_pushstring(L, name);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* names() → what the workflow's innermost function can name: its locals, its upvalues. */
static int core_names(lua_State *L)
{
	lua_Debug ar;
	const char *name;

	lua_newtable(L);
	if (!find_user_function(L, &ar))
		return 1;
	for (int i = 1; (name = lua_getlocal(L, &ar, i)); i++) {
		lua_pop(L, 1);
		add_name(L, name);
	}
	lua_getinfo(L, "f", &ar);
	lua_insert(L, -2);
	for (int i = 1; (name = lua_getupvalue(L, -2, i)); i++) {
		lua_pop(L, 1);
		add_name(L, name);
	}
	return 1;
}

static int core_module_names(lua_State *L)
{
	module_push_names(L);
	return 1;
}

const luaL_Reg core_text[] = {
	{ "module_names", core_module_names },
	{ "names", core_names },
	{ "source", core_source },
	{ "sources", core_sources },
	{ NULL, NULL },
};
