/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: commands. */
#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lua/account.h"
#include "lua/core.h"
#include "lua/exec.h"
#include "lua/runner.h"
#include "lua/scope.h"

static void push_field(lua_State *L, const char *name, const struct buffer *text)
{
	lua_pushlstring(L, buffer_text(text), text->size);
	lua_setfield(L, -2, name);
}

int core_push_result(lua_State *L, const struct exec *exec)
{
	const char *name = WIFSIGNALED(exec->status) ? sigabbrev_np(WTERMSIG(exec->status)) : NULL;
	char text[80];

	lua_createtable(L, 0, 8);
	push_field(L, "stdout", &exec->out.kept);
	push_field(L, "stderr", &exec->err.kept);
	lua_pushinteger(L, exec_exit_code(exec));
	lua_setfield(L, -2, "exit_code");
	if (WIFSIGNALED(exec->status)) {
		lua_pushinteger(L, WTERMSIG(exec->status));
		lua_setfield(L, -2, "signal");
		lua_pushstring(L, exec_end_text(exec, text, sizeof(text)));
		lua_setfield(L, -2, "signal_text");
		lua_pushfstring(L, "SIG%s", name ? name : "?");
		lua_setfield(L, -2, "signal_name");
	}
	lua_pushboolean(L, exec->timed_out);
	lua_setfield(L, -2, "timed_out");
	lua_pushboolean(L, exec->out.truncated || exec->err.truncated);
	lua_setfield(L, -2, "truncated");
	lua_pushnumber(L, ev_time() - exec->started);
	lua_setfield(L, -2, "duration");
	return 1;
}

static int exec_collect(lua_State *L, void *work)
{
	int count = core_push_result(L, work);

	exec_free(work);
	return count;
}

static void exec_wakes(struct exec *exec)
{
	fiber_wake(exec->userdata);
}

static const char *string_field(lua_State *L, const char *name, size_t *ret_size)
{
	lua_getfield(L, 1, name);
	return lua_tolstring(L, -1, ret_size); /* stays on the stack */
}

/* The strings of a list at `index`, NULL at the end, in memory of Lua's that is left on the stack. */
static const char **string_list(lua_State *L, int index)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, index);
	const char **list = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof(*list), 1);

	/* What holds the texts: the list may have numbers, whose texts are nobody's. */
	lua_createtable(L, (int)count, 0);
	for (lua_Integer i = 0; i < count; i++) {
		lua_rawgeti(L, index, i + 1);
		list[i] = luaL_checkstring(L, -1);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setiuservalue(L, -2, 1);
	list[count] = NULL;
	return list;
}

static const char **list_field(lua_State *L, const char *name)
{
	lua_getfield(L, 1, name);
	return lua_istable(L, -1) ? string_list(L, lua_gettop(L)) : NULL;
}

/* A relative folder is one of the task's. */
static const char *workdir_field(lua_State *L, const struct scope *scope)
{
	const char *path = string_field(L, "workdir", NULL);

	if (!path)
		return scope->workdir;
	return *path == '/' || !scope->workdir ? path : lua_pushfstring(L, "%s/%s", scope->workdir, path);
}

static bool flag_field(lua_State *L, const char *name)
{
	lua_getfield(L, 1, name);
	return lua_toboolean(L, -1);
}

void core_read_command(lua_State *L, const struct scope *scope, struct command *ret_command)
{
	luaL_checkstack(L, 30, "a command");
	*ret_command = (struct command){
		.text = string_field(L, "command", NULL),
		.arguments = (char *const *)list_field(L, "arguments"),
		.workdir = workdir_field(L, scope),
		.user = string_field(L, "user", NULL),
		.env = list_field(L, "env"),
		.quiet = flag_field(L, "quiet"),
		.capture = flag_field(L, "capture"),
		.hush_out = flag_field(L, "hush_out"),
	};
	ret_command->input = string_field(L, "stdin", &ret_command->input_size);
	lua_getfield(L, 1, "timeout_ms");
	ret_command->timeout_ms = lua_tointeger(L, -1);
	lua_getfield(L, 1, "grace_ms");
	ret_command->grace_ms = luaL_optinteger(L, -1, 10000);
}

/* exec{ command | arguments, workdir, env = list, stdin, timeout_ms, grace_ms, quiet, capture } → the raw
 * result */
static int core_exec(lua_State *L)
{
	struct fiber *fiber = fiber_check(L, "exec.run");
	struct command command;
	struct fault fault = { 0 };
	struct exec *exec;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	core_read_command(L, fiber->scope, &command);
	int r = exec_start(fiber->scope, &command, exec_wakes, fiber, &exec, &fault);
	if (r < 0) {
		/* As a shell answers. */
		lua_createtable(L, 0, 4);
		lua_pushliteral(L, "");
		lua_setfield(L, -2, "stdout");
		lua_pushstring(L, fault.text);
		lua_setfield(L, -2, "stderr");
		lua_pushinteger(L, r == -ENOENT ? 127 : 126);
		lua_setfield(L, -2, "exit_code");
		lua_pushnumber(L, 0);
		lua_setfield(L, -2, "duration");
		return 1;
	}
	return fiber_park(L, "a command", exec_collect, exec_forget, exec);
}

/* may_become(user) → true, or nil and a sentence. Root's runs may, when the time comes: there may be no such
 * user yet. */
static int core_may_become(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const struct account *account;
	struct fault fault = { 0 };

	if (geteuid() != 0 && account_find(name, &account, &fault) < 0) {
		lua_pushnil(L);
		lua_pushstring(L, fault.text);
		return 2;
	}
	lua_pushboolean(L, true);
	return 1;
}

const luaL_Reg core_commands[] = {
	{ "may_become", core_may_become },
	{ "exec", core_exec },
	{ NULL, NULL },
};
