/* SPDX-License-Identifier: MIT */
/* Functions for the library that is written in Lua. */
#include "lua/core.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <lauxlib.h>
#include <math.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lua/coroutines.h"
#include "lua/exec.h"
#include "lua/files.h"
#include "lua/module.h"
#include "lua/runner.h"
#include "lua/scope.h"
#include "lua/task.h"
#include "lua/tree.h"
#include "lua/value.h"
#include "lua/vm.h"

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

	if (vm_load(L, text, size, luaL_optstring(L, 2, "=(load)")) != LUA_OK) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	if (!lua_isnone(L, 3)) {
		lua_pushvalue(L, 3);
		lua_setupvalue(L, -2, 1);
	}
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

/* error and assert of workflows: what they raise is remembered, so that an error of the language (never retried) can
 * be told from one that the workflow means. */
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

/* fail(message [, meant]): with the place of the workflow's function that called into the library. `meant`: not a
 * mistake in the program. */
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

/* ending() → whether the task is being ended. */
static int core_ending(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	lua_pushboolean(L, fiber && fiber->scope->reason);
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

static int core_name_ok(lua_State *L)
{
	lua_pushboolean(L, name_check(luaL_checkstring(L, 1)) == 0);
	return 1;
}

static int core_is_this_host(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	lua_pushboolean(L, !strcmp(name, "local") || !strcmp(name, "localhost") || !strcmp(name, host));
	return 1;
}

static int core_getenv(lua_State *L)
{
	struct runner *runner = runner_of(L);
	const char *value = environment_get((const char *const *)runner->environment.strings, luaL_checkstring(L, 1));

	lua_pushstring(L, value);
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

	lua_createtable(L, 0, 5);
	lua_pushinteger(L, (lua_Integer)runner->id);
	lua_setfield(L, -2, "run");
	lua_pushstring(L, runner->stack);
	lua_setfield(L, -2, "stack");
	lua_pushstring(L, runner->file);
	lua_setfield(L, -2, "file");
	if (runner->token) {
		lua_pushinteger(L, (lua_Integer)runner->token);
		lua_setfield(L, -2, "token");
	}
	return 1;
}

static int core_memory(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)runner_of(L)->vm.used / 1024);
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

/* Waiting. */

struct nap {
	struct fiber *fiber;
	ev_timer timer;
	struct ev_loop *loop;
};

static void nap_free(void *work)
{
	struct nap *nap = work;

	ev_timer_stop(nap->loop, &nap->timer);
	free(nap);
}

static void nap_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct nap *nap = timer->data;

	fiber_wake(nap->fiber);
	nap_free(nap);
}

/* sleep(ms) */
static int core_sleep(lua_State *L)
{
	lua_Number ms = luaL_checknumber(L, 1);
	struct fiber *fiber = fiber_check(L, "sleep");
	struct nap *nap = calloc(1, sizeof(*nap));

	if (!nap)
		return luaL_error(L, "not enough memory");
	*nap = (struct nap){ .fiber = fiber, .loop = runner_of(L)->loop };
	ev_timer_init(&nap->timer, nap_over, ms > 0 ? ms / 1000 : 0, 0);
	nap->timer.data = nap;
	ev_now_update(nap->loop);
	ev_timer_start(nap->loop, &nap->timer);
	return fiber_park(L, "sleep", NULL, nap_free, nap);
}

/* Fibers that wait for each other: lib/goroutine.lua keeps what they hand over. The handle is the fiber's thread. */
static void waiters(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "sloth.waiters");
}

static void forget_waiter(void *work)
{
}

/* Ticket numbers name waits, so that a late wake-up of a fiber that waits for something else by now is no harm. */
static int core_park(lua_State *L)
{
	const char *what = luaL_checkstring(L, 1); /* a constant of the library: it outlives the wait */
	struct fiber *fiber = fiber_check(L, what);
	intptr_t ticket = (intptr_t)luaL_checkinteger(L, 2);

	waiters(L);
	lua_pushvalue(L, 2);
	lua_pushlightuserdata(L, fiber);
	lua_settable(L, -3);
	return fiber_park(L, what, NULL, forget_waiter, (void *)ticket);
}

static bool fiber_lives(struct runner *runner, const struct fiber *wanted)
{
	struct scope *scope;
	struct fiber *fiber;

	LIST_FOREACH (scope, &runner->scopes, link)
		TAILQ_FOREACH (fiber, &scope->fibers, link)
			if (fiber == wanted)
				return true;
	return false;
}

/* unpark(ticket): wakes who parked with it; false when nobody does (any more). */
static int core_unpark(lua_State *L)
{
	intptr_t ticket = (intptr_t)luaL_checkinteger(L, 1);
	struct fiber *fiber;

	lua_settop(L, 1);
	waiters(L);
	lua_pushvalue(L, 1);
	lua_gettable(L, -2);
	fiber = lua_touserdata(L, -1);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	lua_settable(L, 2);
	if (fiber && fiber_lives(runner_of(L), fiber) && fiber->withdraw == forget_waiter && fiber->work == (void *)ticket)
		fiber_wake(fiber);
	else
		fiber = NULL;
	lua_pushboolean(L, fiber != NULL);
	return 1;
}

/* spawn(function, …): a fiber in the scope of the one that runs. The function catches its own errors. */
static int core_spawn(lua_State *L)
{
	struct fiber *fiber = fiber_check(L, "goroutine.spawn");

	luaL_checktype(L, 1, LUA_TFUNCTION);
	if (!fiber_start(&runner_of(L)->sched, fiber->scope, L, lua_gettop(L) - 1, NULL, NULL))
		return luaL_error(L, "not enough memory");
	return 0;
}

/* blocked() → a list of what every fiber of the run waits for, or nil when some can still run. */
static int core_blocked(lua_State *L)
{
	struct scope *scope;
	struct fiber *fiber;
	lua_Integer n = 0;

	lua_newtable(L);
	LIST_FOREACH (scope, &runner_of(L)->scopes, link)
		TAILQ_FOREACH (fiber, &scope->fibers, link) {
			if (fiber == runner_of(L)->sched.current)
				continue;
			if (!fiber->waits_for || fiber->withdraw != forget_waiter)
				return 0;
			lua_pushfstring(L, "%s waits for %s", scope->task ? scope->task : "the workflow", fiber->waits_for);
			lua_rawseti(L, -2, ++n);
		}
	return 1;
}

/* Calls to the daemon. */

struct question {
	struct fiber *fiber;
	struct call *call;
	json_t *value;
	char *error, *text;
};

static void question_free(struct question *question)
{
	json_decref(question->value);
	free(question->error);
	free(question->text);
	free(question);
}

static void question_withdraw(void *work)
{
	struct question *question = work;

	link_forget(question->call);
	question_free(question);
}

static void question_answered(void *userdata, const struct answer *answer)
{
	struct question *question = userdata;

	question->value = json_incref(answer->value);
	question->error = answer->error ? strdup(answer->error) : NULL;
	question->text = answer->text ? strdup(answer->text) : NULL;
	fiber_wake(question->fiber);
}

/* The value; or nil, the sentence, the errno's name. */
static int question_collect(lua_State *L, void *work)
{
	struct question *question = work;
	int results = 1;

	if (question->error) {
		lua_pushnil(L);
		lua_pushstring(L, question->text ? question->text : question->error);
		lua_pushstring(L, question->error);
		results = 3;
	} else {
		value_push(L, question->value);
	}
	question_free(question);
	return results;
}

/* call(fn, args) */
static int core_call(lua_State *L)
{
	const char *fn = luaL_checkstring(L, 1), *error;
	struct fiber *fiber = fiber_check(L, fn);
	struct question *question;
	json_t *args;

	args = value_get(L, 2, &error);
	if (!args)
		return luaL_error(L, "%s: %s", fn, error);
	question = calloc(1, sizeof(*question));
	if (!question) {
		json_decref(args);
		return luaL_error(L, "not enough memory");
	}
	question->fiber = fiber;
	question->call = link_call(&runner_of(L)->link, fn, args, fiber->scope->task, question_answered, question);
	if (!question->call) {
		question_free(question);
		return luaL_error(L, "%s: can't be sent", fn);
	}
	return fiber_park(L, "the daemon's answer", question_collect, question_withdraw, question);
}

/* Commands. */

static void push_field(lua_State *L, const char *name, const struct buffer *text)
{
	lua_pushlstring(L, buffer_text(text), text->size);
	lua_setfield(L, -2, name);
}

static int exec_collect(lua_State *L, void *work)
{
	struct exec *exec = work;

	lua_createtable(L, 0, 8);
	push_field(L, "stdout", &exec->out.kept);
	push_field(L, "stderr", &exec->err.kept);
	lua_pushinteger(L, exec_exit_code(exec));
	lua_setfield(L, -2, "exit_code");
	if (WIFSIGNALED(exec->status)) {
		lua_pushinteger(L, WTERMSIG(exec->status));
		lua_setfield(L, -2, "signal");
	}
	lua_pushboolean(L, exec->timed_out);
	lua_setfield(L, -2, "timed_out");
	lua_pushboolean(L, exec->out.truncated || exec->err.truncated);
	lua_setfield(L, -2, "truncated");
	lua_pushnumber(L, ev_time() - exec->started);
	lua_setfield(L, -2, "duration");
	exec_free(exec);
	return 1;
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
	const char **list = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof(*list), 0);

	for (lua_Integer i = 0; i < count; i++) {
		lua_rawgeti(L, index, i + 1);
		list[i] = luaL_checkstring(L, -1); /* the list holds it */
		lua_pop(L, 1);
	}
	list[count] = NULL;
	return list;
}

static const char **list_field(lua_State *L, const char *name)
{
	lua_getfield(L, 1, name);
	return lua_istable(L, -1) ? string_list(L, lua_gettop(L)) : NULL;
}

/* exec{ command | arguments, workdir, env = list, stdin, timeout_ms, grace_ms, quiet, capture } → the raw result */
static int core_exec(lua_State *L)
{
	struct fiber *fiber = fiber_check(L, "exec.run");
	struct command command = { 0 };
	struct fault fault = { 0 };
	struct exec *exec;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	command.text = string_field(L, "command", NULL);
	command.arguments = (char *const *)list_field(L, "arguments");
	command.workdir = string_field(L, "workdir", NULL);
	command.env = list_field(L, "env");
	command.input = string_field(L, "stdin", &command.input_size);
	lua_getfield(L, 1, "timeout_ms");
	command.timeout_ms = lua_tointeger(L, -1);
	lua_getfield(L, 1, "grace_ms");
	command.grace_ms = luaL_optinteger(L, -1, 10000);
	lua_getfield(L, 1, "quiet");
	command.quiet = lua_toboolean(L, -1);
	lua_getfield(L, 1, "capture");
	command.capture = lua_toboolean(L, -1);
	if (!command.workdir)
		command.workdir = fiber->scope->workdir;
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

/* Files. */

static int core_make_directories(lua_State *L)
{
	struct fault fault = { 0 };

	if (tree_make(luaL_checkstring(L, 1), 0777, &fault) < 0)
		return luaL_error(L, "%s", fault.text);
	return 0;
}

static int core_remove_tree(lua_State *L)
{
	struct fault fault = { 0 };

	if (tree_remove(luaL_checkstring(L, 1), &fault) < 0)
		return luaL_error(L, "%s", fault.text);
	return 0;
}

static int core_exists(lua_State *L)
{
	lua_pushboolean(L, access(luaL_checkstring(L, 1), F_OK) == 0);
	return 1;
}

/* What file_ops is made of: true, or nil and a message. */

static int done_or(lua_State *L, const char *path, int r)
{
	if (r == 0) {
		lua_pushboolean(L, true);
		return 1;
	}
	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", path, strerror(errno));
	return 2;
}

/* path(p): an absolute one */
static int core_path(lua_State *L)
{
	lua_pushstring(L, files_path(L, 1));
	return 1;
}

static int core_chmod(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	return done_or(L, path, chmod(path, (mode_t)luaL_checkinteger(L, 2)));
}

/* owner(name or number, name or number) → uid, gid (-1: keep), or nil and a message */
static int core_owner(lua_State *L)
{
	struct passwd *user = lua_type(L, 1) == LUA_TSTRING ? getpwnam(lua_tostring(L, 1)) : NULL;
	struct group *group = lua_type(L, 2) == LUA_TSTRING ? getgrnam(lua_tostring(L, 2)) : NULL;

	for (int i = 1; i <= 2; i++) {
		if (lua_type(L, i) != LUA_TSTRING || (i == 1 ? user != NULL : group != NULL))
			continue;
		lua_pushnil(L);
		lua_pushfstring(L, "there is no %s '%s'", i == 1 ? "user" : "group", lua_tostring(L, i));
		return 2;
	}
	lua_pushinteger(L, user ? (lua_Integer)user->pw_uid : luaL_optinteger(L, 1, -1));
	lua_pushinteger(L, group ? (lua_Integer)group->gr_gid : luaL_optinteger(L, 2, -1));
	return 2;
}

static int core_chown(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	return done_or(L, path, lchown(path, (uid_t)luaL_checkinteger(L, 2), (gid_t)luaL_checkinteger(L, 3)));
}

static int core_symlink(lua_State *L)
{
	return done_or(L, luaL_checkstring(L, 2), symlink(luaL_checkstring(L, 1), lua_tostring(L, 2)));
}

static int core_readlink(lua_State *L)
{
	char target[4096];
	ssize_t n = readlink(luaL_checkstring(L, 1), target, sizeof(target));

	if (n < 0)
		return 0;
	lua_pushlstring(L, target, (size_t)n);
	return 1;
}

static int core_files_equal(lua_State *L)
{
	lua_pushboolean(L, files_equal(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
	return 1;
}

/* replace(path, content): by a rename, so that nobody sees a half of it; mode and owner stay as far as we may. */
static int core_replace(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	const char *spare = lua_pushfstring(L, "%s.sloth-%d", path, (int)getpid());
	size_t size;
	const char *content = luaL_checklstring(L, 2, &size);
	struct stat st;
	bool there = stat(path, &st) == 0;
	int r = files_write(spare, content, size, O_EXCL, there ? st.st_mode & 07777 : 0666);

	if (r == 0 && there && chown(spare, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		r = -errno;
	if (r == 0 && there && chmod(spare, st.st_mode & 07777) < 0)
		r = -errno;
	if (r == 0 && rename(spare, path) < 0)
		r = -errno;
	if (r < 0 && r != -EEXIST)
		unlink(spare);
	errno = -r;
	return done_or(L, path, r);
}

static const luaL_Reg functions[] = {
	{ "acts", core_acts },
	{ "assert", core_assert },
	{ "blocked", core_blocked },
	{ "call", core_call },
	{ "chmod", core_chmod },
	{ "chown", core_chown },
	{ "described", core_described },
	{ "duration", core_duration },
	{ "ending", core_ending },
	{ "error", core_error },
	{ "exec", core_exec },
	{ "exists", core_exists },
	{ "fail", core_fail },
	{ "files_equal", core_files_equal },
	{ "getenv", core_getenv },
	{ "is_this_host", core_is_this_host },
	{ "library", core_library },
	{ "load", core_load },
	{ "log", core_log },
	{ "log_room", core_log_room },
	{ "make_directories", core_make_directories },
	{ "mark_list", core_mark_list },
	{ "memory", core_memory },
	{ "name_ok", core_name_ok },
	{ "nearest", core_nearest },
	{ "now", core_now },
	{ "outcome", task_outcome },
	{ "owner", core_owner },
	{ "park", core_park },
	{ "path", core_path },
	{ "protect_strings", core_protect_strings },
	{ "remove_tree", core_remove_tree },
	{ "readlink", core_readlink },
	{ "replace", core_replace },
	{ "run", core_run },
	{ "sleep", core_sleep },
	{ "spawn", core_spawn },
	{ "symlink", core_symlink },
	{ "task", core_task },
	{ "traceback", core_traceback },
	{ "unpark", core_unpark },
	{ "was_raised", core_was_raised },
	{ "where", core_where },
	{ NULL, NULL },
};

void core_push(lua_State *L)
{
	if (lua_getfield(L, LUA_REGISTRYINDEX, "sloth.core") == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	coroutines_push(L);
	lua_setfield(L, -2, "coroutine");
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, "sloth.core");
}
