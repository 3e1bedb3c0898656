/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What computes for long in one function of C (the key of a password): in a thread beside the loop, so that
 * timeouts, frames and the other tasks go on. Few at a time; the others wait in turn.
 *
 * A piece of work is the caller's struct. Its thread touches nothing else. Who waited for it and was ended
 * leaves it to the thread, which can't be stopped.
 */
#include <ev.h>
#include <lua.h>
#include <stdbool.h>
#include <sys/queue.h>

struct aside_work {
	void (*run)(void *work);
	/* In the fiber: what the function returns. The work is its own from then on. */
	int (*collect)(lua_State *L, void *work);
	void (*free)(void *work); /* nobody wants it */
};

STAILQ_HEAD(aside_list, aside);

struct asides {
	struct ev_loop *loop;
	struct aside_list waiting, started; /* started: also those that wait to be collected */
	unsigned count;			    /* that run */
};

void asides_init(struct asides *asides, struct ev_loop *loop);
/* Fibers must be gone. Threads that still compute go on, or end with the process. */
void asides_done(struct asides *asides);

/* `return aside_park(L, …)`: does the work and returns what collect() does. Where the caller can't wait it is
 * done at once. `waits_for` and `kind` are constants; takes the work. */
int aside_park(lua_State *L, const char *waits_for, const struct aside_work *kind, void *work);
