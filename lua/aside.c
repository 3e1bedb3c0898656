/* SPDX-License-Identifier: MIT */
/* Work in threads beside the loop. */
#include "lua/aside.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lua/runner.h"
#include "lua/scope.h"

enum { RUNNING_MAX = 2 }; /* each may take half a gigabyte */

/* The loop's side and the thread's hold it; the last one frees it. */
struct aside {
	STAILQ_ENTRY(aside) link;
	struct asides *of;
	const struct aside_work *kind;
	void *work;	     /* NULL: somebody has it */
	struct fiber *fiber; /* NULL: nobody waits any more */
	ev_io over;	     /* its descriptor is an eventfd(2) */
	bool started;
	atomic_int holders;
};

static void aside_release(struct aside *aside)
{
	if (atomic_fetch_sub(&aside->holders, 1) > 1)
		return;
	if (aside->work)
		aside->kind->free(aside->work);
	close(aside->over.fd);
	free(aside);
}

static void *aside_thread(void *userdata)
{
	const uint64_t one = 1;
	struct aside *aside = userdata;

	aside->kind->run(aside->work);
	/* An eventfd takes that always. */
	while (write(aside->over.fd, &one, sizeof(one)) < 0)
		;
	aside_release(aside);
	return NULL;
}

/* Signals are the main thread's. */
static int thread_start(struct aside *aside)
{
	sigset_t all, before;
	pthread_t thread;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, aside_thread, aside);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		pthread_detach(thread);
	return -r;
}

static void aside_start(struct aside *aside)
{
	struct asides *asides = aside->of;

	aside->started = true;
	atomic_fetch_add(&aside->holders, 1);
	asides->count++;
	STAILQ_INSERT_TAIL(&asides->started, aside, link);
	ev_io_start(asides->loop, &aside->over);
	if (thread_start(aside) < 0)
		aside_thread(aside); /* no more threads: then so */
}

static void aside_drop(struct aside *aside, struct aside_list *from)
{
	STAILQ_REMOVE(from, aside, aside, link);
	aside_release(aside);
}

static void start_waiting(struct asides *asides)
{
	struct aside *aside;

	while (asides->count < RUNNING_MAX && (aside = STAILQ_FIRST(&asides->waiting))) {
		STAILQ_REMOVE_HEAD(&asides->waiting, link);
		aside_start(aside);
	}
}

static void aside_over(struct ev_loop *loop, ev_io *io, int revents)
{
	struct aside *aside = io->data;
	struct asides *asides = aside->of;

	ev_io_stop(loop, io);
	asides->count--;
	if (aside->fiber)
		fiber_wake(aside->fiber); /* which may be killed before it comes to collect it */
	else
		aside_drop(aside, &asides->started);
	start_waiting(asides);
}

static int aside_collect(lua_State *L, void *userdata)
{
	struct aside *aside = userdata;
	int (*collect)(lua_State *, void *) = aside->kind->collect;
	void *work = aside->work;

	aside->work = NULL;
	aside_drop(aside, &aside->of->started);
	return collect(L, work);
}

static void aside_withdraw(void *userdata)
{
	struct aside *aside = userdata;

	aside->fiber = NULL;
	if (!aside->started)
		aside_drop(aside, &aside->of->waiting);
}

/* NULL: not enough memory, or descriptors. */
static struct aside *aside_new(struct asides *asides, const struct aside_work *kind, void *work)
{
	struct aside *aside = calloc(1, sizeof(*aside));
	int fd = aside ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

	if (fd < 0) {
		free(aside);
		return NULL;
	}
	aside->of = asides;
	aside->kind = kind;
	aside->work = work;
	atomic_init(&aside->holders, 1);
	ev_io_init(&aside->over, aside_over, fd, EV_READ);
	aside->over.data = aside;
	return aside;
}

int aside_park(lua_State *L, const char *waits_for, const struct aside_work *kind, void *work)
{
	struct runner *runner = runner_of(L);
	const struct fiber *fiber = runner->sched.current;
	bool may_wait = fiber_may_wait(L) && !fiber->ends;
	struct aside *aside = may_wait ? aside_new(&runner->asides, kind, work) : NULL;

	if (!aside) {
		kind->run(work);
		return kind->collect(L, work);
	}
	aside->fiber = runner->sched.current;
	STAILQ_INSERT_TAIL(&runner->asides.waiting, aside, link);
	start_waiting(&runner->asides);
	return fiber_park(L, waits_for, aside_collect, aside_withdraw, aside);
}

void asides_init(struct asides *asides, struct ev_loop *loop)
{
	*asides = (struct asides){ .loop = loop };
	STAILQ_INIT(&asides->waiting);
	STAILQ_INIT(&asides->started);
}

void asides_done(struct asides *asides)
{
	struct aside *aside;

	while ((aside = STAILQ_FIRST(&asides->started))) {
		STAILQ_REMOVE_HEAD(&asides->started, link);
		ev_io_stop(asides->loop, &aside->over);
		aside_release(aside);
	}
}
