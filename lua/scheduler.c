/* SPDX-License-Identifier: MIT */
/* Coroutines on the event loop. */
#include "lua/scheduler.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "lua/runner.h"
#include "lua/scope.h"

enum {
	SLICE_USEC = 100000, /* of processor time, then the loop turns once */
	ROUND = 256,	     /* fibers that run in one turn of the loop */
};

/* What the signal handler looks at: the thread that runs Lua just now. */
static lua_State *volatile running;

/* Called in the place of the next instruction. A thread that can't yield here (inside a comparator of
 * table.sort) goes on, unless its scope is over; then the error repeats until it has left every pcall. */
static void slice_over(lua_State *L, lua_Debug *ar)
{
	struct sched *sched = &runner_of(L)->sched;
	struct fiber *fiber = sched->current;

	if (!fiber) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	if (lua_isyieldable(L)) {
		lua_sethook(L, NULL, 0, 0);
		if (fiber->scope->reason && !fiber->told) {
			fiber->told = true;
			luaL_error(L, "%s", fiber->scope->reason);
		}
		fiber->parked = L;
		fiber->waiting = true;
		sched->busy = fiber;
		lua_yield(L, 0);
		return;
	}
	if (fiber->scope->reason)
		luaL_error(L, "%s", fiber->scope->reason);
	lua_sethook(L, NULL, 0, 0);
}

static void on_slice(int signal)
{
	lua_State *L = running;

	/* lua_sethook() is the one function of Lua that a signal handler may call. */
	if (L)
		lua_sethook(L, slice_over, LUA_MASKCOUNT, 1);
}

static int slices_start(void)
{
	struct itimerval interval = { .it_interval.tv_usec = SLICE_USEC, .it_value.tv_usec = SLICE_USEC };
	struct sigaction action = { .sa_handler = on_slice, .sa_flags = SA_RESTART };

	if (sigaction(SIGPROF, &action, NULL) < 0 || setitimer(ITIMER_PROF, &interval, NULL) < 0)
		return -errno;
	return 0;
}

static void fiber_free(struct fiber *fiber)
{
	struct sched *sched = fiber->sched;

	if (fiber->ready)
		TAILQ_REMOVE(&sched->ready, fiber, ready_link);
	if (sched->busy == fiber)
		sched->busy = NULL;
	TAILQ_REMOVE(&fiber->scope->fibers, fiber, link);
	luaL_unref(sched->L, LUA_REGISTRYINDEX, fiber->reference);
	free(fiber);
}

static void fiber_finish(struct fiber *fiber, int status, int results)
{
	struct scope *scope = fiber->scope;

	fiber->sched->current = NULL;
	if (fiber->done)
		fiber->done(fiber, fiber->L, status, results, fiber->userdata);
	if (status != LUA_OK)
		lua_resetthread(fiber->L);
	fiber_free(fiber);
	scope_check(scope);
}

static void fiber_run(struct fiber *fiber)
{
	struct sched *sched = fiber->sched;
	int status, arguments = fiber->arguments, results = 0;

	sched->current = fiber;
	fiber->waiting = false;
	fiber->arguments = 0;
	running = fiber->L;
	status = lua_resume(fiber->L, NULL, arguments, &results);
	running = NULL;
	if (status != LUA_YIELD) {
		fiber_finish(fiber, status, results);
		return;
	}
	sched->current = NULL;
}

bool sched_run(struct sched *sched)
{
	struct fiber *fiber;

	if ((fiber = sched->busy)) {
		sched->busy = NULL;
		fiber_run(fiber);
	}
	/* A bound, because fibers can wake each other for ever. */
	for (int i = 0; i < ROUND && !sched->busy && (fiber = TAILQ_FIRST(&sched->ready)); i++) {
		TAILQ_REMOVE(&sched->ready, fiber, ready_link);
		fiber->ready = false;
		fiber_run(fiber);
	}
	return sched->busy || !TAILQ_EMPTY(&sched->ready);
}

int sched_init(struct sched *sched, struct ev_loop *loop, lua_State *L)
{
	*sched = (struct sched){ .loop = loop, .L = L };
	TAILQ_INIT(&sched->ready);
	return slices_start();
}

void sched_done(struct sched *sched)
{
	struct itimerval never = { 0 };

	if (sched->loop)
		setitimer(ITIMER_PROF, &never, NULL);
}

static void fiber_ready(struct fiber *fiber)
{
	fiber->ready = true;
	TAILQ_INSERT_TAIL(&fiber->sched->ready, fiber, ready_link);
}

struct fiber *fiber_start(struct sched *sched, struct scope *scope, lua_State *L, int arguments,
	fiber_done done, void *userdata)
{
	struct fiber *fiber = calloc(1, sizeof(*fiber));

	if (!fiber) {
		lua_pop(L, arguments + 1);
		return NULL;
	}
	*fiber = (struct fiber){
		.sched = sched, .scope = scope, .arguments = arguments, .done = done, .userdata = userdata
	};
	fiber->L = lua_newthread(L);
	fiber->reference = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_xmove(L, fiber->L, arguments + 1);
	TAILQ_INSERT_TAIL(&scope->fibers, fiber, link);
	fiber_ready(fiber);
	return fiber;
}

struct fiber *fiber_check(lua_State *L, const char *function)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	if (!fiber)
		vm_error(L,
			"%s has to wait, and can't while the workflow is loaded: call it in a task's command",
			function);
	if (!lua_isyieldable(L))
		vm_error(L,
			"%s has to wait, and can't inside a comparator, a pattern's callback or a finalizer",
			function);
	if (fiber->scope->reason) {
		lua_pushstring(L, fiber->scope->reason);
		lua_error(L);
	}
	return fiber;
}

static int fiber_resumed(lua_State *L, int status, lua_KContext context)
{
	struct fiber *fiber = runner_of(L)->sched.current;
	const char *reason = fiber->interrupt;

	/* A coroutine that waits may be resumed by its own fiber only: what it waits for is kept there. */
	if (fiber->parked != L)
		return luaL_error(
			L, "this coroutine waits in another task or goroutine, and can't be resumed here");
	fiber->parked = NULL;
	fiber->interrupt = NULL;
	if (reason) {
		lua_pushstring(L, reason);
		return lua_error(L);
	}
	return fiber->collect ? fiber->collect(L, fiber->work) : 0;
}

int fiber_park(lua_State *L, const char *waits_for, int (*collect)(lua_State *L, void *work),
	void (*withdraw)(void *work), void *work)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	fiber->parked = L;
	fiber->waiting = true;
	fiber->waits_for = waits_for;
	fiber->collect = collect;
	fiber->withdraw = withdraw;
	fiber->work = work;
	return lua_yieldk(L, 0, 0, fiber_resumed);
}

void fiber_wake(struct fiber *fiber)
{
	fiber->waits_for = NULL;
	fiber->withdraw = NULL;
	fiber_ready(fiber);
}

void fiber_interrupt(struct fiber *fiber, const char *reason)
{
	if (!fiber->waits_for)
		return; /* it runs, or will: the next fiber_check() raises */
	if (fiber->withdraw)
		fiber->withdraw(fiber->work);
	fiber->interrupt = reason;
	fiber_wake(fiber);
}

void fiber_kill(struct fiber *fiber)
{
	if (fiber->waits_for && fiber->withdraw)
		fiber->withdraw(fiber->work);
	lua_resetthread(fiber->L);
	fiber_free(fiber);
}

/* The continuation of coroutine.resume: `context` is the function that ends it. The coroutine is at index 1.
 */
static int resume_continue(lua_State *L, int status, lua_KContext context)
{
	return sched_resume(L, lua_tothread(L, 1), 0, (int (*)(lua_State *, int, int))context);
}

int sched_resume(
	lua_State *L, lua_State *co, int arguments, int (*finish)(lua_State *L, int status, int results))
{
	struct fiber *fiber = runner_of(L)->sched.current;
	lua_State *before = running;
	int status, results = 0;

	running = before ? co : NULL;
	status = lua_resume(co, L, arguments, &results);
	running = before;
	if (status == LUA_YIELD && fiber && fiber->waiting) {
		/* It waits for the loop: so do we, and everybody above. */
		lua_pop(co, results);
		return lua_yieldk(L, 0, (lua_KContext)finish, resume_continue);
	}
	if (status != LUA_OK && status != LUA_YIELD)
		results = 1;
	if (!lua_checkstack(L, results + 2)) {
		lua_pop(co, results);
		return luaL_error(L, "too many results to resume");
	}
	lua_xmove(co, L, results);
	return finish(L, status, results);
}
