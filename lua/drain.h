/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Output that nobody reads any more, of processes that tasks left in the background. If the runner just
 * closed it, their next line would end them with SIGPIPE. The runner reads it to nowhere; when it exits, a
 * copy of it that does nothing else stays until the last writer is gone.
 */
#include <ev.h>
#include <sys/queue.h>

struct drained;

struct drain {
	struct ev_loop *loop;
	LIST_HEAD(, drained) streams;
};

void drain_init(struct drain *drain, struct ev_loop *loop);

/* Takes `fd`. */
void drain_add(struct drain *drain, int fd);

/* Leaves the copy behind, where one is needed, and closes what is open here. The last thing before exit. */
void drain_done(struct drain *drain);
