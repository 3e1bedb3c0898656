/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: calls to the daemon. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "lua/core.h"
#include "lua/runner.h"
#include "lua/scope.h"
#include "lua/value.h"

struct question {
	struct fiber *fiber;
	struct call *call;
	json_t *value;
	char *error, *text;
	struct buffer bytes;
};

static void question_free(struct question *question)
{
	json_decref(question->value);
	free(question->error);
	free(question->text);
	buffer_done(&question->bytes);
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
	question->bytes = *answer->bytes;
	*answer->bytes = (struct buffer){ 0 };
	fiber_wake(question->fiber);
}

/* The value, or the bytes that it stands for; or nil, the sentence, the errno's name. */
static int question_collect(lua_State *L, void *work)
{
	struct question *question = work;
	int results = 1;

	if (question->error) {
		lua_pushnil(L);
		lua_pushstring(L, question->text ? question->text : question->error);
		lua_pushstring(L, question->error);
		results = 3;
	} else if (question->bytes.size) {
		lua_pushlstring(L, question->bytes.data, question->bytes.size);
	} else {
		value_push(L, question->value);
	}
	question_free(question);
	return results;
}

/* Who looks for drift has nobody to ask: it is no run. */
static void check_daemon(lua_State *L, const char *fn)
{
	if (runner_of(L)->detect)
		vm_error(L, "%s asks the daemon, and can't while drift is looked for", fn);
}

/* call(fn, args) */
static int core_call(lua_State *L)
{
	const char *fn = luaL_checkstring(L, 1), *error;
	struct fiber *fiber = fiber_check(L, fn);
	struct question *question;
	json_t *args;

	check_daemon(L, fn);
	args = value_get(L, 2, &error);
	if (!args)
		return luaL_error(L, "%s: %s", fn, error);
	question = calloc(1, sizeof(*question));
	if (!question) {
		json_decref(args);
		return luaL_error(L, "not enough memory");
	}
	question->fiber = fiber;
	question->call =
		link_call(&runner_of(L)->link, fn, args, fiber->scope->task, question_answered, question);
	if (!question->call) {
		question_free(question);
		return luaL_error(L, "%s: can't be sent: at most 4 MiB go to the daemon at once", fn);
	}
	return fiber_park(L, "the daemon's answer", question_collect, question_withdraw, question);
}

static void nobody_asked(void *userdata, const struct answer *answer)
{
}

/* tell(fn, args): a call whose answer nobody waits for; also from where nothing can wait, a __close of a
 * fiber that is cancelled. */
static int core_tell(lua_State *L)
{
	const char *fn = luaL_checkstring(L, 1), *error;
	struct runner *runner = runner_of(L);
	struct fiber *fiber = runner->sched.current;
	struct call *call;
	json_t *args;

	check_daemon(L, fn);
	args = value_get(L, 2, &error);
	if (!args)
		return luaL_error(L, "%s: %s", fn, error);
	call = link_call(&runner->link, fn, args, fiber ? fiber->scope->task : NULL, nobody_asked, NULL);
	if (call)
		link_forget(call);
	return 0;
}

/* The scope that has reports; NULL: here nobody would wait for them. */
static struct scope *reporting(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	return fiber && fiber->scope->reports.taken && fiber_may_wait(L) ? fiber->scope : NULL;
}

/* report(fn, args, about) → true: it is told (report.h); false: it has to be asked as any other */
static int core_report(lua_State *L)
{
	const char *fn = luaL_checkstring(L, 1), *error;
	struct scope *scope = reporting(L);
	json_t *args;

	lua_settop(L, 3);
	check_daemon(L, fn);
	args = scope ? value_get(L, 2, &error) : NULL;
	if (scope && !args)
		return luaL_error(L, "%s: %s", fn, error);
	if (!scope || report_send(scope, fn, args, luaL_checkstring(L, 3)) < 0) {
		lua_pushboolean(L, false);
		return 1;
	}
	return report_wait_room(L, scope);
}

/* reported() → why what was reported could not be done, when all of it is answered; nil: it was */
static int core_reported(lua_State *L)
{
	struct scope *scope = reporting(L);

	return scope ? report_wait_end(L, scope) : 0;
}

const luaL_Reg core_calls[] = {
	{ "call", core_call },
	{ "report", core_report },
	{ "reported", core_reported },
	{ "tell", core_tell },
	{ NULL, NULL },
};
