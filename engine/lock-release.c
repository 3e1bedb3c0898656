/* SPDX-License-Identifier: MIT */
/* Who gives a lock back, keeps it longer, or has it taken away. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/event.h"
#include "engine/lock-table.h"
#include "engine/run.h"

static int unlocked_fault(const struct lock_object *object, struct fault *fault)
{
	char label[LOCK_LABEL_MAX];

	return fault_set(fault, ENOENT, "%s is not locked", lock_object_label(object, label));
}

/* Only sessions and durable locks are released by hand; a run's lock is the run's. */
static int release_check(
	struct caller *caller, const struct lock_object *object, const struct lock *lock, struct fault *fault)
{
	char user[128], label[LOCK_LABEL_MAX], file[LOCK_LABEL_MAX];

	lock_object_label(object, label);
	caller_user_name(lock->uid, user, sizeof(user));
	if (lock->kind == LOCK_RUN)
		return fault_set(fault, EPERM,
			"%s is locked by run %" PRIu64
			" of %s and free when that ends: echo cancel > runs/%" PRIu64 "/ctl",
			label, lock->owner, user, lock->owner);
	if (caller && caller->uid == 0)
		return 0;
	if (lock_is_session(lock))
		return fault_set(fault, EPERM,
			"%s is locked by an open file of %s, pid %d (flock): it is free when that is "
			"closed",
			label, user, (int)lock->pid);
	if (caller && caller->uid != lock->uid)
		return fault_set(fault, EPERM,
			"%s is locked by %s: only the holder and root may release that. Its "
			"owner and root can take it away: echo 'force reason=…' > %s",
			label, user, lock_object_file(object, file));
	return 0;
}

/* Somebody who remembers a token that is no longer the holder's acts on what is not his any more. */
static int token_check(
	const struct lock_object *object, const struct lock_rows *rows, int64_t token, struct fault *fault)
{
	char label[LOCK_LABEL_MAX];

	for (size_t i = 0; i < rows->count; i++)
		if (token == 0 || rows->rows[i].token == token)
			return 0;
	return fault_set(fault, ESTALE,
		"%s with token %" PRId64 " is gone (%s; the newest token is "
		"%" PRId64 ")",
		lock_object_lock(object, label), token,
		rows->count ? "somebody else has it now" : "it is not locked", object->token);
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

/* The target and its locks, of which there is at least one; one of them has the token. */
static int locked_object(struct engine *engine, struct lock_target target, int64_t token, struct fault *fault,
	struct lock_object *ret_object, struct lock_rows *ret_rows)
{
	int r = lock_object_get(engine, target, fault, ret_object);

	if (r == 0)
		r = lock_rows_get(engine, target, ret_rows);
	if (r < 0)
		return fault_default(fault, -r, "the lock cannot be read: %s", strerror(-r));
	if (token)
		return token_check(ret_object, ret_rows, token, fault);
	return ret_rows->count == 0 ? unlocked_fault(ret_object, fault) : 0;
}

int lock_release(struct engine *engine, struct caller *caller, struct lock_target target, int64_t token,
	struct fault *fault)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct lock_object object;
	int r;

	r = locked_object(engine, target, token, fault, &object, &rows);
	for (size_t i = 0; i < rows.count && r == 0; i++)
		r = release_check(caller, &object, &rows.rows[i], fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = rows_delete(engine, caller, &rows, "lock.released", "");
	if (r == 0)
		r = store_change_end(&change);
	return r < 0 ? fault_default(fault, -r, "the lock cannot be released: %s", strerror(-r)) : 0;
}

int lock_release_all(struct engine *engine, struct caller *caller, const struct lock_target *targets,
	size_t count, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	for (size_t i = 0; i < count && r == 0; i++)
		r = lock_release(engine, caller, targets[i], 0, fault);
	return r < 0 ? r : store_change_end(&change);
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

int lock_release_owner(struct engine *engine, struct lock_target target, enum lock_kind kind, uint64_t owner)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	const struct lock mine = { .kind = kind, .owner = owner };
	int r = lock_rows_get(engine, target, &rows);

	for (size_t i = 0; i < rows.count && r == 0; i++) {
		const struct lock *row = &rows.rows[i];

		if (row->owner != owner || lock_is_users(row) ||
			lock_is_session(row) != lock_is_session(&mine))
			continue;
		r = release_one(engine, row);
		lock_release_note(engine->locks, target, row->token, r == 0);
	}
	return r;
}

int lock_release_run(struct engine *engine, int64_t run_id)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	int r;

	lock_queue_cancel_run(engine->locks, run_id, NULL, NULL);
	r = lock_rows_of_run(engine, run_id, &rows);
	for (size_t i = 0; i < rows.count && r == 0; i++)
		r = release_one(engine, &rows.rows[i]);
	return r;
}

static int renew_check(
	struct caller *caller, const struct lock_object *object, const struct lock *lock, struct fault *fault)
{
	char user[128], label[LOCK_LABEL_MAX];

	lock_object_label(object, label);
	if (!lock_is_users(lock))
		return fault_set(fault, EINVAL, "%s has a %s lock, which does not expire", label,
			lock_kind_name(lock->kind));
	if (caller && !caller_owns(caller, lock->uid))
		return fault_set(fault, EPERM, "%s is locked by %s: only the holder and root may renew that",
			label, caller_user_name(lock->uid, user, sizeof(user)));
	return 0;
}

int lock_renew(struct engine *engine, struct caller *caller, struct lock_target target, int64_t ttl_ms,
	int64_t token, struct fault *fault)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct lock_draft draft = { .ttl_ms = ttl_ms };
	struct lock_object object;
	struct lock words;
	int r;

	r = locked_object(engine, target, token, fault, &object, &rows);
	if (r == 0)
		r = renew_check(caller, &object, &rows.rows[0], fault);
	if (r < 0)
		return r;
	draft.lock = words = rows.rows[0];
	r = lock_set_expiry(engine, &draft, &words);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = lock_row_renew(engine, caller, &object, &rows.rows[0], &words);
	if (r == 0)
		r = store_change_end(&change);
	return r < 0 ? fault_default(fault, -r, "the lock cannot be renewed: %s", strerror(-r)) : 0;
}

int lock_check_token(struct engine *engine, struct caller *caller, struct lock_target target, int64_t token,
	struct fault *fault)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	struct lock_object object;

	return locked_object(engine, target, token, fault, &object, &rows);
}

static int force_check(
	struct caller *caller, const struct lock_object *object, const char *reason, struct fault *fault)
{
	char owner[128], label[LOCK_LABEL_MAX], file[LOCK_LABEL_MAX];

	if (caller && !caller_owns(caller, object->uid))
		return fault_set(fault, EPERM, "%s can be forced only by its owner %s and root",
			lock_object_lock(object, label), caller_user_name(object->uid, owner, sizeof(owner)));
	if (!*reason)
		return fault_set(fault, EINVAL,
			"forcing a lock needs a reason: echo 'force reason=\"…\"' > %s",
			lock_object_file(object, file));
	if (!text_is_utf8(reason, strlen(reason)))
		return fault_set(fault, EINVAL, "reason is no UTF-8 text");
	return 0;
}

struct losing {
	struct engine *engine;
	const struct lock_rows *rows;
	const char *text;
};

/* A run that held one of the locks, or worked under it. */
static int end_loser(void *userdata, const struct run *run)
{
	struct losing *losing = userdata;

	for (size_t i = 0; i < losing->rows->count; i++) {
		const struct lock *row = &losing->rows->rows[i];

		if ((row->kind == LOCK_RUN && (int64_t)row->owner == run->id) ||
			(row->target.stack_id && row->target.stack_id == run->stack_id &&
				row->token == run->lock_token)) {
			losing->engine->end_run(losing->engine->end_userdata, run->id, losing->text);
			break;
		}
	}
	return 0;
}

static int end_losers(struct engine *engine, struct caller *caller, const struct lock_object *object,
	const struct lock_rows *rows, const char *reason)
{
	char text[LOCK_LABEL_MAX + LOCK_WORD_MAX + 128], label[LOCK_LABEL_MAX];

	if (!engine->end_run)
		return 0;
	snprintf(text, sizeof(text), "%s took %s away: %s", caller ? caller_login(caller->uid) : "slothd",
		lock_object_lock(object, label), reason);
	return run_each_unfinished(engine, end_loser, &(struct losing){ engine, rows, text });
}

/* The token rises, so that what the holder still writes under the old one is refused. */
static int force_rows(struct engine *engine, struct caller *caller, const struct lock_object *object,
	const struct lock_rows *rows, const char *reason)
{
	int64_t token;
	int r = lock_object_next_token(engine, object->target, &token);

	if (r == 0)
		r = rows_delete(engine, caller, rows, "lock.force_released", reason);
	return r < 0 ? r : end_losers(engine, caller, object, rows, reason);
}

/* Before anybody who waits. */
static int take_over(struct engine *engine, struct caller *caller, struct lock_target target,
	const struct lock_request *take, struct fault *fault)
{
	CLEANUP(cleanup_free) struct lock_draft *drafts = NULL;
	int64_t token;
	size_t count;
	int r = lock_drafts_make(engine, caller, &target, 1, take, fault, &drafts, &count);

	return r < 0 ? r : lock_try(engine, caller, drafts, count, true, fault, &token);
}

int lock_force(struct engine *engine, struct caller *caller, struct lock_target target, const char *reason,
	const struct lock_request *take, struct fault *fault)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	char label[LOCK_LABEL_MAX];
	struct lock_object object;
	int r;

	r = lock_object_get(engine, target, fault, &object);
	if (r == 0)
		r = force_check(caller, &object, reason, fault);
	if (r == 0)
		r = locked_object(engine, target, 0, fault, &object, &rows);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = force_rows(engine, caller, &object, &rows, reason);
	if (r == 0 && take)
		r = take_over(engine, caller, target, take, fault);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return fault_default(fault, -r, "the lock cannot be forced: %s", strerror(-r));
	log_warning("%s: %s forced the lock of uid %u", lock_object_label(&object, label),
		caller ? caller_login(caller->uid) : "slothd", (unsigned)rows.rows[0].uid);
	return 0;
}

int lock_forget_target(struct engine *engine, struct lock_target target)
{
	int r = store_run(engine->store, SQL_LOCK_DELETE_TARGET, "ii", target.stack_id, target.name_id);

	if (r < 0)
		return r;
	engine->locks->bound_changed = true;
	lock_queue_kick(engine->locks, target);
	return 0;
}
