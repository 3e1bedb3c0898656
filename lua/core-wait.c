/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: waiting, for time, for other fibers, for the daemon. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "lua/core.h"
#include "lua/runner.h"
#include "lua/scope.h"
#include "lua/value.h"

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

/* Fibers that wait for each other: lib/goroutine.lua keeps what they hand over. The handle is the fiber's
 * thread. */
static void waiters(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "sloth.waiters");
}

static void forget_waiter(void *work)
{
}

/* Ticket numbers name waits, so that a late wake-up of a fiber that waits for something else by now is no
 * harm. */
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
	if (fiber && fiber_lives(runner_of(L), fiber) && fiber->withdraw == forget_waiter &&
		fiber->work == (void *)ticket)
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
			lua_pushfstring(L, "%s waits for %s", scope->task ? scope->task : "the workflow",
				fiber->waits_for);
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
	question->call =
		link_call(&runner_of(L)->link, fn, args, fiber->scope->task, question_answered, question);
	if (!question->call) {
		question_free(question);
		return luaL_error(L, "%s: can't be sent", fn);
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

	args = value_get(L, 2, &error);
	if (!args)
		return luaL_error(L, "%s: %s", fn, error);
	call = link_call(&runner->link, fn, args, fiber ? fiber->scope->task : NULL, nobody_asked, NULL);
	if (call)
		link_forget(call);
	return 0;
}

const luaL_Reg core_wait[] = {
	{ "blocked", core_blocked },
	{ "call", core_call },
	{ "park", core_park },
	{ "sleep", core_sleep },
	{ "spawn", core_spawn },
	{ "tell", core_tell },
	{ "unpark", core_unpark },
	{ NULL, NULL },
};
