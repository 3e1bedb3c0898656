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
 * frames, timeouts and cancel go on; other fibers do not run in between (the language is cooperative). Where
 * it can't yield (a comparator of table.sort), the loop turns once inside of it.
 *
 * Fibers that have ended are used again, with their threads: a goroutine costs no allocation.
 */
#include <ev.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct fiber;
struct scope;

/* `status`: LUA_OK with the results, or an error with its value, on the top of `L`. The fiber is freed
 * afterwards. */
typedef void (*fiber_done)(struct fiber *fiber, lua_State *L, int status, int results, void *userdata);

struct fiber {
	TAILQ_ENTRY(fiber) link;       /* of its scope, or of those that are kept for later */
	TAILQ_ENTRY(fiber) ready_link; /* of the scheduler */
	struct sched *sched;
	struct scope *scope;
	lua_State *L; /* its thread, kept alive by `reference` */
	int reference;
	uint32_t slot;	       /* its place in sched->slots */
	int64_t id, wait;      /* of the fiber, of its wait: see fiber_find(); 0: none */
	lua_State *parked;     /* the thread that waits: L, or a coroutine below it */
	int arguments;	       /* of its function */
	int passed;	       /* values that whoever woke it left on the stack of `parked` */
	bool ready;	       /* in the queue */
	const char *interrupt; /* raised when it goes on */
	const char *ends;      /* it was cancelled alone: raised wherever it waits */
	bool waiting;	       /* it yielded to the loop, not to a coroutine above */
	bool blocked;	       /* only another fiber can wake it */
	unsigned told;	       /* how often it was found computing after its end had come */
	bool spent;	       /* its thread is not used again: the workflow has it in hand, say */
	const char *waits_for; /* static text, for messages; NULL: does not wait */
	int (*collect)(lua_State *L, void *work);
	void (*withdraw)(void *work); /* forgets the waiter; the work itself may go on */
	void *work;
	ev_timer alarm; /* wakes it */
	ev_timer limit; /* cancels it, also while it computes */
	const char *limit_reason;
	fiber_done done;
	void *userdata;
};

TAILQ_HEAD(fiber_queue, fiber);

struct sched {
	struct ev_loop *loop;
	lua_State *L; /* the main thread */
	struct fiber_queue ready, idle;
	size_t idle_count;
	struct fiber **slots;
	uint32_t *vacant; /* slots without a fiber */
	size_t slot_count, slot_room, vacant_count;
	int64_t sequence;
	size_t count, blocked_count; /* fibers, those that are blocked */
	struct fiber *current;
	struct fiber *busy;	 /* was interrupted while it computed: runs before all others */
	unsigned pinned;	 /* coroutines that run above something that can't yield */
	bool nested;		 /* the loop turns inside of a fiber that can't yield */
	ev_tstamp loading_until; /* 0: it is loaded, or has all the time */
	char loading_limit[32];
	char *deadlock; /* the text of the last one: fibers point to it */
};

int sched_init(struct sched *sched, struct ev_loop *loop, lua_State *L);
void sched_done(struct sched *sched);

/* Before what the workflow computes while it is loaded, which may take so many milliseconds and then gets an
 * error where it is; and after it, with 0. */
void sched_loading(struct sched *sched, int64_t limit_ms);

/* Lets fibers run, up to a bound. Whether some could go on at once: then the loop must not sleep. */
bool sched_run(struct sched *sched);

/* Nothing else can happen in the run: when all fibers wait for each other, those that own a task get an
 * error that lists who waits for what. Whether that was so. */
bool sched_break_deadlock(struct sched *sched);

/* Starts a fiber in `scope` with the function and its `arguments` on the top of `L`, which are popped. It
 * runs at the end of this turn. NULL: out of memory, or there are a million already. May raise. */
struct fiber *fiber_start(struct sched *sched, struct scope *scope, lua_State *L, int arguments,
	fiber_done done, void *userdata);

/* The fiber that runs, if it may wait here; raises an error that names `function` otherwise. For C functions
 * that are about to start something and wait for it. */
struct fiber *fiber_check(lua_State *L, const char *function);

/* Whether it may: not while the workflow is loaded, in a sort's comparison, when its end has come. */
bool fiber_may_wait(lua_State *L);

/* Waits: `return fiber_park(L, …)`. When it goes on, `collect` pushes what the function returns, inside the
 * fiber, and gives the number (NULL: nothing), or raises. `withdraw` is called when the fiber is interrupted
 * instead. */
int fiber_park(lua_State *L, const char *waits_for, int (*collect)(lua_State *L, void *work),
	void (*withdraw)(void *work), void *work);

/* The number that names the next wait of the fiber that runs. */
int64_t fiber_announce(struct fiber *fiber);

/* `return fiber_block(L, …)`: waits until fiber_pass() is called with that number, and returns what it
 * passed; or for `ms` milliseconds, and returns nothing (below 0: for ever). */
int fiber_block(lua_State *L, const char *waits_for, double ms);

/* Wakes the one whose wait has this number, with the `count` values on the top of `L`. False, and nothing
 * popped: it does not wait (any more). */
bool fiber_pass(struct sched *sched, lua_State *L, int64_t wait, int count);

/* Whether somebody's wait has this number. */
bool fiber_waits(const struct sched *sched, int64_t wait);

/* The fiber with this id, or NULL. */
struct fiber *fiber_find(const struct sched *sched, int64_t id);

/* The work is done: the waiting fiber goes on. */
void fiber_wake(struct fiber *fiber);

/* Raises `reason` at its waiting point, now or when it next wants to wait. */
void fiber_interrupt(struct fiber *fiber, const char *reason);

/* Ends this fiber alone: `reason`, which outlives it, is raised wherever it waits from now on. */
void fiber_cancel(struct fiber *fiber, const char *reason);

/* The same after `ms` milliseconds. */
void fiber_limit(struct fiber *fiber, double ms, const char *reason);

/* Ends it wherever it stands; its done callback is not called. The one that runs can't be killed: its scope's
 * end is raised in it. */
void fiber_kill(struct fiber *fiber);

/* Whether `L` is the thread of a fiber, not a coroutine that the workflow made. */
bool fiber_owns(lua_State *L);

/* Whether it waits for the loop, itself or in a coroutine below: only its fiber may touch it. */
void thread_waits(lua_State *L, bool waits);
bool thread_is_waiting(lua_State *L);

/* coroutine.resume for workflows: lua_resume() on `co`, but waits of the event loop pass through. Returns
 * like a lua_CFunction that ends with `finish(L, status, results)`; the results, or the error, are on the top
 * of `L`. */
int sched_resume(
	lua_State *L, lua_State *co, int arguments, int (*finish)(lua_State *L, int status, int results));

/* Between scheduler.c and fiber.c: its function has ended; its thread is emptied. */
void fiber_finish(struct fiber *fiber, int status, int results);
void sched_reset_thread(struct fiber *fiber);
