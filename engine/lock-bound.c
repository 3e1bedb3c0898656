/* SPDX-License-Identifier: MIT */
/*
 * Locks that are bound to a process: they end when it does. A process is its pid and its start time, and is
 * watched through a pidfd; what is watched is brought in line with the rows after each turn that changed one,
 * whether it was committed or undone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "engine/lock-table.h"

struct lock_bound {
	TAILQ_ENTRY(lock_bound) entry;
	struct lock_table *table;
	struct lock_target target;
	int64_t token;
	pid_t pid;
	uint64_t start;
	int pidfd; /* -1: the process has ended */
	ev_io death;
	bool wanted; /* there is a row for it, see lock_bound_sync() */
};

static const double RETRY_AFTER = 1;

int lock_bound_check(struct caller *caller, pid_t pid, struct fault *fault, uint64_t *ret_start)
{
	uint64_t start;
	uid_t uid;

	if (pid <= 0 || process_start_time(pid, &start) < 0 || process_user(pid, &uid) < 0)
		return fault_set(fault, ESRCH, "pid=%d: there is no such process", (int)pid);
	if (caller && !caller_owns(caller, uid))
		return fault_set(fault, EPERM,
			"pid=%d: that process is not yours, so that no lock can end with it", (int)pid);
	*ret_start = start;
	return 0;
}

static void bound_free(struct lock_bound *bound)
{
	TAILQ_REMOVE(&bound->table->bounds, bound, entry);
	if (bound->pidfd >= 0) {
		ev_io_stop(bound->table->engine->loop, &bound->death);
		close(bound->pidfd);
	}
	free(bound);
}

static void again_later(struct lock_table *table, double seconds)
{
	ev_timer_stop(table->engine->loop, &table->bound);
	ev_timer_set(&table->bound, seconds, 0);
	ev_timer_start(table->engine->loop, &table->bound);
}

static void process_died(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct lock_bound *bound = watcher->data;

	ev_io_stop(loop, &bound->death);
	close(bound->pidfd);
	bound->pidfd = -1;
	again_later(bound->table, 0);
}

/* In a turn of its own: the locks of the dead. */
static void release_dead(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct lock_table *table = watcher->data;
	struct lock_bound *bound, *next;
	char reason[64];
	int r = 0;

	for (bound = TAILQ_FIRST(&table->bounds); bound; bound = next) {
		next = TAILQ_NEXT(bound, entry);
		if (bound->pidfd >= 0)
			continue;
		snprintf(reason, sizeof(reason), "its process %d has ended", (int)bound->pid);
		r = lock_release_token(table->engine, bound->target, bound->token, reason);
		if (r < 0)
			log_error("the lock of process %d, which has ended, cannot be released: %s",
				(int)bound->pid, strerror(-r));
	}
	/* Until the rows are gone for good. */
	table->bound_changed = true;
	if (r < 0)
		again_later(table, RETRY_AFTER);
}

/* Whoever has the pid by now may be another. */
static int process_open(pid_t pid, uint64_t start)
{
	CLEANUP(cleanup_fd) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t now;

	if (fd < 0 || process_start_time(pid, &now) < 0 || now != start)
		return -1;
	return take_fd(&fd);
}

static void bound_add(struct lock_table *table, const struct lock *row)
{
	struct lock_bound *bound = calloc(1, sizeof(*bound));

	if (!bound) {
		again_later(table, RETRY_AFTER);
		return;
	}
	*bound = (struct lock_bound){ .table = table,
		.target = row->target,
		.token = row->token,
		.pid = row->bound_pid,
		.start = row->bound_start,
		.pidfd = process_open(row->bound_pid, row->bound_start),
		.wanted = true };
	TAILQ_INSERT_TAIL(&table->bounds, bound, entry);
	if (bound->pidfd < 0) {
		again_later(table, 0);
		return;
	}
	ev_io_init(&bound->death, process_died, bound->pidfd, EV_READ);
	bound->death.data = bound;
	ev_io_start(table->engine->loop, &bound->death);
}

static struct lock_bound *bound_find(struct lock_table *table, const struct lock *row)
{
	struct lock_bound *bound;

	TAILQ_FOREACH (bound, &table->bounds, entry)
		if (lock_target_same(bound->target, row->target) && bound->token == row->token &&
			bound->pid == row->bound_pid && bound->start == row->bound_start)
			return bound;
	return NULL;
}

void lock_bound_sync(struct lock_table *table)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	struct lock_bound *bound, *next;

	if (!table->bound_changed || lock_rows_bound(table->engine, &rows) < 0)
		return;
	table->bound_changed = false;
	TAILQ_FOREACH (bound, &table->bounds, entry)
		bound->wanted = false;
	for (size_t i = 0; i < rows.count; i++) {
		bound = bound_find(table, &rows.rows[i]);
		if (!bound) {
			bound_add(table, &rows.rows[i]);
			continue;
		}
		bound->wanted = true;
		/* Its release was undone with its turn. */
		if (bound->pidfd < 0)
			again_later(table, RETRY_AFTER);
	}
	for (bound = TAILQ_FIRST(&table->bounds); bound; bound = next) {
		next = TAILQ_NEXT(bound, entry);
		if (!bound->wanted)
			bound_free(bound);
	}
}

void lock_bound_init(struct lock_table *table)
{
	TAILQ_INIT(&table->bounds);
	ev_timer_init(&table->bound, release_dead, 0, 0);
	table->bound.data = table;
}

void lock_bound_done(struct lock_table *table)
{
	ev_timer_stop(table->engine->loop, &table->bound);
	while (!TAILQ_EMPTY(&table->bounds))
		bound_free(TAILQ_FIRST(&table->bounds));
}
