/* SPDX-License-Identifier: MIT */
/* Whose turn it is, and how those that compute for long are interrupted. */
#include "lua/scheduler.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/text.h"
#include "lua/runner.h"
#include "lua/scope.h"

enum {
	SLICE_USEC = 100000, /* of processor time, then the loop turns once */
	ROUND = 256,	     /* fibers that run in one turn of the loop */
};

/* What the signal handler looks at: the thread that runs Lua just now. */
static lua_State *volatile running;

static const char *reason_of(const struct fiber *fiber)
{
	return fiber->scope->reason ? fiber->scope->reason : fiber->ends;
}

/* Frames, timeouts and a cancel arrive; nothing of Lua goes on but this. */
static void turn_inside(struct sched *sched)
{
	sched->nested = true;
	ev_run(sched->loop, EVRUN_NOWAIT);
	sched->nested = false;
}

/* Why the computing is to stop now. A goroutine that was cancelled has a slice to come to its waiting point,
 * for what it was given while it was cancelled; then it has to leave every pcall, too. A task has its grace.
 */
static const char *stop_reason(lua_State *L, struct fiber *fiber)
{
	const char *reason = fiber->scope->reason;
	bool stubborn = !reason && fiber->ends && fiber->told > 1;

	if (!stubborn)
		lua_sethook(L, NULL, 0, 0);
	if (!reason)
		return fiber->ends && fiber->told++ ? fiber->ends : NULL;
	return fiber->told++ ? NULL : reason;
}

static void yield_slice(lua_State *L, struct fiber *fiber)
{
	const char *reason = stop_reason(L, fiber);

	if (reason)
		luaL_error(L, "%s", reason);
	fiber->parked = L;
	fiber->waiting = true;
	fiber->sched->busy = fiber;
	lua_yield(L, 0);
}

/* The hook stays, so that the error repeats until it has left every pcall; handlers of errors run without. */
static void check_loading(lua_State *L, const struct sched *sched)
{
	if (sched->loading_until && ev_time() >= sched->loading_until)
		vm_error(L,
			"the workflow is still being loaded after %s: what is computed here has to come to "
			"an end, "
			"or to be done by a task",
			sched->loading_limit);
	lua_sethook(L, NULL, 0, 0);
}

void sched_loading(struct sched *sched, int64_t limit_ms)
{
	sched->loading_until = limit_ms ? ev_time() + (ev_tstamp)limit_ms / 1000 : 0;
	duration_format(limit_ms, sched->loading_limit);
	running = limit_ms ? sched->L : NULL;
	if (!limit_ms)
		lua_sethook(sched->L, NULL, 0, 0);
}

/* Called in the place of the next instruction. A thread that can't yield here (inside a comparator of
 * table.sort) goes on, unless its scope is over; then the error repeats until it has left every pcall. */
static void slice_over(lua_State *L, lua_Debug *ar)
{
	struct sched *sched = &runner_of(L)->sched;
	struct fiber *fiber = sched->current;

	if (!fiber) {
		check_loading(L, sched);
		return;
	}
	if (lua_isyieldable(L) && !sched->pinned) {
		yield_slice(L, fiber);
		return;
	}
	if (!reason_of(fiber) && !sched->nested)
		turn_inside(sched);
	if (reason_of(fiber))
		luaL_error(L, "%s", reason_of(fiber));
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

int sched_init(struct sched *sched, struct ev_loop *loop, lua_State *L)
{
	*sched = (struct sched){ .loop = loop, .L = L };
	TAILQ_INIT(&sched->ready);
	TAILQ_INIT(&sched->idle);
	return slices_start();
}

void sched_done(struct sched *sched)
{
	struct itimerval never = { 0 };
	struct fiber *fiber;

	if (!sched->loop)
		return;
	setitimer(ITIMER_PROF, &never, NULL);
	while ((fiber = TAILQ_FIRST(&sched->idle))) {
		TAILQ_REMOVE(&sched->idle, fiber, link);
		free(fiber);
	}
	free(sched->slots);
	free(sched->vacant);
	free(sched->deadlock);
}

/* What a thread closes on its way out (__close) runs as its fiber, and is interrupted like it. The thread is
 * not used again: an error that was raised in a hook leaves it without hooks. */
void sched_reset_thread(struct fiber *fiber)
{
	struct sched *sched = fiber->sched;
	struct fiber *before = sched->current;
	lua_State *was_running = running;

	sched->current = fiber;
	running = fiber->L;
	lua_resetthread(fiber->L);
	running = was_running;
	sched->current = before;
	fiber->spent = true;
}

static void fiber_run(struct fiber *fiber)
{
	int status, arguments = fiber->arguments, results = 0;

	fiber->sched->current = fiber;
	fiber->waiting = false;
	fiber->arguments = 0;
	running = fiber->L;
	status = lua_resume(fiber->L, NULL, arguments, &results);
	running = NULL;
	fiber->sched->current = NULL;
	if (status != LUA_YIELD)
		fiber_finish(fiber, status, results);
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

/* The continuation of coroutine.resume: `context` is the function that ends it. The coroutine is at index 1.
 */
static int resume_continue(lua_State *L, int status, lua_KContext context)
{
	thread_waits(L, false);
	return sched_resume(L, lua_tothread(L, 1), 0, (int (*)(lua_State *, int, int))context);
}

int sched_resume(
	lua_State *L, lua_State *co, int arguments, int (*finish)(lua_State *L, int status, int results))
{
	struct sched *sched = &runner_of(L)->sched;
	struct fiber *fiber = sched->current;
	lua_State *before = running;
	unsigned pin = !lua_isyieldable(L);
	int status, results = 0;

	running = before ? co : NULL;
	sched->pinned += pin;
	status = lua_resume(co, L, arguments, &results);
	sched->pinned -= pin;
	running = before;
	if (status == LUA_YIELD && fiber && fiber->waiting) {
		/* It waits for the loop: so do we, and everybody above. */
		lua_pop(co, results);
		thread_waits(L, true);
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
