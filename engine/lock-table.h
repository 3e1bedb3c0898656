/* SPDX-License-Identifier: MIT */
#pragma once
/* What the files lock*.c share: rows of the table `locks`, and the waiters that live in memory. */
#include <ev.h>
#include <jansson.h>
#include <sys/queue.h>

#include "base/text.h"
#include "engine/lock.h"

/* lock-object.c: what a target is, be it a stack or a name. */
struct lock_object {
	struct lock_target target;
	char name[NAME_SIZE];
	uid_t uid;
	gid_t gid;
	mode_t mode;
	int64_t token; /* the last that was granted */
};

enum { LOCK_LABEL_MAX = NAME_SIZE + 24 };

/* -ENOENT with a sentence. */
int lock_object_get(struct engine *engine, struct lock_target target, struct fault *fault,
	struct lock_object *ret_object);
/* The same, for a caller who may use it in this way (MAY_*): -EACCES. */
int lock_object_for(struct engine *engine, struct caller *caller, struct lock_target target, int want,
	struct fault *fault, struct lock_object *ret_object);
/* "stack prod", "lock db". */
const char *lock_object_label(const struct lock_object *object, char ret_text[LOCK_LABEL_MAX]);
/* "the lock of stack prod", "lock db". */
const char *lock_object_lock(const struct lock_object *object, char ret_text[LOCK_LABEL_MAX]);
/* "lock" or "locks/db": what to write to, for a person who stands in the stack or in the tree. */
const char *lock_object_file(const struct lock_object *object, char ret_text[LOCK_LABEL_MAX]);
/* The next fencing token. In a change. */
int lock_object_next_token(struct engine *engine, struct lock_target target, int64_t *ret_token);
/* `data` is stolen. In a change. */
int lock_object_event(struct engine *engine, struct caller *caller, const char *type,
	const struct lock_object *object, int64_t run_id, json_t *data);
void lock_target_note(struct engine *engine, struct lock_target target);

/* A wish for a lock: what the row will be, but for the token and the times. */
struct lock_draft {
	struct lock lock;
	int64_t ttl_ms; /* durable: 0 takes the lock_timeout */
};

struct lock_rows {
	struct lock *rows;
	size_t count;
};

/* lock-row.c */
const char *lock_kind_name(enum lock_kind kind);
/* Locks that hold now, in the order of their grants. */
int lock_rows_get(struct engine *engine, struct lock_target target, struct lock_rows *ret_rows);
int lock_rows_of_run(struct engine *engine, int64_t run_id, struct lock_rows *ret_rows);
int lock_rows_bound(struct engine *engine, struct lock_rows *ret_rows);
int lock_rows_all(struct engine *engine, struct lock_rows *ret_rows);
void lock_rows_done(struct lock_rows *rows);
/* Fits both: the session kinds of one open file are one owner's. */
bool lock_is_session(const struct lock *lock);
/* Fits durable and maintenance: they are a user's. */
bool lock_is_users(const struct lock *lock);
/* Grants: the token, the row, the event. Sets lock->token. In a change. */
int lock_row_add(
	struct engine *engine, struct caller *caller, const struct lock_object *object, struct lock *lock);
/* Deletes the row and leaves an event of that type (NULL: none). In a change. */
int lock_row_delete(struct engine *engine, struct caller *caller, const struct lock *lock, const char *event,
	const char *reason);
/* Deletes what is over, if anything is. In a change. */
int lock_rows_expire(struct engine *engine);
/* Session locks of a daemon that is gone, processes of a boot that is over. In a change. */
int lock_rows_start(struct engine *engine);

/* lock.c */
int lock_drafts_make(struct engine *engine, struct caller *caller, const struct lock_target *targets,
	size_t count, const struct lock_request *request, struct fault *fault, struct lock_draft **ret_drafts,
	size_t *ret_count);
/* Whether the row is the asker's own, so that asking again changes it. */
bool lock_row_is_mine(const struct lock *row, const struct lock *draft);
/* Whether both can be held at the same time. */
bool lock_compatible(const struct lock *row, const struct lock *draft);
/* lock_acquire() for one who just came, or (`first`) for a waiter whose turn it is. */
int lock_try(struct engine *engine, struct caller *caller, const struct lock_draft *drafts, size_t count,
	bool first, struct fault *fault, int64_t *ret_token);
/* Sets the end of the lock by the draft's ttl, or the lock_timeout. */
int lock_set_expiry(struct engine *engine, const struct lock_draft *draft, struct lock *lock);
int lock_row_renew(struct engine *engine, struct caller *caller, const struct lock_object *object,
	const struct lock *row, const struct lock *words);

/* lock-check.c */
/* Whether the caller is the row's holder: may do what it stops others from. */
bool lock_row_is_callers(const struct lock *row, const struct caller *caller);
/* Whether the caller is the process that locked, or opened the file, or descends from one of them. */
bool lock_row_is_process(const struct lock *row, const struct caller *caller);

/* lock-deadlock.c: -EDEADLK with the circle, if whoever is in the way waits for the caller. */
int lock_deadlock_check(struct lock_table *table, struct caller *caller, const struct lock_draft *drafts,
	size_t count, struct fault *fault);

/* lock-queue.c */
enum { LOCK_LINE_OF_PIDS = 16 };

struct lock_place {
	TAILQ_ENTRY(lock_place) entry;
	struct lock_queue *queue;
	struct lock_wait *wait;
	struct lock_draft *draft; /* within wait->drafts */
};

/* Waits in the queues of all that it wants, at the same moment: so the queues' orders agree. */
struct lock_wait {
	TAILQ_ENTRY(lock_wait) entry; /* of all, in the order in which they came */
	struct lock_table *table;
	struct caller caller; /* a copy */
	struct lock_draft *drafts;
	struct lock_place *places;
	size_t count;
	int64_t since_ms, wait_ms;
	ev_timer deadline;
	lock_done done;
	void *userdata;
	bool seen;		       /* lock-deadlock.c's, while it searches */
	pid_t line[LOCK_LINE_OF_PIDS]; /* the caller's process, its parent …, when it began to wait */
	size_t line_count;
};

TAILQ_HEAD(lock_waits, lock_wait);
TAILQ_HEAD(lock_places, lock_place);

struct lock_queue {
	TAILQ_ENTRY(lock_queue) entry;
	struct lock_target target;
	bool kicked; /* the head may have its turn */
	struct lock_places places;
};

/* A release that must hold: the file that had the lock is closed. */
struct lock_release {
	struct lock_target target;
	int64_t token;
	bool done; /* in this turn, not committed yet */
};

struct lock_table {
	struct engine *engine;
	TAILQ_HEAD(, lock_queue) queues;
	struct lock_waits waits;
	ev_timer kick, expiry, retry, bound;
	int64_t next_expiry_ms; /* by clock.h; no lock ends before; 0: none ends at all */
	struct lock_release *releases;
	size_t release_count;
	bool bound_changed;		 /* a lock that is bound to a process came or went in this turn */
	TAILQ_HEAD(, lock_bound) bounds; /* lock-bound.c's */
	char boot_id[37];
};

/* The queue of a target; NULL: nobody waits. */
const struct lock_queue *lock_queue_get(struct lock_table *table, struct lock_target target);
/* Something was released: the loop looks at the queue after what it does now. */
void lock_queue_kick(struct lock_table *table, struct lock_target target);
void lock_queues_init(struct lock_table *table);
void lock_queues_done(struct lock_table *table);
/* Takes back what a part of a run waits for (`part` NULL: all parts; target's ids 0: all targets). How many
 * there were; their done() is called with -ECANCELED. */
size_t lock_queue_cancel_run(
	struct lock_table *table, int64_t run_id, const struct lock_target *target, const char *part);

/* lock-clock.c: ttls, and releases that are done again. */
void lock_clock_init(struct lock_table *table);
void lock_clock_done(struct lock_table *table);
/* There is a lock that ends then. */
void lock_expiry_note(struct lock_table *table, int64_t expires_ms);
bool lock_expiry_due(struct lock_table *table);
void lock_expiry_read(struct lock_table *table);
/* A release in this turn, or one that could not be done: see lock_turn_ended(). */
void lock_release_note(struct lock_table *table, struct lock_target target, int64_t token, bool done);
void lock_releases_settle(struct lock_table *table, int result);
/* Ends one lock, if it is still there, as by its holder. */
int lock_release_token(struct engine *engine, struct lock_target target, int64_t token, const char *reason);

/* lock-bound.c: locks that end with a process. */
int lock_bound_check(struct caller *caller, pid_t pid, struct fault *fault, uint64_t *ret_start);
void lock_bound_init(struct lock_table *table);
void lock_bound_done(struct lock_table *table);
/* At the end of a turn in which one came or went: watches what is there now, and nothing else. */
void lock_bound_sync(struct lock_table *table);

/* lock-show.c */
/* "alice (uid 1000), pid 4242 (make), since …": for faults. */
void lock_write_holder(struct engine *engine, const struct lock *lock, FILE *out);
/* -EBUSY with the holder and what can be done. */
int lock_busy_fault(struct engine *engine, const struct lock_object *object, const struct lock_rows *rows,
	struct fault *fault);
