/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Fibers: coroutines of the run's one Lua state that wait for things of the event loop. Everything that a
 * workflow runs (a task's try, a hook, a goroutine) is one. A C function that has to wait parks the fiber
 * that called it; whoever finishes the work wakes it. Woken fibers run before the loop sleeps next, in turn.
 *
 * Waiting works inside coroutines that the workflow itself created: those resume through sched_resume().
 *
 * A fiber that computes for long is interrupted by a timer of processor time and yields to the loop, so that
 * frames, timeouts and cancel go on; other fibers do not run in between (the language is cooperative).
 */
#include <ev.h>
#include <lua.h>
#include <stdbool.h>
#include <sys/queue.h>

struct fiber;
struct scope;

/* `status`: LUA_OK with the results, or an error with its value, on the top of `L`. The fiber is freed
 * afterwards. */
typedef void (*fiber_done)(struct fiber *fiber, lua_State *L, int status, int results, void *userdata);

struct fiber {
	TAILQ_ENTRY(fiber) link;       /* of its scope */
	TAILQ_ENTRY(fiber) ready_link; /* of the scheduler */
	struct sched *sched;
	struct scope *scope;
	lua_State *L; /* its thread, kept alive by `reference` */
	int reference;
	lua_State *parked;     /* the thread that waits: L, or a coroutine below it */
	int arguments;	       /* of its function */
	bool ready;	       /* in the queue */
	const char *interrupt; /* raised when it goes on */
	bool waiting;	       /* it yielded to the loop, not to a coroutine above */
	bool told;	       /* its scope's end was raised in it while it computed */
	const char *waits_for; /* static text, for messages; NULL: does not wait */
	int (*collect)(lua_State *L, void *work);
	void (*withdraw)(void *work); /* forgets the waiter; the work itself may go on */
	void *work;
	fiber_done done;
	void *userdata;
};

struct sched {
	struct ev_loop *loop;
	lua_State *L; /* the main thread */
	TAILQ_HEAD(fiber_queue, fiber) ready;
	struct fiber *current;
	struct fiber *busy; /* was interrupted while it computed: runs before all others */
};

int sched_init(struct sched *sched, struct ev_loop *loop, lua_State *L);
void sched_done(struct sched *sched);

/* Lets fibers run, up to a bound. Whether some could go on at once: then the loop must not sleep. */
bool sched_run(struct sched *sched);

/* Starts a fiber in `scope` with the function and its `arguments` on the top of the main thread, which are
 * popped. It runs at the end of this turn. NULL: out of memory. */
struct fiber *fiber_start(struct sched *sched, struct scope *scope, lua_State *L, int arguments,
	fiber_done done, void *userdata);

/* The fiber that runs, if it may wait here; raises an error that names `function` otherwise. For C functions
 * that are about to start something and wait for it. */
struct fiber *fiber_check(lua_State *L, const char *function);

/* Waits: `return fiber_park(L, …)`. When it goes on, `collect` pushes what the function returns, inside the
 * fiber, and gives the number (NULL: nothing), or raises. `withdraw` is called when the fiber is interrupted
 * instead. */
int fiber_park(lua_State *L, const char *waits_for, int (*collect)(lua_State *L, void *work),
	void (*withdraw)(void *work), void *work);

/* The work is done: the waiting fiber goes on. */
void fiber_wake(struct fiber *fiber);

/* Raises `reason` at its waiting point, now or when it next wants to wait. */
void fiber_interrupt(struct fiber *fiber, const char *reason);

/* Ends it wherever it stands; its done callback is not called. */
void fiber_kill(struct fiber *fiber);

/* coroutine.resume for workflows: lua_resume() on `co`, but waits of the event loop pass through. Returns
 * like a lua_CFunction that ends with `finish(L, status, results)`; the results, or the error, are on the top
 * of `L`. */
int sched_resume(
	lua_State *L, lua_State *co, int arguments, int (*finish)(lua_State *L, int status, int results));
