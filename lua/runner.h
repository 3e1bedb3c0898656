/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The run: everything that this process has, in one place. There is one, on main()'s stack; a Lua state finds
 * it by runner_of().
 */
#include <ev.h>
#include <jansson.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lua/aside.h"
#include "lua/drain.h"
#include "lua/environment.h"
#include "lua/leaf.h"
#include "lua/link.h"
#include "lua/scheduler.h"
#include "lua/sweep.h"
#include "lua/vm.h"
#include "lua/workdir.h"

struct detect;
struct fault;
struct scope;
struct watch;
struct web;
struct workflow;

struct runner {
	struct ev_loop *loop;
	struct link link;
	struct vm vm;
	struct sched sched;
	struct drain drain;
	struct asides asides;
	struct environment environment;
	struct workdirs workdirs;
	struct web *web; /* NULL: nothing was asked of the network yet */
	struct leaves leaves;
	int null_fd;
	bool begun; /* the daemon has said what to do */
	/* What the daemon told us. */
	int64_t id, token; /* token 0: none */
	char *file, *stack, *workdir;
	char *local_agents; /* names that mean this host, with blanks between them; NULL: none */
	json_t *values, *options, *resume, *imports;
	int parallel_limit;		       /* 0: none */
	int64_t image_limit;		       /* bytes of a file that is kept before it is changed */
	int64_t unpacked_size, unpacked_files; /* bytes, and entries, that an archive may have */
	int64_t loading_ms;		       /* that loading the workflow may take */
	struct workflow *workflow;
	struct detect *detect; /* this process looks for drift; NULL: it runs something */
	struct watch *watch;   /* … whenever something changes; NULL: once */
	LIST_HEAD(, scope) scopes;
	struct left *left;
	size_t left_count;
	uint64_t last_seq; /* of `finished` or `refused`: after its ack we leave; 0: not sent */
	ev_child children;
	ev_signal terminate, interrupt;
	ev_prepare turn;
	ev_idle more;	/* something can go on without an event */
	bool abandoned; /* the daemon does not want us any more */
	int exit_status;
};

/* What a Lua thread's extra space holds: the runner's address; whether the thread is a fiber's; whether it is
 * a coroutine of the workflow that waits for the loop. */
enum { FIBER_THREAD = 1, WAITING_THREAD = 2 };

static inline struct runner *runner_of(lua_State *L)
{
	return (struct runner *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)3);
}

/* A C function's `return runner_wait_room(L)`: until the line has room again. */
int runner_wait_room(lua_State *L);

/* Takes what the daemon says about the run, before its workflow is loaded. 0 or -errno with the sentence. */
int runner_prepare(struct runner *runner, json_t *head, struct fault *fault);
int runner_load_text(struct runner *runner, const char *text, size_t size, struct fault *fault);
/* Both, the workflow being the frame's body. */
int runner_load(struct runner *runner, json_t *head, const struct frame *frame, struct fault *fault);

/* The last frame is queued: the process exits when the daemon has it. */
void runner_leave(struct runner *runner, int exit_status);
