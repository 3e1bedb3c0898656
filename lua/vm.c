/* SPDX-License-Identifier: MIT */
/* The Lua state, its limits and its sandbox. */
#include "lua/vm.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lua/core.h"
#include "lua/library.h"
#include "lua/module.h"
#include "lua/runner.h"
#include "lua/sandbox.h"

/* What workflows see of Lua's own functions; the modules and lib/prelude.lua add the rest. NULL ends a row.
 */
static const struct {
	const char *table; /* "_G": globals */
	lua_CFunction open;
	const char *names[28];
} allowed[] = {
	{ "_G", luaopen_base,
		{ "_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall",
			"rawequal", "rawget", "rawlen", "rawset", "select", "setmetatable", "tonumber",
			"tostring", "type", "xpcall" } },
	{ "table", luaopen_table, { "concat", "insert", "move", "pack", "remove", "sort", "unpack" } },
	{ "string", luaopen_string,
		{ "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack",
			"packsize", "rep", "reverse", "sub", "unpack", "upper" } },
	{ "utf8", luaopen_utf8, { "char", "charpattern", "codepoint", "codes", "len", "offset" } },
	{ "math", luaopen_math,
		{ "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "huge", "log",
			"max", "maxinteger", "min", "mininteger", "modf", "pi", "rad", "random", "sin",
			"sqrt", "tan", "tointeger", "type", "ult" } },
	{ "os", luaopen_os, { "clock", "date", "difftime", "remove", "rename", "time", "tmpname" } },
	{ "io", luaopen_io, { "lines", "open", "stdin", "tmpfile", "type" } },
};

static void *allocate(void *userdata, void *block, size_t old_size, size_t size)
{
	struct vm *vm = userdata;
	size_t before = block ? old_size : 0; /* without a block it says what the new one is for */
	void *result;

	if (size == 0) {
		free(block);
		vm->used -= before;
		return NULL;
	}
	if (vm->limit && size > before && vm->used - before + size > vm->limit)
		return NULL;
	result = realloc(block, size);
	if (result)
		vm->used = vm->used - before + size;
	return result;
}

void vm_keep_source(lua_State *L, const char *text, size_t size, const char *name)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, VM_SOURCES);
	lua_pushlstring(L, text, size);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

int vm_load(lua_State *L, const char *text, size_t size, const char *name)
{
	const char *all = text;
	size_t all_size = size;

	if (size >= 2 && !strncmp(text, "#!", 2)) {
		const char *end = memchr(text, '\n', size);
		size_t line = end ? (size_t)(end - text) : size;

		/* The newline stays: lines keep their numbers. */
		text += line;
		size -= line;
	}
	if (*name == '@')
		vm_keep_source(L, all, all_size, name + 1);
	return luaL_loadbufferx(L, text, size, name, "t");
}

static const struct library *library_find(const char *name)
{
	for (const struct library *library = libraries; library->name; library++)
		if (!strcmp(library->name, name))
			return library;
	return NULL;
}

int vm_push_library(lua_State *L, const char *name)
{
	const struct library *library = library_find(name);

	if (!library)
		return 0;
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "sloth.libraries");
	if (lua_getfield(L, -1, name) == LUA_TNIL) {
		lua_pop(L, 1);
		if (luaL_loadbufferx(L, library->text, library->size, library->chunk, "bt") != LUA_OK)
			lua_error(L);
		sandbox_enclose(L);
		core_push(L);
		lua_call(L, 1, 1);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, name);
	}
	lua_remove(L, -2);
	return 1;
}

/* A function of lib/teach.lua with our arguments, a result. */
static int teach(lua_State *L, const char *function)
{
	int arguments = lua_gettop(L);

	vm_push_library(L, "teach");
	lua_getfield(L, -1, function);
	lua_replace(L, -2);
	lua_insert(L, 1);
	lua_call(L, arguments, 1);
	return 1;
}

static int explain(lua_State *L)
{
	return teach(L, "explain");
}

int vm_show_line(lua_State *L)
{
	return teach(L, "show");
}

/* The message that people read: where, the line of the workflow, and what could have been meant. */
static int traceback(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TSTRING && luaL_callmeta(L, 1, "__tostring"))
		return 1;
	if (lua_type(L, 1) != LUA_TSTRING || !lua_checkstack(L, 4))
		return 1;
	lua_pushcfunction(L, explain);
	lua_pushvalue(L, 1);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK)
		lua_settop(L, 1); /* then without */
	return 1;
}

int vm_call(struct vm *vm, int arguments, int results)
{
	int base = lua_gettop(vm->L) - arguments, status;

	lua_rawgeti(vm->L, LUA_REGISTRYINDEX, vm->traceback);
	lua_insert(vm->L, base);
	status = lua_pcall(vm->L, arguments, results, base);
	lua_remove(vm->L, base);
	return status;
}

const char *vm_nearest(lua_State *L, const char *word, int index)
{
	size_t count = (size_t)lua_rawlen(L, index);
	CLEANUP(cleanup_free) const char **words = calloc(count + 1, sizeof(*words));

	for (size_t i = 0; words && i < count; i++) {
		lua_rawgeti(L, index, (lua_Integer)i + 1);
		words[i] =
			lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL; /* the list holds it */
		lua_pop(L, 1);
	}
	return words ? text_nearest(word, words, count) : NULL;
}

/* "file:line". The last ones are kept: a loop that defines tasks stays on its lines. */
static void push_place(lua_State *L, const lua_Debug *ar)
{
	struct vm *vm = &runner_of(L)->vm;
	struct vm_place *place = &vm->places[ar->currentline % VM_PLACES];

	if (place->line == ar->currentline && !strcmp(place->file, ar->short_src)) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, place->text);
		return;
	}
	lua_pushfstring(L, "%s:%d", ar->short_src, ar->currentline);
	lua_pushvalue(L, -1);
	if (place->text)
		lua_rawseti(L, LUA_REGISTRYINDEX, place->text);
	else
		place->text = luaL_ref(L, LUA_REGISTRYINDEX);
	place->line = ar->currentline;
	strcpy(place->file, ar->short_src);
}

int vm_where(lua_State *L)
{
	lua_Debug ar;

	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline <= 0 || !strncmp(ar.short_src, "[sloth:", 7))
			continue;
		push_place(L, &ar);
		return ar.currentline;
	}
	lua_pushliteral(L, "?");
	return 0;
}

int vm_error(lua_State *L, const char *format, ...)
{
	va_list ap;

	vm_where(L);
	lua_pushliteral(L, ": ");
	va_start(ap, format);
	lua_pushvfstring(L, format, ap);
	va_end(ap);
	lua_concat(L, 3);
	return lua_error(L);
}

/* Copies the allowed entries of a library into the table on the top, from the one below. */
static void copy_allowed(lua_State *L, const char *const *names)
{
	for (; *names; names++) {
		lua_getfield(L, -2, *names);
		lua_setfield(L, -2, *names);
	}
}

static void open_allowed(lua_State *L)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		bool globals = !strcmp(allowed[i].table, "_G");

		lua_pushcfunction(L, allowed[i].open);
		lua_pushstring(L, allowed[i].table);
		lua_call(L, 1, 1);
		if (allowed[i].open == luaopen_math) {
			lua_getfield(L, -1, "randomseed");
			lua_setfield(L, LUA_REGISTRYINDEX, "sloth.randomseed");
		}
		lua_newtable(L);
		copy_allowed(L, allowed[i].names);
		if (globals) {
			/* luaopen_base() filled the real table of globals: the new one takes its place. */
			lua_pushvalue(L, -1);
			lua_setfield(L, -2, "_G");
			lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
		} else {
			lua_setglobal(L, allowed[i].table);
		}
		lua_pop(L, 1);
	}
}

static int vm_open(lua_State *L)
{
	open_allowed(L);
	module_open(L);
	sandbox_seal(L);
	vm_push_library(L, "prelude");
	lua_getfield(L, -1, "sealed");
	lua_call(L, 0, 0);
	return 0;
}

int vm_init(struct vm *vm, struct runner *runner)
{
	*vm = (struct vm){ 0 };
	vm->L = lua_newstate(allocate, vm);
	if (!vm->L)
		return -ENOMEM;
	*(struct runner **)lua_getextraspace(vm->L) = runner;
	lua_pushcfunction(vm->L, traceback);
	vm->traceback = luaL_ref(vm->L, LUA_REGISTRYINDEX);
	lua_pushcfunction(vm->L, vm_open);
	if (vm_call(vm, 0, 0) != LUA_OK) {
		fprintf(stderr, "sloth-runner: %s\n", lua_tostring(vm->L, -1));
		return -ENOMEM;
	}
	return 0;
}

static int warm(lua_State *L)
{
	for (const char *const *name = lua_touserdata(L, 1); *name; name++) {
		if (!vm_push_library(L, *name))
			return luaL_error(L, "there is no library %s", *name);
		lua_pop(L, 1);
	}
	lua_gc(L, LUA_GCCOLLECT);
	return 0;
}

int vm_warm(struct vm *vm, const char *const *names)
{
	lua_pushcfunction(vm->L, warm);
	lua_pushlightuserdata(vm->L, (void *)(uintptr_t)names);
	if (vm_call(vm, 1, 0) == LUA_OK)
		return 0;
	vm_done(vm);
	return -ENOMEM;
}

static int seed(lua_State *L)
{
	lua_Integer random[2];

	randombytes_buf(random, sizeof(random));
	lua_getfield(L, LUA_REGISTRYINDEX, "sloth.randomseed");
	lua_pushinteger(L, random[0]);
	lua_pushinteger(L, random[1]);
	lua_call(L, 2, 0);
	return 0;
}

void vm_seed(struct vm *vm)
{
	if (!vm->L)
		return;
	lua_pushcfunction(vm->L, seed);
	if (vm_call(vm, 0, 0) != LUA_OK)
		lua_pop(vm->L, 1);
}

void vm_done(struct vm *vm)
{
	if (vm->L)
		lua_close(vm->L);
	vm->L = NULL;
}
