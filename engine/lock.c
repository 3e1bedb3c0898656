/* SPDX-License-Identifier: MIT */
/* Locks of stacks: who gets one, who gives it back, whom it stops. */
#include "engine/lock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/event.h"
#include "engine/lock-table.h"

static int lock_stack(struct engine *engine, struct caller *caller, int64_t stack_id, int want,
	struct fault *fault, struct stack *ret_stack)
{
	char owner[128];
	int r = stack_get(engine, stack_id, ret_stack);

	if (r < 0)
		return fault_set(fault, -r, r == -ENOENT ? "the stack is gone" : "the stack cannot be read");
	if (stack_access(caller, ret_stack, want) < 0)
		return fault_set(fault, EACCES, "stack %s is of %s, mode %04o: you may not lock it",
			ret_stack->name, caller_user_name(ret_stack->uid, owner, sizeof(owner)),
			(unsigned)ret_stack->mode);
	return 0;
}

/* What is known of the processes now; later they may be gone, and their pids others'. */
static void draft_processes(struct lock *lock, pid_t pid, pid_t opener)
{
	lock->pid = pid;
	lock->opener = opener;
	if (pid > 0)
		process_command(pid, lock->command, sizeof(lock->command));
	/* Both live now, so that now is an upper bound of their starts. To read the starts themselves costs
	 * more than all else that a grant does besides the commit. */
	lock->known_at = process_clock();
	/* A command line may be any bytes; JSON wants UTF-8, and so do terminals. */
	if (!text_is_utf8(lock->command, strlen(lock->command)))
		for (char *p = lock->command; *p; p++)
			if ((unsigned char)*p >= 0x80)
				*p = '?';
}

static int draft_word(char ret_word[LOCK_WORD_MAX], const char *word, const char *name, struct fault *fault)
{
	if (!text_is_utf8(word, strlen(word)))
		return fault_set(fault, EINVAL, "%s is no UTF-8 text", name);
	snprintf(ret_word, LOCK_WORD_MAX, "%s", word);
	return 0;
}

int lock_draft_make(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct lock_request *request, struct fault *fault, struct lock_draft *ret_draft)
{
	struct lock_draft draft = { .ttl_ms = request->ttl_ms };
	struct lock *lock = &draft.lock;
	int r;

	lock->kind = request->kind;
	lock->stack_id = stack_id;
	lock->owner = request->kind == LOCK_DURABLE ? 0 : request->owner;
	lock->uid = caller ? caller->uid : geteuid();
	r = draft_word(lock->by, request->by, "by", fault);
	if (r == 0)
		r = draft_word(lock->operation, request->operation, "operation", fault);
	if (r == 0)
		r = draft_word(lock->reason, request->reason, "reason", fault);
	if (r < 0)
		return r;
	if (request->kind == LOCK_RUN)
		draft_processes(lock, request->pid, 0);
	else if (caller)
		draft_processes(lock, caller->pid, caller->opener);
	*ret_draft = draft;
	return 0;
}

/* Whether the row is the asker's own, so that asking again changes it. */
static bool row_is_mine(const struct lock *row, const struct lock *draft)
{
	if (row->kind == LOCK_DURABLE || draft->kind == LOCK_DURABLE)
		return row->kind == draft->kind && row->uid == draft->uid;
	if (row->kind == LOCK_RUN || draft->kind == LOCK_RUN)
		return row->kind == draft->kind && row->owner == draft->owner;
	return row->owner == draft->owner;
}

/* Sorts the rows that are in the way: only those stay in `rows`, the asker's own goes to *ret_mine. */
static bool rows_split(struct lock_rows *rows, const struct lock *draft, struct lock *ret_mine)
{
	bool found = false;
	size_t n = 0;

	for (size_t i = 0; i < rows->count; i++) {
		if (row_is_mine(&rows->rows[i], draft)) {
			*ret_mine = rows->rows[i];
			found = true;
		} else if (rows->rows[i].kind != LOCK_SHARED || draft->kind != LOCK_SHARED) {
			rows->rows[n++] = rows->rows[i];
		}
	}
	rows->count = n;
	return found;
}

static int draft_expiry(struct engine *engine, const struct lock_draft *draft, int64_t *ret_expires_ms)
{
	struct config config;
	int64_t ttl = draft->ttl_ms;
	int r;

	*ret_expires_ms = 0;
	if (draft->lock.kind != LOCK_DURABLE)
		return 0;
	if (ttl == 0) {
		r = stack_config(engine, draft->lock.stack_id, &config);
		if (r < 0)
			return r;
		ttl = config.lock_timeout_ms;
	}
	*ret_expires_ms = time_now_ms() + ttl;
	return 0;
}

/* One's own durable lock again: other words and a new end, but the same grant. */
static int row_renew(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct lock *row, const struct lock *words, int64_t expires_ms)
{
	int r = store_run(engine->store, SQL_LOCK_RENEW, "iiisss", stack->id, row->token, expires_ms,
		words->by, words->operation, words->reason);

	if (r == 0)
		r = event_add(engine, caller, "lock.renewed", stack->id, stack->name, 0,
			json_pack("{sI sI}", "token", (json_int_t)row->token, "expires_ms",
				(json_int_t)expires_ms));
	if (r < 0)
		return r;
	lock_expiry_note(engine->locks, expires_ms);
	engine_note(engine, SUBJECT_STACK, stack->id, ASPECT_LOCK);
	return 0;
}

/* `mine` NULL: there is none. */
static int lock_grant(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct lock_draft *draft, const struct lock *mine, int64_t *ret_token)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct lock lock = draft->lock;
	int r;

	lock.since_ms = time_now_ms();
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = lock_rows_expire(engine);
	if (r == 0)
		r = draft_expiry(engine, draft, &lock.expires_ms);
	if (r < 0)
		return r;
	if (mine && lock.kind == LOCK_DURABLE) {
		lock.token = mine->token;
		r = row_renew(engine, caller, stack, mine, &lock, lock.expires_ms);
	} else {
		if (mine)
			r = lock_row_delete(engine, caller, mine, NULL, "");
		if (r == 0)
			r = lock_row_add(engine, caller, stack, &lock);
	}
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		*ret_token = lock.token;
	return r;
}

int lock_try(struct engine *engine, struct caller *caller, const struct lock_draft *draft, bool first,
	struct fault *fault, int64_t *ret_token)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	struct stack stack;
	struct lock mine;
	bool again;
	int r;

	r = lock_stack(engine, caller, draft->lock.stack_id, MAY_WRITE, fault, &stack);
	if (r == 0)
		r = lock_rows_get(engine, stack.id, &rows);
	if (r < 0)
		return fault_default(fault, -r, "the lock of the stack cannot be read: %s", strerror(-r));
	again = rows_split(&rows, &draft->lock, &mine);
	if (rows.count > 0)
		return lock_busy_fault(&stack, &rows, fault);
	if (!again && !first && lock_queue_get(engine->locks, stack.id))
		return fault_set(fault, EBUSY,
			"others wait for the lock of stack %s and are served first. To wait behind them: "
			"echo 'wait=60s reason=…' > lock, or flock -w 60 lock COMMAND",
			stack.name);
	if (again && draft->lock.kind != LOCK_DURABLE && mine.kind == draft->lock.kind) {
		*ret_token = mine.token;
		return 0;
	}
	r = lock_grant(engine, caller, &stack, draft, again ? &mine : NULL, ret_token);
	return r < 0 ? fault_default(fault, -r, "the lock of stack %s cannot be stored: %s", stack.name,
			       strerror(-r))
		     : 0;
}

int lock_acquire(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct lock_request *request, struct fault *fault, int64_t *ret_token)
{
	struct lock_draft draft;
	int r = lock_draft_make(engine, caller, stack_id, request, fault, &draft);

	return r < 0 ? r : lock_try(engine, caller, &draft, false, fault, ret_token);
}

static int unlocked_fault(const struct stack *stack, struct fault *fault)
{
	return fault_set(fault, ENOENT, "stack %s is not locked", stack->name);
}

/* Only sessions and durable locks are released by hand; a run's lock is the run's. */
static int release_check(
	struct caller *caller, const struct stack *stack, const struct lock *lock, struct fault *fault)
{
	char user[128];

	caller_user_name(lock->uid, user, sizeof(user));
	if (lock->kind == LOCK_RUN)
		return fault_set(fault, EPERM,
			"stack %s is locked by run %" PRIu64
			" of %s and free when that ends: echo cancel > runs/%" PRIu64 "/ctl",
			stack->name, lock->owner, user, lock->owner);
	if (caller && caller->uid == 0)
		return 0;
	if (lock_is_session(lock))
		return fault_set(fault, EPERM,
			"stack %s is locked by an open file of %s, pid %d (flock): it is free when that is "
			"closed",
			stack->name, user, (int)lock->pid);
	if (caller && caller->uid != lock->uid)
		return fault_set(fault, EPERM,
			"stack %s is locked by %s: only the holder and root may release that. The stack's "
			"owner and root can "
			"take it away: echo 'force reason=…' > lock",
			stack->name, user);
	return 0;
}

static int rows_delete(struct engine *engine, struct caller *caller, const struct lock_rows *rows,
	const char *event, const char *reason)
{
	for (size_t i = 0; i < rows->count; i++) {
		int r = lock_row_delete(engine, caller, &rows->rows[i], event, reason);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The stack and its locks, of which there is at least one. */
static int locked_stack(struct engine *engine, struct caller *caller, int64_t stack_id, int want,
	struct fault *fault, struct stack *ret_stack, struct lock_rows *ret_rows)
{
	int r = lock_stack(engine, caller, stack_id, want, fault, ret_stack);

	if (r == 0)
		r = lock_rows_get(engine, stack_id, ret_rows);
	if (r < 0)
		return fault_default(fault, -r, "the lock of the stack cannot be read: %s", strerror(-r));
	return ret_rows->count == 0 ? unlocked_fault(ret_stack, fault) : 0;
}

int lock_release(struct engine *engine, struct caller *caller, int64_t stack_id, struct fault *fault)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	int r;

	r = locked_stack(engine, caller, stack_id, 0, fault, &stack, &rows);
	for (size_t i = 0; i < rows.count && r == 0; i++)
		r = release_check(caller, &stack, &rows.rows[i], fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = rows_delete(engine, caller, &rows, "lock.released", "");
	if (r == 0)
		r = store_change_end(&change);
	return r < 0 ? fault_default(fault, -r, "the lock cannot be released: %s", strerror(-r)) : 0;
}

static int release_one(struct engine *engine, const struct lock *lock)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct caller holder = { .uid = lock->uid };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = lock_row_delete(engine, &holder, lock, "lock.released", "");
	return r < 0 ? r : store_change_end(&change);
}

int lock_release_owner(struct engine *engine, int64_t stack_id, enum lock_kind kind, uint64_t owner)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	struct lock mine = { .kind = kind, .owner = owner };
	int r = lock_rows_get(engine, stack_id, &rows);

	for (size_t i = 0; i < rows.count && r == 0; i++) {
		if (rows.rows[i].kind == LOCK_DURABLE || !row_is_mine(&rows.rows[i], &mine))
			continue;
		r = release_one(engine, &rows.rows[i]);
		lock_release_note(engine->locks, stack_id, rows.rows[i].token, r == 0);
	}
	return r;
}

static int renew_check(
	struct caller *caller, const struct stack *stack, const struct lock *lock, struct fault *fault)
{
	char user[128];

	if (lock->kind != LOCK_DURABLE)
		return fault_set(fault, EINVAL, "stack %s has a %s lock, which does not expire", stack->name,
			lock_kind_name(lock->kind));
	if (caller && !caller_owns(caller, lock->uid))
		return fault_set(fault, EPERM,
			"stack %s is locked by %s: only the holder and root may renew that", stack->name,
			caller_user_name(lock->uid, user, sizeof(user)));
	return 0;
}

int lock_renew(
	struct engine *engine, struct caller *caller, int64_t stack_id, int64_t ttl_ms, struct fault *fault)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct lock_draft draft = { .lock = { .kind = LOCK_DURABLE, .stack_id = stack_id },
		.ttl_ms = ttl_ms };
	struct stack stack;
	int64_t expires;
	int r;

	r = locked_stack(engine, caller, stack_id, 0, fault, &stack, &rows);
	if (r == 0)
		r = renew_check(caller, &stack, &rows.rows[0], fault);
	if (r == 0)
		r = draft_expiry(engine, &draft, &expires);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = row_renew(engine, caller, &stack, &rows.rows[0], &rows.rows[0], expires);
	if (r == 0)
		r = store_change_end(&change);
	return r < 0 ? fault_default(fault, -r, "the lock cannot be renewed: %s", strerror(-r)) : 0;
}

static int force_check(
	struct caller *caller, const struct stack *stack, const char *reason, struct fault *fault)
{
	char owner[128];

	if (caller && !caller_owns(caller, stack->uid))
		return fault_set(fault, EPERM,
			"the lock of stack %s can be forced only by the stack's owner %s and root",
			stack->name, caller_user_name(stack->uid, owner, sizeof(owner)));
	if (!*reason)
		return fault_set(
			fault, EINVAL, "forcing a lock needs a reason: echo 'force reason=\"…\"' > lock");
	if (!text_is_utf8(reason, strlen(reason)))
		return fault_set(fault, EINVAL, "reason is no UTF-8 text");
	return 0;
}

/* The token rises, so that what the holder still writes under the old one is refused. */
static int force_rows(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct lock_rows *rows, const char *reason)
{
	int64_t token;
	int r = store_get_int(engine->store, &token, SQL_STACK_NEXT_TOKEN, "i", stack->id);

	if (r == 0)
		r = rows_delete(engine, caller, rows, "lock.force_released", reason);
	return r;
}

int lock_force(struct engine *engine, struct caller *caller, int64_t stack_id, const char *reason,
	struct fault *fault)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	int r;

	r = lock_stack(engine, caller, stack_id, 0, fault, &stack);
	if (r == 0)
		r = force_check(caller, &stack, reason, fault);
	if (r == 0)
		r = locked_stack(engine, caller, stack_id, 0, fault, &stack, &rows);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = force_rows(engine, caller, &stack, &rows, reason);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return fault_default(fault, -r, "the lock cannot be forced: %s", strerror(-r));
	log_warning("stack %s: %s forced the lock of uid %u", stack.name,
		caller ? caller_login(caller->uid) : "slothd", (unsigned)rows.rows[0].uid);
	return 0;
}

/* `pid` is that process, or came from it. */
static bool is_process(pid_t pid, pid_t ancestor, uint64_t known_at)
{
	uint64_t start;

	return pid > 0 && ancestor > 0 && process_start_time(ancestor, &start) == 0 && start <= known_at &&
	       process_descends(pid, ancestor);
}

static bool row_is_callers(const struct lock *row, const struct caller *caller)
{
	if (row->kind == LOCK_DURABLE)
		return row->uid == caller->uid;
	if (is_process(caller->pid, row->pid, row->known_at) ||
		is_process(caller->pid, row->opener, row->known_at))
		return true;
	/* Where the kernel tells no pids (another pid namespace), the user has to do. */
	return lock_is_session(row) && !row->pid && !row->opener && row->uid == caller->uid;
}

int lock_check(struct engine *engine, struct caller *caller, int64_t stack_id, struct fault *fault)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	struct stack stack;
	int r;

	if (!caller || caller->run_id)
		return 0;
	r = lock_rows_get(engine, stack_id, &rows);
	if (r < 0)
		return fault_set(fault, -r, "the lock of the stack cannot be read: %s", strerror(-r));
	for (size_t i = 0; i < rows.count; i++) {
		if (row_is_callers(&rows.rows[i], caller))
			continue;
		r = stack_get(engine, stack_id, &stack);
		if (r < 0)
			return fault_set(fault, -r, "the stack is gone");
		rows.rows[0] = rows.rows[i];
		return lock_busy_fault(&stack, &rows, fault);
	}
	return 0;
}

bool lock_held_by(struct engine *engine, struct caller *caller, int64_t stack_id, int64_t *ret_token)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };

	if (!caller || lock_rows_get(engine, stack_id, &rows) < 0)
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		if (rows.rows[i].kind == LOCK_SHARED || !row_is_callers(&rows.rows[i], caller))
			continue;
		*ret_token = rows.rows[i].token;
		return true;
	}
	return false;
}

int lock_get(struct engine *engine, int64_t stack_id, struct lock *ret_lock)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r = lock_rows_get(engine, stack_id, &rows);

	if (r < 0 || rows.count == 0)
		return r;
	*ret_lock = rows.rows[0];
	return 1;
}

int lock_set_run_pid(struct engine *engine, int64_t stack_id, int64_t run_id, pid_t pid)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct lock lock = { 0 };
	int r;

	draft_processes(&lock, pid, 0);
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_LOCK_SET_PROCESS, "iiiis", stack_id, run_id, (int64_t)pid,
			(int64_t)lock.known_at, lock.command);
	if (r == 0 && store_changed_rows(engine->store) == 0)
		r = -ENOENT;
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		engine_note(engine, SUBJECT_STACK, stack_id, ASPECT_LOCK);
	return r;
}

int64_t lock_count(struct engine *engine)
{
	int64_t count;

	return store_get_int(engine->store, &count, SQL_LOCK_COUNT, "") == 0 ? count : 0;
}
