/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Locks of stacks, and locks with a name of their own (slothfs(5), "LOCKS").
 *
 * Kinds: a session lock lives as long as an open file (flock(2)); shared session locks exist side by side; a
 * durable lock lives until it is released, its ttl is over or the process ends that it is bound to; so does a
 * maintenance lock, which keeps runs out, too; a run's lock until the run ends. Every grant is one
 * transaction and raises the fencing token. Waiters are served in order, whatever they wait for (adjacent
 * shared ones together).
 *
 * Who may change a locked stack: for a durable lock, the uid that holds it; for a session lock, the process
 * that locked, the process that opened the file, and their descendants; for a run's lock, the runner and its
 * descendants. Root is no exception: it has to force. A named lock stops nobody by itself.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"

enum lock_kind { LOCK_SHARED, LOCK_SESSION, LOCK_DURABLE, LOCK_MAINTENANCE, LOCK_RUN };

enum { LOCK_WORD_MAX = 256 };	/* bytes of operation, reason, by, with the NUL */
enum { LOCK_TARGETS_MAX = 64 }; /* that are taken at once */

/* What is locked: a stack, or a named lock (engine/named-lock.h). */
struct lock_target {
	int64_t stack_id; /* or */
	int64_t name_id;  /* the other is 0 */
};

static inline struct lock_target lock_of_stack(int64_t stack_id)
{
	return (struct lock_target){ .stack_id = stack_id };
}

static inline struct lock_target lock_of_name(int64_t name_id)
{
	return (struct lock_target){ .name_id = name_id };
}

static inline bool lock_target_same(struct lock_target a, struct lock_target b)
{
	return a.stack_id == b.stack_id && a.name_id == b.name_id;
}

/* "stacks/prod" or "locks/db", as the caller may walk there. A named lock that is missing is made, if the
 * folder lets him. -ENOENT, -EACCES, -EINVAL. */
int lock_target_find(struct engine *engine, struct caller *caller, const char *path, struct fault *fault,
	struct lock_target *ret_target);

struct lock {
	enum lock_kind kind;
	struct lock_target target;
	int64_t token;
	/* session: the door's name for the open file; run: the run's id; maintenance: the run whose rollback
	 * failed, 0: a person's; else 0 */
	uint64_t owner;
	char part[LOCK_WORD_MAX]; /* run: which part of it; "": the run as a whole */
	uid_t uid;
	pid_t pid, opener; /* 0: unknown */
	uint64_t known_at; /* when these were they, in clock ticks since boot: see process_clock() */
	int64_t since_ms;
	int64_t expires_ms;	/* 0: never; by engine/clock.h */
	pid_t bound_pid;	/* it ends with this process; 0: with none */
	uint64_t bound_start;	/* of that process, in clock ticks since boot */
	char by[LOCK_WORD_MAX]; /* whom the holder names; "" : the user's name */
	char command[LOCK_WORD_MAX];
	char operation[LOCK_WORD_MAX];
	char reason[LOCK_WORD_MAX];
};

struct lock_request {
	enum lock_kind kind;
	uint64_t owner;
	const char *part; /* run: see struct lock; NULL: the run as a whole */
	pid_t pid;	  /* run: the runner's, when it is known */
	int64_t ttl_ms;	  /* durable: 0 takes the lock_timeout; else 0 is for ever */
	pid_t bound_pid;  /* durable, maintenance: 0: none. A process of the caller's user (-EPERM), -ESRCH */
	char by[LOCK_WORD_MAX], operation[LOCK_WORD_MAX], reason[LOCK_WORD_MAX];
};

/* Now or not at all: -EBUSY with the holder in the fault; -EACCES without write permission on the target. The
 * same owner may ask again for a session lock (flock(2) conversion). Asking again for one's own durable lock
 * renews it with the new words. Nobody overtakes waiters: with a queue, -EBUSY. */
int lock_acquire(struct engine *engine, struct caller *caller, struct lock_target target,
	const struct lock_request *request, struct fault *fault, int64_t *ret_token);

/* Queues. `done` is called once, later, never from inside: 0 with the token, -ETIMEDOUT after wait_ms (0: for
 * ever), -ENOENT when the target goes, -EIO …; the fault says the sentence. Tries lock_acquire() first: then
 * returns 0 with *ret_wait NULL. -EDEADLK when the holders wait for what this caller holds, with the circle
 * in the fault. */
struct lock_wait;
typedef void (*lock_done)(void *userdata, int result, int64_t token, const struct fault *fault);
int lock_wait(struct engine *engine, struct caller *caller, struct lock_target target,
	const struct lock_request *request, int64_t wait_ms, lock_done done, void *userdata,
	struct fault *fault, int64_t *ret_token, struct lock_wait **ret_wait);
/* A waiter that is interrupted leaves; `done` is not called any more. */
void lock_wait_cancel(struct lock_wait *wait);

/* Several at once, all or nothing; ones that stand there twice count once. A waiter holds none of them until
 * all are free for it. The token is the first target's. */
int lock_acquire_all(struct engine *engine, struct caller *caller, const struct lock_target *targets,
	size_t count, const struct lock_request *request, struct fault *fault, int64_t *ret_token);
int lock_wait_all(struct engine *engine, struct caller *caller, const struct lock_target *targets,
	size_t count, const struct lock_request *request, int64_t wait_ms, lock_done done, void *userdata,
	struct fault *fault, int64_t *ret_token, struct lock_wait **ret_wait);

/* Durable: same uid or root, else -EPERM; -ENOENT when unlocked; -ESTALE when `token` (0: any) is not the
 * holder's. */
int lock_release(struct engine *engine, struct caller *caller, struct lock_target target, int64_t token,
	struct fault *fault);
int lock_release_all(struct engine *engine, struct caller *caller, const struct lock_target *targets,
	size_t count, struct fault *fault);
/* Session and run locks, by their owner; nothing happens when it holds none. */
int lock_release_owner(struct engine *engine, struct lock_target target, enum lock_kind kind, uint64_t owner);
/* All that a run holds, and its waits: it ends. */
int lock_release_run(struct engine *engine, int64_t run_id);
int lock_renew(struct engine *engine, struct caller *caller, struct lock_target target, int64_t ttl_ms,
	int64_t token, struct fault *fault);
/* -ESTALE unless the target is locked under this token now. */
int lock_check_token(struct engine *engine, struct caller *caller, struct lock_target target, int64_t token,
	struct fault *fault);
/* For the target's owner and root; -EINVAL without a reason; leaves the event lock.force_released. A forced
 * session lock is gone although its descriptor is open; runs that worked under the lock are ended. With
 * `take`, the caller has a durable lock in the same transaction, before anybody who waits. */
int lock_force(struct engine *engine, struct caller *caller, struct lock_target target, const char *reason,
	const struct lock_request *take, struct fault *fault);

/* Runs a line of the control file: "TEXT" (a reason), "reason=… operation=… ttl=… by=… wait=… pid=…" with
 * quotes as in a shell, "maint reason=…", "unlock [token=…]", "renew [ttl=…] [token=…]", "check token=…",
 * "force [take] reason=…". A line that has words with '=' and unknown names is -EINVAL, and so is one that
 * parses badly. With wait=, the result may come later: then *ret_wait is set. */
int lock_command(struct engine *engine, struct caller *caller, struct lock_target target, const char *line,
	size_t size, lock_done done, void *userdata, struct fault *fault, struct lock_wait **ret_wait);

/* The same for several: "acquire stacks/prod locks/db reason=… wait=…", "release stacks/prod locks/db". Named
 * locks that are missing are made. */
int lock_command_all(struct engine *engine, struct caller *caller, const char *line, size_t size,
	lock_done done, void *userdata, struct fault *fault, struct lock_wait **ret_wait);

/* Before every change of a stack: -EBUSY with the holder's sentence, unless nobody or the caller (NULL: the
 * daemon) holds it; -ESTALE when the caller is a process of a run, or of `sloth with-lock`, whose fencing
 * token is out of date. */
int lock_check(struct engine *engine, struct caller *caller, int64_t stack_id, struct fault *fault);
/* Before what works by itself (a run, a restore by one, a fix): -EBUSY while there is maintenance, also for
 * its holder. */
int lock_check_automation(struct engine *engine, int64_t stack_id, struct fault *fault);

/* Whether the caller itself holds it in a way that lets its run go without a lock of its own, and with which
 * token. */
bool lock_held_by(struct engine *engine, struct caller *caller, int64_t stack_id, int64_t *ret_token);

/* The first holder: 1, or 0 when unlocked. */
int lock_get(struct engine *engine, struct lock_target target, struct lock *ret_lock);

/* Locks that are held now, of whatever kind; 0 when that can't be known. */
int64_t lock_count(struct engine *engine);

/* The content of lock and lock.json, and of locks/ctl and ctl.json: what the caller may read of all locks
 * that are held. */
void lock_show(struct engine *engine, struct lock_target target, FILE *out);
void lock_show_json(struct engine *engine, struct lock_target target, FILE *out);
void lock_show_all(struct engine *engine, struct caller *caller, FILE *out);
void lock_show_all_json(struct engine *engine, struct caller *caller, FILE *out);

/* The runner of a run's lock is known now (or after a restart again). */
int lock_set_run_pid(struct engine *engine, int64_t stack_id, int64_t run_id, pid_t pid);

/* Kept by engine_new() and engine_free(). */
int lock_table_new(struct engine *engine);
void lock_table_free(struct lock_table *table);
/* engine_turn_end() says that it comes, and how it went. A release whose turn failed is done again until it
 * holds: the file that had the lock is closed, nobody else would do it. */
void lock_turn_ends(struct lock_table *table);
void lock_turn_ended(struct lock_table *table, int result);
/* The stack or name goes, in a change: holders are forgotten, waiters get -ENOENT. */
int lock_forget_target(struct engine *engine, struct lock_target target);
