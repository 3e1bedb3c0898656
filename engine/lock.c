/* SPDX-License-Identifier: MIT */
/* Who gets a lock: drafts of what somebody wants, held against what others hold. */
#include "engine/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/clock.h"
#include "engine/lock-table.h"
#include "engine/stack.h"

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

static int draft_words(struct lock *lock, const struct lock_request *request, struct fault *fault)
{
	int r = draft_word(lock->by, request->by, "by", fault);

	if (r == 0)
		r = draft_word(lock->operation, request->operation, "operation", fault);
	if (r == 0)
		r = draft_word(lock->reason, request->reason, "reason", fault);
	return r < 0 ? r : draft_word(lock->part, request->part ? request->part : "", "part", fault);
}

static int lock_draft_make(struct engine *engine, struct caller *caller, struct lock_target target,
	const struct lock_request *request, struct fault *fault, struct lock_draft *ret_draft)
{
	struct lock_draft draft = { .ttl_ms = request->ttl_ms };
	struct lock *lock = &draft.lock;
	int r;

	lock->kind = request->kind;
	lock->target = target;
	lock->owner = lock->kind == LOCK_DURABLE ? 0 : request->owner;
	lock->uid = caller ? caller->uid : geteuid();
	lock->bound_pid = request->bound_pid;
	r = draft_words(lock, request, fault);
	if (r == 0 && request->bound_pid)
		r = lock_bound_check(caller, request->bound_pid, fault, &lock->bound_start);
	if (r < 0)
		return r;
	if (request->kind == LOCK_RUN)
		draft_processes(lock, request->pid, 0);
	else if (caller)
		draft_processes(lock, caller->pid, caller->opener);
	*ret_draft = draft;
	return 0;
}

/* A row a target: who names one twice means it once. */
int lock_drafts_make(struct engine *engine, struct caller *caller, const struct lock_target *targets,
	size_t count, const struct lock_request *request, struct fault *fault, struct lock_draft **ret_drafts,
	size_t *ret_count)
{
	CLEANUP(cleanup_free) struct lock_draft *drafts = calloc(count, sizeof(*drafts));
	size_t n = 0;
	int r;

	if (!drafts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		bool twice = false;

		for (size_t k = 0; k < i; k++)
			twice |= lock_target_same(targets[k], targets[i]);
		if (twice)
			continue;
		if (n > 0) {
			/* The processes were looked at already. */
			drafts[n] = drafts[0];
			drafts[n++].lock.target = targets[i];
			continue;
		}
		r = lock_draft_make(engine, caller, targets[i], request, fault, &drafts[n++]);
		if (r < 0)
			return r;
	}
	*ret_drafts = TAKE(drafts);
	*ret_count = n;
	return 0;
}

/* Two jobs of one account keep each other out when both say who they are. */
static bool names_agree(const struct lock *row, const struct lock *draft)
{
	return !row->by[0] || !draft->by[0] || !strcmp(row->by, draft->by);
}

bool lock_row_is_mine(const struct lock *row, const struct lock *draft)
{
	if (lock_is_users(row) || lock_is_users(draft))
		/* Maintenance is not ended by a script of the same user that locks as ever. */
		return row->uid == draft->uid && names_agree(row, draft) &&
		       (row->kind == draft->kind ||
			       (row->kind == LOCK_DURABLE && draft->kind == LOCK_MAINTENANCE));
	if (row->kind == LOCK_RUN || draft->kind == LOCK_RUN)
		/* Two parts of one run keep each other out, and so does one that asks again. */
		return row->kind == draft->kind && row->owner == draft->owner && row->target.stack_id;
	return row->owner == draft->owner;
}

bool lock_compatible(const struct lock *row, const struct lock *draft)
{
	return row->kind == LOCK_SHARED && draft->kind == LOCK_SHARED;
}

/* Sorts the rows that are in the way: only those stay in `rows`, the asker's own goes to *ret_mine. */
static bool rows_split(struct lock_rows *rows, const struct lock *draft, struct lock *ret_mine)
{
	bool found = false;
	size_t n = 0;

	for (size_t i = 0; i < rows->count; i++) {
		if (lock_row_is_mine(&rows->rows[i], draft)) {
			*ret_mine = rows->rows[i];
			found = true;
		} else if (!lock_compatible(&rows->rows[i], draft)) {
			rows->rows[n++] = rows->rows[i];
		}
	}
	rows->count = n;
	return found;
}

int lock_set_expiry(struct engine *engine, const struct lock_draft *draft, struct lock *lock)
{
	struct config config = engine->config;
	int64_t ttl = draft->ttl_ms;
	int r;

	lock->expires_ms = 0;
	if (ttl == 0 && draft->lock.kind == LOCK_DURABLE) {
		r = lock->target.stack_id ? stack_config(engine, lock->target.stack_id, &config) : 0;
		if (r < 0)
			return r;
		ttl = config.lock_timeout_ms;
	}
	if (ttl)
		lock->expires_ms = clock_now_ms(engine) + ttl;
	return 0;
}

/* One's own durable lock again: other words and a new end, but the same grant. */
int lock_row_renew(struct engine *engine, struct caller *caller, const struct lock_object *object,
	const struct lock *row, const struct lock *words)
{
	int r = store_run(engine->store, SQL_LOCK_RENEW, "iiiisiisss", row->target.stack_id,
		row->target.name_id, row->token, words->expires_ms,
		words->bound_pid ? engine->locks->boot_id : "", (int64_t)words->bound_pid,
		(int64_t)words->bound_start, words->by, words->operation, words->reason);

	if (r == 0)
		r = lock_object_event(engine, caller, "lock.renewed", object, 0,
			json_pack("{sI sI}", "token", (json_int_t)row->token, "expires_ms",
				(json_int_t)words->expires_ms));
	if (r < 0)
		return r;
	if (words->expires_ms)
		lock_expiry_note(engine->locks, words->expires_ms);
	engine->locks->bound_changed |= row->bound_pid || words->bound_pid;
	lock_target_note(engine, row->target);
	return 0;
}

/* `mine` NULL: there is none. In a change. */
static int lock_grant(struct engine *engine, struct caller *caller, const struct lock_object *object,
	const struct lock_draft *draft, const struct lock *mine, int64_t *ret_token)
{
	struct lock lock = draft->lock;
	int r;

	lock.since_ms = time_now_ms();
	r = lock_rows_expire(engine);
	if (r == 0)
		r = lock_set_expiry(engine, draft, &lock);
	if (r < 0)
		return r;
	if (mine && lock_is_users(&lock) && mine->kind == lock.kind) {
		lock.token = mine->token;
		r = lock_row_renew(engine, caller, object, mine, &lock);
	} else {
		if (mine)
			r = lock_row_delete(engine, caller, mine, NULL, "");
		if (r == 0)
			r = lock_row_add(engine, caller, object, &lock);
	}
	if (r == 0)
		*ret_token = lock.token;
	return r;
}

/* What was found where one of the wanted locks is. */
struct finding {
	struct lock_object object;
	struct lock mine;
	bool again; /* the asker holds it already, as `mine` */
};

static int look(struct engine *engine, struct caller *caller, const struct lock_draft *draft, bool first,
	struct fault *fault, struct finding *ret_finding)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	struct lock_object *object = &ret_finding->object;
	struct lock_target target = draft->lock.target;
	char label[LOCK_LABEL_MAX], file[LOCK_LABEL_MAX];
	int r;

	r = lock_object_for(engine, caller, target, MAY_WRITE, fault, object);
	if (r == 0)
		r = lock_rows_get(engine, target, &rows);
	if (r < 0)
		return fault_default(fault, -r, "the lock cannot be read: %s", strerror(-r));
	ret_finding->again = rows_split(&rows, &draft->lock, &ret_finding->mine);
	if (rows.count > 0)
		return lock_busy_fault(engine, object, &rows, fault);
	if (!ret_finding->again && !first && lock_queue_get(engine->locks, target))
		return fault_set(fault, EBUSY,
			"others wait for %s and are served first. To wait behind them: "
			"echo 'wait=60s reason=…' > %s, or flock -w 60 %s COMMAND",
			lock_object_label(object, label), lock_object_file(object, file),
			lock_object_file(object, file));
	return 0;
}

/* In a change. */
static int take(struct engine *engine, struct caller *caller, const struct lock_draft *draft,
	const struct finding *finding, int64_t *ret_token)
{
	if (finding->again && !lock_is_users(&draft->lock) && finding->mine.kind == draft->lock.kind) {
		*ret_token = finding->mine.token;
		return 0;
	}
	return lock_grant(
		engine, caller, &finding->object, draft, finding->again ? &finding->mine : NULL, ret_token);
}

int lock_try(struct engine *engine, struct caller *caller, const struct lock_draft *drafts, size_t count,
	bool first, struct fault *fault, int64_t *ret_token)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(cleanup_free) struct finding *findings = calloc(count, sizeof(*findings));
	char label[LOCK_LABEL_MAX];
	int64_t token = 0, first_token = 0;
	size_t i;
	int r = findings ? 0 : -ENOMEM;

	/* Nothing is changed before it is sure that all of them are free. */
	for (i = 0; i < count && r == 0; i++) {
		r = look(engine, caller, &drafts[i], first, fault, &findings[i]);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	for (i = 0; i < count && r == 0; i++) {
		r = take(engine, caller, &drafts[i], &findings[i], &token);
		if (i == 0)
			first_token = token;
	}
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return fault_default(fault, -r, "%s cannot be stored: %s",
			findings ? lock_object_lock(&findings[0].object, label) : "the lock", strerror(-r));
	*ret_token = first_token;
	return 0;
}

int lock_acquire(struct engine *engine, struct caller *caller, struct lock_target target,
	const struct lock_request *request, struct fault *fault, int64_t *ret_token)
{
	return lock_acquire_all(engine, caller, &target, 1, request, fault, ret_token);
}

int lock_acquire_all(struct engine *engine, struct caller *caller, const struct lock_target *targets,
	size_t count, const struct lock_request *request, struct fault *fault, int64_t *ret_token)
{
	CLEANUP(cleanup_free) struct lock_draft *drafts = NULL;
	size_t drafted;
	int r = lock_drafts_make(engine, caller, targets, count, request, fault, &drafts, &drafted);

	return r < 0 ? r : lock_try(engine, caller, drafts, drafted, false, fault, ret_token);
}

int lock_get(struct engine *engine, struct lock_target target, struct lock *ret_lock)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r = lock_rows_get(engine, target, &rows);

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
		lock_target_note(engine, lock_of_stack(stack_id));
	return r;
}

int64_t lock_count(struct engine *engine)
{
	int64_t count;

	return store_get_int(engine->store, &count, SQL_LOCK_COUNT, "") == 0 ? count : 0;
}
