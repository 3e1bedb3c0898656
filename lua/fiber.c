/* SPDX-License-Identifier: MIT */
/* One fiber: start, waits, end. */
#include <lauxlib.h>
#include <stdlib.h>

#include "lua/runner.h"
#include "lua/scheduler.h"
#include "lua/scope.h"

enum {
	SLOT_BITS = 20, /* so many fibers at once; the rest of a number counts */
	IDLE_MAX = 512, /* kept for later */
};
static const uint32_t SLOT_MASK = (1U << SLOT_BITS) - 1;

/* Slots. */

static bool slots_grow(struct sched *sched)
{
	size_t room = sched->slot_room ? 2 * sched->slot_room : 64;
	struct fiber **slots;
	uint32_t *vacant;

	if (room > SLOT_MASK + (size_t)1)
		return false;
	slots = realloc(sched->slots, room * sizeof(struct fiber *));
	if (!slots)
		return false;
	sched->slots = slots;
	vacant = realloc(sched->vacant, room * sizeof(*vacant));
	if (!vacant)
		return false;
	sched->vacant = vacant;
	sched->slot_room = room;
	return true;
}

static bool slot_take(struct fiber *fiber)
{
	struct sched *sched = fiber->sched;

	if (sched->vacant_count)
		fiber->slot = sched->vacant[--sched->vacant_count];
	else if (sched->slot_count < sched->slot_room || slots_grow(sched))
		fiber->slot = (uint32_t)sched->slot_count++;
	else
		return false;
	sched->slots[fiber->slot] = fiber;
	return true;
}

static int64_t next_number(struct sched *sched, uint32_t slot)
{
	return ++sched->sequence << SLOT_BITS | slot;
}

static struct fiber *slot_fiber(const struct sched *sched, int64_t number)
{
	size_t slot = (size_t)(number & SLOT_MASK);

	return slot < sched->slot_count ? sched->slots[slot] : NULL;
}

struct fiber *fiber_find(const struct sched *sched, int64_t id)
{
	struct fiber *fiber = slot_fiber(sched, id);

	return fiber && fiber->id == id ? fiber : NULL;
}

/* Life. */

static void alarm_rings(struct ev_loop *loop, ev_timer *timer, int revents)
{
	fiber_wake(timer->data);
}

static void limit_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct fiber *fiber = timer->data;

	fiber_cancel(fiber, fiber->limit_reason);
}

static struct fiber *fiber_make(struct sched *sched, lua_State *L)
{
	struct fiber *fiber;
	lua_State *thread;
	int reference;

	luaL_checkstack(L, 4, "too many arguments");
	thread = lua_newthread(L);
	*(uintptr_t *)lua_getextraspace(thread) |= FIBER_THREAD;
	reference = luaL_ref(L, LUA_REGISTRYINDEX);
	fiber = calloc(1, sizeof(*fiber));
	if (fiber) {
		fiber->sched = sched;
		fiber->L = thread;
		fiber->reference = reference;
		ev_init(&fiber->alarm, alarm_rings);
		ev_init(&fiber->limit, limit_over);
		fiber->alarm.data = fiber->limit.data = fiber;
	}
	if (!fiber || !slot_take(fiber)) {
		luaL_unref(L, LUA_REGISTRYINDEX, reference);
		free(fiber);
		return NULL;
	}
	return fiber;
}

static struct fiber *fiber_new(struct sched *sched, lua_State *L)
{
	struct fiber *fiber = TAILQ_FIRST(&sched->idle);

	if (!fiber)
		return fiber_make(sched, L);
	TAILQ_REMOVE(&sched->idle, fiber, link);
	sched->idle_count--;
	return fiber;
}

/* Its thread has nothing on its stack any more. */
static void fiber_keep(struct fiber *fiber)
{
	fiber->ends = fiber->interrupt = fiber->waits_for = NULL;
	fiber->waiting = false;
	fiber->told = 0;
	fiber->parked = NULL;
	TAILQ_INSERT_HEAD(&fiber->sched->idle, fiber, link);
	fiber->sched->idle_count++;
}

static void fiber_unblock(struct fiber *fiber)
{
	if (fiber->blocked)
		fiber->sched->blocked_count--;
	fiber->blocked = false;
	fiber->wait = 0;
}

static void fiber_free(struct fiber *fiber)
{
	struct sched *sched = fiber->sched;

	if (fiber->ready)
		TAILQ_REMOVE(&sched->ready, fiber, ready_link);
	fiber->ready = false;
	if (sched->busy == fiber)
		sched->busy = NULL;
	fiber_unblock(fiber);
	ev_timer_stop(sched->loop, &fiber->alarm);
	ev_timer_stop(sched->loop, &fiber->limit);
	TAILQ_REMOVE(&fiber->scope->fibers, fiber, link);
	sched->count--;
	fiber->id = 0;
	if (!fiber->spent && sched->idle_count < IDLE_MAX) {
		fiber_keep(fiber);
		return;
	}
	sched->slots[fiber->slot] = NULL;
	sched->vacant[sched->vacant_count++] = fiber->slot;
	luaL_unref(sched->L, LUA_REGISTRYINDEX, fiber->reference);
	free(fiber);
}

void fiber_finish(struct fiber *fiber, int status, int results)
{
	struct scope *scope = fiber->scope;

	if (fiber->done)
		fiber->done(fiber, fiber->L, status, results, fiber->userdata);
	if (status != LUA_OK)
		sched_reset_thread(fiber);
	else
		lua_settop(fiber->L, 0);
	fiber_free(fiber);
	scope_check(scope);
}

static void fiber_ready(struct fiber *fiber)
{
	fiber->ready = true;
	TAILQ_INSERT_TAIL(&fiber->sched->ready, fiber, ready_link);
}

struct fiber *fiber_start(struct sched *sched, struct scope *scope, lua_State *L, int arguments,
	fiber_done done, void *userdata)
{
	struct fiber *fiber = fiber_new(sched, L);

	if (fiber && !lua_checkstack(fiber->L, arguments + LUA_MINSTACK)) {
		fiber_keep(fiber);
		fiber = NULL;
	}
	if (!fiber) {
		lua_pop(L, arguments + 1);
		return NULL;
	}
	fiber->scope = scope;
	fiber->arguments = arguments;
	fiber->done = done;
	fiber->userdata = userdata;
	fiber->id = next_number(sched, fiber->slot);
	sched->count++;
	lua_xmove(L, fiber->L, arguments + 1);
	TAILQ_INSERT_TAIL(&scope->fibers, fiber, link);
	fiber_ready(fiber);
	return fiber;
}

void fiber_kill(struct fiber *fiber)
{
	if (fiber == fiber->sched->current) {
		fiber_cancel(fiber, "the task was killed");
		return;
	}
	if (fiber->waits_for && fiber->withdraw)
		fiber->withdraw(fiber->work);
	fiber->waits_for = NULL;
	fiber->withdraw = NULL;
	sched_reset_thread(fiber);
	fiber_free(fiber);
}

bool fiber_owns(lua_State *L)
{
	return *(uintptr_t *)lua_getextraspace(L) & FIBER_THREAD;
}

bool thread_is_waiting(lua_State *L)
{
	return *(uintptr_t *)lua_getextraspace(L) & WAITING_THREAD;
}

/* Waits. */

struct fiber *fiber_check(lua_State *L, const char *function)
{
	struct sched *sched = &runner_of(L)->sched;
	struct fiber *fiber = sched->current;

	if (!fiber)
		vm_error(L,
			"%s has to wait, and can't while the workflow is loaded: call it in a task's command",
			function);
	if (!lua_isyieldable(L) || sched->pinned)
		vm_error(L,
			"%s has to wait, and can't inside a comparator, a pattern's callback or a finalizer",
			function);
	if (fiber->scope->reason || fiber->ends) {
		lua_pushstring(L, fiber->scope->reason ? fiber->scope->reason : fiber->ends);
		lua_error(L);
	}
	return fiber;
}

bool fiber_may_wait(lua_State *L)
{
	const struct sched *sched = &runner_of(L)->sched;

	return sched->current && lua_isyieldable(L) && !sched->pinned && !sched->current->scope->reason;
}

/* A coroutine that waits may be resumed by its own fiber only: what it waits for is kept there. */
void thread_waits(lua_State *L, bool waits)
{
	uintptr_t *word = lua_getextraspace(L);

	*word = waits && !fiber_owns(L) ? *word | WAITING_THREAD : *word & ~(uintptr_t)WAITING_THREAD;
}

static int fiber_resumed(lua_State *L, int status, lua_KContext context)
{
	struct fiber *fiber = runner_of(L)->sched.current;
	const char *reason = fiber->interrupt;

	thread_waits(L, false);
	fiber->parked = NULL;
	fiber->interrupt = NULL;
	if (reason) {
		lua_pushstring(L, reason);
		return lua_error(L);
	}
	return fiber->collect ? fiber->collect(L, fiber->work) : fiber->passed;
}

int fiber_park(lua_State *L, const char *waits_for, int (*collect)(lua_State *L, void *work),
	void (*withdraw)(void *work), void *work)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	thread_waits(L, true);
	fiber->parked = L;
	fiber->waiting = true;
	fiber->waits_for = waits_for;
	fiber->passed = 0;
	fiber->collect = collect;
	fiber->withdraw = withdraw;
	fiber->work = work;
	return lua_yieldk(L, 0, 0, fiber_resumed);
}

int64_t fiber_announce(struct fiber *fiber)
{
	return fiber->wait = next_number(fiber->sched, fiber->slot);
}

int fiber_block(lua_State *L, const char *waits_for, double ms)
{
	struct sched *sched = &runner_of(L)->sched;
	struct fiber *fiber = sched->current;

	if (ms >= 0) {
		ev_now_update(sched->loop);
		ev_timer_set(&fiber->alarm, ms / 1000, 0);
		ev_timer_start(sched->loop, &fiber->alarm);
	} else {
		fiber->blocked = true;
		sched->blocked_count++;
	}
	return fiber_park(L, waits_for, NULL, NULL, NULL);
}

bool fiber_waits(const struct sched *sched, int64_t wait)
{
	struct fiber *fiber = slot_fiber(sched, wait);

	return fiber && fiber->wait == wait;
}

bool fiber_pass(struct sched *sched, lua_State *L, int64_t wait, int count)
{
	struct fiber *fiber = slot_fiber(sched, wait);

	if (!fiber || fiber->wait != wait || !fiber->waits_for || !lua_checkstack(fiber->parked, count))
		return false;
	lua_xmove(L, fiber->parked, count);
	fiber->passed = count;
	fiber_wake(fiber);
	return true;
}

void fiber_wake(struct fiber *fiber)
{
	fiber->waits_for = NULL;
	fiber->withdraw = NULL;
	fiber_unblock(fiber);
	ev_timer_stop(fiber->sched->loop, &fiber->alarm);
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

void fiber_cancel(struct fiber *fiber, const char *reason)
{
	if (!fiber->ends)
		fiber->ends = reason;
	fiber_interrupt(fiber, fiber->ends);
}

void fiber_limit(struct fiber *fiber, double ms, const char *reason)
{
	struct ev_loop *loop = fiber->sched->loop;

	ev_timer_stop(loop, &fiber->limit);
	fiber->limit_reason = reason;
	ev_now_update(loop);
	ev_timer_set(&fiber->limit, ms / 1000, 0);
	ev_timer_start(loop, &fiber->limit);
}
