/* SPDX-License-Identifier: MIT */
#pragma once
/* What the files lock*.c share: rows of the table `locks`, and the waiters that live in memory. */
#include <ev.h>
#include <sys/queue.h>

#include "engine/lock.h"
#include "engine/stack.h"

/* A wish for a lock: what the row will be, but for the token and the times. */
struct lock_draft {
	struct lock lock;
	int64_t ttl_ms; /* durable: 0 takes the stack's lock_timeout */
};

struct lock_rows {
	struct lock *rows;
	size_t count;
};

/* lock-row.c */
const char *lock_kind_name(enum lock_kind kind);
/* Locks that hold now, in the order of their grants. */
int lock_rows_get(struct engine *engine, int64_t stack_id, struct lock_rows *ret_rows);
void lock_rows_done(struct lock_rows *rows);
/* Fits both: the session kinds of one open file are one owner's. */
bool lock_is_session(const struct lock *lock);
/* Grants: the token, the row, the event. Sets lock->token and since_ms. In a change. */
int lock_row_add(struct engine *engine, struct caller *caller, const struct stack *stack, struct lock *lock);
/* Deletes the row and leaves an event of that type (NULL: none). In a change. */
int lock_row_delete(struct engine *engine, struct caller *caller, const struct lock *lock, const char *event,
	const char *reason);
/* Deletes what is over, if anything is. In a change. */
int lock_rows_expire(struct engine *engine);
/* Session locks of a daemon that is gone. In a change. */
int lock_rows_drop_sessions(struct engine *engine);

/* lock.c */
int lock_draft_make(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct lock_request *request, struct fault *fault, struct lock_draft *ret_draft);
/* lock_acquire() for a waiter that is next (`first`), or for one who just came. */
int lock_try(struct engine *engine, struct caller *caller, const struct lock_draft *draft, bool first,
	struct fault *fault, int64_t *ret_token);

/* lock-queue.c */
struct lock_wait {
	struct lock_table *table;
	struct lock_queue *queue;
	TAILQ_ENTRY(lock_wait) entry;
	struct caller caller; /* a copy */
	struct lock_draft draft;
	int64_t since_ms, wait_ms;
	ev_timer deadline;
	void (*done)(void *userdata, int result, int64_t token, const struct fault *fault);
	void *userdata;
};

struct lock_queue {
	TAILQ_ENTRY(lock_queue) entry;
	int64_t stack_id;
	bool kicked; /* the head may have its turn */
	TAILQ_HEAD(, lock_wait) waits;
};

/* The queue of a stack; NULL: nobody waits. */
const struct lock_queue *lock_queue_get(struct lock_table *table, int64_t stack_id);
/* Something was released: the loop looks at the queue after what it does now. */
void lock_queue_kick(struct lock_table *table, int64_t stack_id);
/* There is a lock that ends then. */
void lock_expiry_note(struct lock_table *table, int64_t expires_ms);
bool lock_expiry_due(struct lock_table *table);
/* A release in this turn, or one that could not be done: see lock_turn_ended(). */
void lock_release_note(struct lock_table *table, int64_t stack_id, int64_t token, bool done);

/* lock-show.c */
/* "alice (uid 1000), pid 4242 (make), since …": for faults. */
void lock_write_holder(const struct lock *lock, FILE *out);
/* -EBUSY with the holder and what can be done. */
int lock_busy_fault(const struct stack *stack, const struct lock_rows *rows, struct fault *fault);
