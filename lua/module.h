/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The modules that workflows see. One written in C is a table of functions with their arguments; one written
 * in Lua is lib/NAME.lua with a row in module.c. They are made when a workflow first names them.
 *
 * Every C function can be called with positions or with one table of names; a wrong argument is an error that
 * names the known ones. The function finds its arguments at the stack positions 1…n, in the order of its row,
 * checked.
 */
#include <lua.h>
#include <stdbool.h>

enum arg_type { ARG_ANY, ARG_STRING, ARG_INTEGER, ARG_NUMBER, ARG_BOOLEAN, ARG_TABLE, ARG_FUNCTION };

enum { ARGS_MAX = 8 };

struct arg {
	const char *name; /* NULL ends the list */
	enum arg_type type;
	bool optional;
};

struct function {
	const char *name; /* NULL ends the table */
	lua_CFunction call;
	bool acts; /* changes something: not while the workflow is loaded */
	struct arg args[ARGS_MAX];
};

struct module {
	const char *name;
	const struct function *functions; /* NULL: written in Lua alone */
	bool library;			  /* lib/NAME.lua adds to it, or is it */
};

extern const struct function module_crypto[], module_data[], module_fs[], module_json[], module_yaml[];

/* Makes the globals of the sandbox. */
void module_open(lua_State *L);

/* Pushes a list of the modules' names. */
void module_push_names(lua_State *L);

/* Raises, when the workflow is still being loaded. */
void module_acts(lua_State *L, const char *function);
