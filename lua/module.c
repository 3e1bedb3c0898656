/* SPDX-License-Identifier: MIT */
/* The modules that workflows see. */
#include "lua/module.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "lua/core.h"
#include "lua/runner.h"
#include "lua/vm.h"

static const struct module modules[] = {
	{ "async", NULL, true },
	{ "circuit", NULL, true },
	{ "cron", NULL, true },
	{ "crypto", module_crypto, true },
	{ "data", module_data, true },
	{ "docker", NULL, true },
	{ "event", NULL, true },
	{ "exec", NULL, true },
	{ "facts", NULL, true },
	{ "file_ops", NULL, true },
	{ "fs", module_fs, true },
	{ "git", NULL, true },
	{ "goroutine", NULL, true },
	{ "group", NULL, true },
	{ "http", NULL, true },
	{ "infra_test", NULL, true },
	{ "json", module_json, true },
	{ "log", NULL, true },
	{ "metrics", NULL, true },
	{ "net", NULL, true },
	{ "notification", NULL, true },
	{ "pkg", NULL, true },
	{ "reliability", NULL, true },
	{ "resource", NULL, true },
	{ "secret", NULL, true },
	{ "stack", NULL, true },
	{ "state", NULL, true },
	{ "stow", NULL, true },
	{ "strings", NULL, true },
	{ "sysctl", NULL, true },
	{ "systemd", NULL, true },
	{ "template", NULL, true },
	{ "time", NULL, true },
	{ "user", NULL, true },
	{ "utils", NULL, true },
	{ "workdir", NULL, true },
	{ "yaml", module_yaml },
};

static const char *const type_names[] = {
	[ARG_ANY] = "value",
	[ARG_STRING] = "string",
	[ARG_INTEGER] = "whole number",
	[ARG_NUMBER] = "number",
	[ARG_BOOLEAN] = "boolean",
	[ARG_TABLE] = "table",
	[ARG_FUNCTION] = "function",
};

static int arg_count(const struct function *function)
{
	int n = 0;

	while (n < ARGS_MAX && function->args[n].name)
		n++;
	return n;
}

/* "path, content, mode": for messages. */
static const char *arg_names(lua_State *L, const struct function *function)
{
	luaL_Buffer text;

	luaL_buffinit(L, &text);
	for (int i = 0; i < arg_count(function); i++) {
		if (i)
			luaL_addstring(&text, ", ");
		luaL_addstring(&text, function->args[i].name);
	}
	luaL_pushresult(&text);
	return lua_tostring(L, -1);
}

static bool arg_fits(lua_State *L, int index, enum arg_type type)
{
	switch (type) {
	case ARG_STRING:
		/* The result of a command stands for its output. */
		if (lua_istable(L, index) && luaL_getmetafield(L, index, "__value") != LUA_TNIL) {
			lua_gettable(L, index);
			lua_replace(L, index);
		}
		return lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER;
	case ARG_INTEGER:
		return lua_type(L, index) == LUA_TNUMBER &&
		       lua_tointegerx(L, index, NULL) == lua_tonumber(L, index);
	case ARG_NUMBER:
		return lua_type(L, index) == LUA_TNUMBER;
	case ARG_BOOLEAN:
		return lua_isboolean(L, index);
	case ARG_TABLE:
		return lua_istable(L, index);
	case ARG_FUNCTION:
		return lua_isfunction(L, index);
	default:
		return true;
	}
}

static void args_check(lua_State *L, const char *module, const struct function *function, int count)
{
	for (int i = 0; i < count; i++) {
		const struct arg *arg = &function->args[i];

		if (lua_isnoneornil(L, i + 1) ? arg->optional || arg->type == ARG_ANY
					      : arg_fits(L, i + 1, arg->type))
			continue;
		luaL_error(L, "%s.%s: '%s' must be a %s, not %s (its arguments: %s)", module, function->name,
			arg->name, type_names[arg->type],
			lua_isnoneornil(L, i + 1) ? "missing" : luaL_typename(L, i + 1),
			arg_names(L, function));
	}
}

/* One table of names instead of positions? */
static bool args_are_named(lua_State *L, const struct function *function)
{
	enum arg_type first = function->args[0].type;

	if (lua_gettop(L) != 1 || !lua_istable(L, 1) || !function->args[0].name || first == ARG_TABLE ||
		first == ARG_ANY)
		return false;
	if (!lua_getmetatable(L, 1))
		return true;
	lua_pop(L, 1); /* the result of a command, say: an argument in itself */
	return false;
}

/* Spreads the table at 1 over the positions. */
static void args_spread(lua_State *L, const char *module, const struct function *function, int count)
{
	const char *names[ARGS_MAX];

	for (int i = 0; i < count; i++)
		names[i] = function->args[i].name;
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "1", *near;
		int i = 0;

		while (i < count && strcmp(names[i], key) != 0)
			i++;
		if (i < count)
			continue;
		near = text_nearest(key, names, (size_t)count);
		luaL_error(L, "%s.%s has no argument '%s'%s%s%s (its arguments: %s)", module, function->name,
			key, near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "",
			arg_names(L, function));
	}
	for (int i = 0; i < count; i++)
		lua_getfield(L, 1, names[i]);
	lua_remove(L, 1);
}

void module_acts(lua_State *L, const char *function)
{
	if (!runner_of(L)->sched.current)
		vm_error(L,
			"%s changes something, and can't while the workflow is loaded: call it in a task's "
			"command",
			function);
	if (runner_of(L)->detect)
		vm_error(L, "%s changes something, and can't while drift is looked for", function);
}

/* Stands before every function; upvalues: the row, the module's name. */
static int call_function(lua_State *L)
{
	const struct function *function = lua_touserdata(L, lua_upvalueindex(1));
	const char *module = lua_tostring(L, lua_upvalueindex(2));
	int count = arg_count(function);

	if (function->acts) {
		lua_pushfstring(L, "%s.%s", module, function->name);
		module_acts(L, lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	if (args_are_named(L, function))
		args_spread(L, module, function, count);
	else if (count < ARGS_MAX && lua_gettop(L) > count && function->args[0].name)
		return luaL_error(L, "%s.%s takes %d arguments, not %d (%s)", module, function->name, count,
			lua_gettop(L), arg_names(L, function));
	if (function->args[0].name)
		lua_settop(L, count);
	args_check(L, module, function, count);
	return function->call(L);
}

static void push_functions(lua_State *L, const struct module *module)
{
	for (const struct function *function = module->functions; function && function->name; function++) {
		lua_pushlightuserdata(L, (void *)function);
		lua_pushstring(L, module->name);
		lua_pushcclosure(L, call_function, 2);
		lua_setfield(L, -2, function->name);
	}
}

/* A library that adds to a module returns a table; one that is callable brings its metatable. */
static void merge_library(lua_State *L, const struct module *module)
{
	if (!vm_push_library(L, module->name))
		return;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_settable(L, -6);
	}
	if (lua_getmetatable(L, -1))
		lua_setmetatable(L, -3);
	lua_pop(L, 1);
}

/* What it has not is nil, so that workflows can ask; lib/teach.lua says more to who calls it. */
static void module_push(lua_State *L, const struct module *module)
{
	lua_newtable(L);
	push_functions(L, module);
	if (module->library)
		merge_library(L, module);
}

/* What stands for a module of Sloth Runner that there is none of, or nil. */
static int absent_module(lua_State *L, const char *name)
{
	vm_push_library(L, "absent");
	lua_getfield(L, -1, "module");
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
	return 1;
}

/* Globals appear when they are first named. */
static int global_missing(lua_State *L)
{
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		if (strcmp(modules[i].name, name) != 0)
			continue;
		module_push(L, &modules[i]);
		lua_pushvalue(L, 2);
		lua_pushvalue(L, -2);
		lua_rawset(L, 1);
		return 1;
	}
	return absent_module(L, name);
}

void module_push_names(lua_State *L)
{
	size_t count = sizeof(modules) / sizeof(modules[0]);

	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_pushstring(L, modules[i].name);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

void module_open(lua_State *L)
{
	lua_pushglobaltable(L);
	lua_newtable(L);
	lua_pushcfunction(L, global_missing);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
	/* task, workflow, values, coroutine, load, print …: defines globals itself. */
	vm_push_library(L, "prelude");
	lua_pop(L, 1);
}
