/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Locks of stacks (slothfs(5), "lock").
 *
 * Kinds: a session lock lives as long as an open file (flock(2)); shared session locks exist side by side; a
 * durable lock lives until it is released or its ttl is over; a run's lock until the run ends. Every grant is
 * one transaction and raises the stack's fencing token. Waiters are served in order, whatever they wait for
 * (adjacent shared ones together).
 *
 * Who may change a locked stack: for a durable lock, the uid that holds it; for a session lock, the process
 * that locked, the process that opened the file, and their descendants; for a run's lock, the runner and its
 * descendants. Root is no exception: it has to force.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"

enum lock_kind { LOCK_SHARED, LOCK_SESSION, LOCK_DURABLE, LOCK_RUN };

enum { LOCK_WORD_MAX = 256 }; /* bytes of operation, reason, by, with the NUL */

struct lock {
	enum lock_kind kind;
	int64_t stack_id;
	int64_t token;
	uint64_t owner; /* session: the door's name for the open file; run: the run's id; durable: 0 */
	uid_t uid;
	pid_t pid, opener; /* 0: unknown */
	uint64_t known_at; /* when these were they, in clock ticks since boot: see process_clock() */
	int64_t since_ms, expires_ms; /* expires 0: never */
	char by[LOCK_WORD_MAX];	      /* whom the holder names; "" : the user's name */
	char command[LOCK_WORD_MAX];
	char operation[LOCK_WORD_MAX];
	char reason[LOCK_WORD_MAX];
};

struct lock_request {
	enum lock_kind kind;
	uint64_t owner;
	pid_t pid;	/* run: the runner's, when it is known */
	int64_t ttl_ms; /* durable: 0 takes the stack's lock_timeout */
	char by[LOCK_WORD_MAX], operation[LOCK_WORD_MAX], reason[LOCK_WORD_MAX];
};

/* Now or not at all: -EBUSY with the holder in the fault; -EACCES without write permission on the stack. The
 * same owner may ask again for a session lock (flock(2) conversion). Asking again for one's own durable lock
 * renews it with the new words. Nobody overtakes waiters: with a queue, -EBUSY. */
int lock_acquire(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct lock_request *request, struct fault *fault, int64_t *ret_token);

/* Queues. `done` is called once, later, never from inside: 0 with the token, -ETIMEDOUT after wait_ms (0: for
 * ever), -ENOENT when the stack goes, -EIO …; the fault says the sentence. Tries lock_acquire() first: then
 * returns 0 with *ret_wait NULL. */
struct lock_wait;
int lock_wait(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct lock_request *request, int64_t wait_ms,
	void (*done)(void *userdata, int result, int64_t token, const struct fault *fault), void *userdata,
	struct fault *fault, int64_t *ret_token, struct lock_wait **ret_wait);
/* A waiter that is interrupted leaves; `done` is not called any more. */
void lock_wait_cancel(struct lock_wait *wait);

/* Durable: same uid or root, else -EPERM; -ENOENT when unlocked. */
int lock_release(struct engine *engine, struct caller *caller, int64_t stack_id, struct fault *fault);
/* Session and run locks, by their owner; nothing happens when it holds none. */
int lock_release_owner(struct engine *engine, int64_t stack_id, enum lock_kind kind, uint64_t owner);
int lock_renew(
	struct engine *engine, struct caller *caller, int64_t stack_id, int64_t ttl_ms, struct fault *fault);
/* For the stack's owner and root; -EINVAL without a reason; leaves the event lock.force_released. A forced
 * session lock is gone although its descriptor is open. */
int lock_force(struct engine *engine, struct caller *caller, int64_t stack_id, const char *reason,
	struct fault *fault);

/* Runs a line of the control file: "TEXT" (a reason), "reason=… operation=… ttl=… by=… wait=…" with quotes as
 * in a shell, "unlock", "renew [ttl=…]", "force reason=…". A line that has words with '=' and unknown names
 * is -EINVAL, and so is one that parses badly. With wait=, the result may come later: then *ret_wait is set.
 */
int lock_command(struct engine *engine, struct caller *caller, int64_t stack_id, const char *line,
	size_t size, void (*done)(void *userdata, int result, int64_t token, const struct fault *fault),
	void *userdata, struct fault *fault, struct lock_wait **ret_wait);

/* -EBUSY with the holder's sentence, unless nobody or the caller (NULL: the daemon) holds it. */
int lock_check(struct engine *engine, struct caller *caller, int64_t stack_id, struct fault *fault);

/* Whether the caller itself holds it in a way that lets its run go without a lock of its own, and with which
 * token. */
bool lock_held_by(struct engine *engine, struct caller *caller, int64_t stack_id, int64_t *ret_token);

/* The first holder: 1, or 0 when unlocked. */
int lock_get(struct engine *engine, int64_t stack_id, struct lock *ret_lock);

/* Locks that are held now, of whatever kind; 0 when that can't be known. */
int64_t lock_count(struct engine *engine);

/* The content of lock and lock.json. */
void lock_show(struct engine *engine, int64_t stack_id, FILE *out);
void lock_show_json(struct engine *engine, int64_t stack_id, FILE *out);

/* The runner of a run's lock is known now (or after a restart again). */
int lock_set_run_pid(struct engine *engine, int64_t stack_id, int64_t run_id, pid_t pid);

/* Kept by engine_new() and engine_free(). */
int lock_table_new(struct engine *engine, struct lock_table **ret_table);
void lock_table_free(struct lock_table *table);
/* engine_turn_end() says how it went. A release whose turn failed is done again until it holds: the file that
 * had the lock is closed, nobody else would do it. */
void lock_turn_ended(struct lock_table *table, int result);
/* The stack is destroyed: waiters get -ENOENT. */
void lock_forget_stack(struct engine *engine, int64_t stack_id);
