/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: the program text, errors, the run. */
#include "lua/core.h"

#include <lauxlib.h>
#include <math.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lua/coroutines.h"
#include "lua/hash.h"
#include "lua/module.h"
#include "lua/output.h"
#include "lua/regex.h"
#include "lua/runner.h"
#include "lua/scope.h"
#include "lua/task.h"
#include "lua/task-after.h"
#include "lua/value.h"
#include "lua/vm.h"
#include "lua/watch.h"

/* About the program text. */

static int core_nearest(lua_State *L)
{
	const char *near = vm_nearest(L, luaL_checkstring(L, 1), 2);

	lua_pushstring(L, near);
	return 1;
}

/* where() → "file:line", line: of the workflow's function that called into the library. */
static int core_where(lua_State *L)
{
	int line = vm_where(L);

	lua_pushinteger(L, line);
	return 2;
}

/* described(function) → name of its first parameter or nil, line, file. */
static int core_described(lua_State *L)
{
	lua_Debug ar;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_pushvalue(L, 1);
	lua_getinfo(L, ">S", &ar);
	lua_pushvalue(L, 1);
	lua_pushstring(L, lua_getlocal(L, NULL, 1));
	lua_pushinteger(L, ar.linedefined);
	lua_pushstring(L, ar.short_src);
	return 3;
}

static int core_load(lua_State *L)
{
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	bool has_environment = lua_gettop(L) > 2;

	if (vm_load(L, text, size, luaL_optstring(L, 2, "=(load)")) != LUA_OK) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	if (has_environment) {
		lua_pushvalue(L, 3);
		lua_setupvalue(L, -2, 1);
	}
	return 1;
}

/* base64_decode(text) → bytes, or nil. */
static int core_base64_decode(lua_State *L)
{
	size_t size, done;
	const char *text = luaL_checklstring(L, 1, &size);
	unsigned char *bytes = lua_newuserdatauv(L, size + 1, 0);

	if (sodium_base642bin(
		    bytes, size + 1, text, size, NULL, &done, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return 0;
	lua_pushlstring(L, (const char *)bytes, done);
	return 1;
}

/* duration("5m" or seconds) → milliseconds, or nil. */
static int core_duration(lua_State *L)
{
	int64_t ms;

	if (lua_type(L, 1) == LUA_TNUMBER) {
		lua_Number seconds = lua_tonumber(L, 1);

		if (!(seconds >= 0 && seconds < 3e9))
			return 0;
		ms = llround(seconds * 1000);
	} else if (lua_type(L, 1) != LUA_TSTRING || duration_parse(lua_tostring(L, 1), &ms) < 0) {
		return 0;
	}
	lua_pushinteger(L, ms);
	return 1;
}

/* error and assert of workflows: what they raise is remembered, so that an error of the language (never
 * retried) can be told from one that the workflow means. */
static int raise_marked(lua_State *L)
{
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, "sloth.raised");
	return lua_error(L);
}

static int core_error(lua_State *L)
{
	int level = (int)luaL_optinteger(L, 2, 1);

	lua_settop(L, 1);
	if (lua_type(L, 1) == LUA_TSTRING && level > 0) {
		luaL_where(L, level);
		lua_insert(L, 1);
		lua_concat(L, 2);
	}
	return raise_marked(L);
}

static int core_assert(lua_State *L)
{
	if (lua_toboolean(L, 1))
		return lua_gettop(L);
	luaL_checkany(L, 1);
	if (lua_gettop(L) == 1)
		lua_pushliteral(L, "assertion failed!");
	lua_settop(L, 2);
	return raise_marked(L);
}

/* fail(message [, meant]): with the place of the workflow's function that called into the library. `meant`:
 * not a mistake in the program. */
static int core_fail(lua_State *L)
{
	bool meant = lua_toboolean(L, 2);

	lua_settop(L, 1);
	if (vm_where(L)) {
		lua_pushliteral(L, ": ");
		lua_pushvalue(L, 1);
		lua_concat(L, 3);
	} else {
		lua_settop(L, 1);
	}
	return meant ? raise_marked(L) : lua_error(L);
}

/* ending() → whether the task, or the goroutine, is being ended. */
static int core_ending(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	lua_pushboolean(L, fiber && (fiber->scope->reason || fiber->ends));
	return 1;
}

/* may_wait() → whether the caller could: not while the workflow is loaded, in a sort's comparison … */
static int core_may_wait(lua_State *L)
{
	lua_pushboolean(L, fiber_may_wait(L));
	return 1;
}

/* was_raised(value) */
static int core_was_raised(lua_State *L)
{
	lua_settop(L, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, "sloth.raised");
	lua_pushboolean(L, lua_rawequal(L, 1, 2));
	return 1;
}

static int core_traceback(lua_State *L)
{
	luaL_traceback(L, L, NULL, (int)luaL_optinteger(L, 1, 1));
	return 1;
}

static int core_library(lua_State *L)
{
	return vm_push_library(L, luaL_checkstring(L, 1));
}

static int core_mark_list(lua_State *L)
{
	value_mark_list(L, 1);
	lua_settop(L, 1);
	return 1;
}

static int core_protect_strings(lua_State *L)
{
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushvalue(L, 1);
	lua_setfield(L, -2, "__call");
	return 0;
}

/* About the run. */

/* metatable(value): also one that is protected. */
static int core_metatable(lua_State *L)
{
	luaL_checkany(L, 1);
	return lua_getmetatable(L, 1);
}

static int core_name_ok(lua_State *L)
{
	size_t size;
	const char *name = luaL_checklstring(L, 1, &size);

	lua_pushboolean(L, strlen(name) == size && name_check(name) == 0);
	return 1;
}

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = words; p && n && (p = strstr(p, word)); p += n)
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || !p[n]) && !strchr(word, ' '))
			return true;
	return false;
}

static int core_is_this_host(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	lua_pushboolean(L, !strcmp(name, "local") || !strcmp(name, "localhost") || !strcmp(name, host) ||
				   has_word(runner_of(L)->local_agents, name));
	return 1;
}

static int core_getenv(lua_State *L)
{
	struct runner *runner = runner_of(L);
	const char *value =
		environment_get((const char *const *)runner->environment.strings, luaL_checkstring(L, 1));

	lua_pushstring(L, value);
	return 1;
}

/* setenv(name, value): for what the run starts from now on. */
static int core_setenv(lua_State *L)
{
	size_t name_size, value_size;
	const char *name = luaL_checklstring(L, 1, &name_size), *value = luaL_checklstring(L, 2, &value_size);

	module_acts(L, "os.setenv");
	if (!*name || strchr(name, '=') || strlen(name) != name_size || strlen(value) != value_size)
		return vm_error(L, "os.setenv: a name without '=', and no NUL byte in it or in the value");
	if (!strncmp(name, "SLOTH_", strlen("SLOTH_")))
		return vm_error(L, "os.setenv: variables that begin with SLOTH_ are the run's own");
	if (environment_set(&runner_of(L)->environment, name, value) < 0)
		return luaL_error(L, "not enough memory");
	lua_pushboolean(L, true);
	return 1;
}

static int core_acts(lua_State *L)
{
	module_acts(L, luaL_checkstring(L, 1));
	return 0;
}

/* task() → name of the task whose code runs, its directory; nil in hooks of the workflow. */
static int core_task(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	if (!fiber)
		return 0;
	lua_pushstring(L, fiber->scope->task);
	lua_pushstring(L, fiber->scope->workdir);
	return 2;
}

static int core_run(lua_State *L)
{
	struct runner *runner = runner_of(L);

	lua_createtable(L, 0, 7);
	lua_pushinteger(L, (lua_Integer)runner->id);
	lua_setfield(L, -2, "run");
	lua_pushstring(L, runner->stack);
	lua_setfield(L, -2, "stack");
	lua_pushstring(L, runner->file);
	lua_setfield(L, -2, "file");
	value_push(L, json_object_get(runner->options, "directory"));
	lua_setfield(L, -2, "directory");
	lua_pushstring(L, runner->workdir);
	lua_setfield(L, -2, "work");
	lua_pushinteger(L, (lua_Integer)runner->image_limit);
	lua_setfield(L, -2, "image_limit");
	lua_pushinteger(L, (lua_Integer)runner->unpacked_size);
	lua_setfield(L, -2, "unpacked_size");
	lua_pushinteger(L, (lua_Integer)runner->unpacked_files);
	lua_setfield(L, -2, "unpacked_files");
	if (runner->token) {
		lua_pushinteger(L, (lua_Integer)runner->token);
		lua_setfield(L, -2, "token");
	}
	return 1;
}

/* collect(): what nobody has any more is closed, as are files. */
static int core_collect(lua_State *L)
{
	lua_gc(L, LUA_GCCOLLECT);
	return 0;
}

static int core_memory(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)runner_of(L)->vm.used / 1024);
	return 1;
}

/* memory_text(error) → the error; where Lua had no memory, a sentence with the limit. */
static int core_memory_text(lua_State *L)
{
	size_t limit = runner_of(L)->vm.limit;

	lua_settop(L, 1);
	if (limit && !strcmp(luaL_checkstring(L, 1), "not enough memory"))
		lua_pushfstring(L,
			"over the memory limit of %d MB for the Lua code of a run (max_run_memory)",
			(int)(limit >> 20));
	return 1;
}

static int core_now(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)time_now_ms());
	return 1;
}

static int core_log(lua_State *L)
{
	struct runner *runner = runner_of(L);
	struct scope *scope = runner->sched.current ? runner->sched.current->scope : NULL;
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);

	link_log(&runner->link, scope ? scope->task : NULL, scope ? scope->try : 0, "log", text, size);
	return 0;
}

/* log_room(): waits until the daemon has taken what is under way. */
static int core_log_room(lua_State *L)
{
	struct runner *runner = runner_of(L);
	struct fiber *fiber = runner->sched.current;

	if (!fiber || !lua_isyieldable(L) || fiber->scope->reason || !link_full(&runner->link))
		return 0;
	return runner_wait_room(L);
}

static const luaL_Reg functions[] = {
	{ "acts", core_acts },
	{ "assert", core_assert },
	{ "collect", core_collect },
	{ "described", core_described },
	{ "base64_decode", core_base64_decode },
	{ "duration", core_duration },
	{ "ending", core_ending },
	{ "error", core_error },
	{ "fail", core_fail },
	{ "getenv", core_getenv },
	{ "hash", hash_push },
	{ "hook_failed", task_hook_failed },
	{ "is_this_host", core_is_this_host },
	{ "library", core_library },
	{ "image_taken", task_image_taken },
	{ "load", core_load },
	{ "log", core_log },
	{ "log_room", core_log_room },
	{ "mark_list", core_mark_list },
	{ "may_wait", core_may_wait },
	{ "memory", core_memory },
	{ "memory_text", core_memory_text },
	{ "metatable", core_metatable },
	{ "name_ok", core_name_ok },
	{ "nearest", core_nearest },
	{ "now", core_now },
	{ "protect_strings", core_protect_strings },
	{ "regex", regex_new },
	{ "run", core_run },
	{ "setenv", core_setenv },
	{ "take_output", output_take },
	{ "task", core_task },
	{ "traceback", core_traceback },
	{ "undo_told", task_undo_told },
	{ "was_raised", core_was_raised },
	{ "where", core_where },
	{ "outcome", task_outcome },
	{ NULL, NULL },
};

void core_push(lua_State *L)
{
	if (lua_getfield(L, LUA_REGISTRYINDEX, "sloth.core") == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	luaL_setfuncs(L, core_wait, 0);
	luaL_setfuncs(L, core_calls, 0);
	luaL_setfuncs(L, core_commands, 0);
	luaL_setfuncs(L, core_processes, 0);
	luaL_setfuncs(L, core_files, 0);
	luaL_setfuncs(L, core_machine, 0);
	luaL_setfuncs(L, core_letters, 0);
	luaL_setfuncs(L, core_web, 0);
	luaL_setfuncs(L, core_import, 0);
	luaL_setfuncs(L, core_text, 0);
	luaL_setfuncs(L, core_artifacts, 0);
	luaL_setfuncs(L, core_words, 0);
	luaL_setfuncs(L, core_anchors, 0);
	luaL_setfuncs(L, core_supervision, 0);
	luaL_setfuncs(L, core_failpoints, 0);
	luaL_setfuncs(L, core_watch, 0);
	luaL_setfuncs(L, core_bytes, 0);
	coroutines_push(L);
	lua_setfield(L, -2, "coroutine");
	lua_pushlightuserdata(L, NULL); /* see value.h */
	lua_setfield(L, -2, "null");
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, "sloth.core");
}
