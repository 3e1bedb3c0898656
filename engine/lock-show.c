/* SPDX-License-Identifier: MIT */
/* Locks for readers: the files lock and lock.json, and the sentence for who finds the stack locked. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "engine/lock-table.h"

enum {
	SENTENCE_WORD_MAX = 120
}; /* bytes of a user's word in a sentence, so that the advice at its end stays */

static void write_line(FILE *out, const char *name, const char *text)
{
	fprintf(out, "%s: ", name);
	text_write_safe(out, text);
	fputc('\n', out);
}

static const char *holder_name(const struct lock *lock)
{
	return lock->by[0] ? lock->by : caller_login(lock->uid);
}

static const char *expiry_text(const struct lock *lock, char ret_text[32])
{
	return lock->expires_ms ? time_format(lock->expires_ms, ret_text) : "never";
}

static void show_lock(const struct lock *lock, FILE *out)
{
	char time[32];

	write_line(out, "locked_by", holder_name(lock));
	fprintf(out, "uid: %u\npid: %d\n", (unsigned)lock->uid, (int)lock->pid);
	write_line(out, "command", lock->command);
	write_line(out, "since", time_format(lock->since_ms, time));
	write_line(out, "expires", expiry_text(lock, time));
	write_line(out, "operation", lock->operation);
	write_line(out, "reason", lock->reason);
	fprintf(out, "token: %" PRId64 "\nkind: %s\n", lock->token, lock_kind_name(lock->kind));
}

void lock_show(struct engine *engine, int64_t stack_id, FILE *out)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	const struct lock_queue *queue = lock_queue_get(engine->locks, stack_id);
	const struct lock_wait *wait;
	char user[128], time[32];

	lock_rows_get(engine, stack_id, &rows);
	if (rows.count == 0)
		fputs("unlocked\n", out);
	for (size_t i = 0; i < rows.count; i++)
		show_lock(&rows.rows[i], out);
	if (!queue)
		return;
	TAILQ_FOREACH (wait, &queue->waits, entry) {
		caller_user_name(wait->draft.lock.uid, user, sizeof(user));
		user[strcspn(user, ")")] = '\0';
		fprintf(out, "waiting: %s, pid %d) since %s\n", user, (int)wait->draft.lock.pid,
			time_format(wait->since_ms, time));
	}
}

static json_t *lock_json(const struct lock *lock)
{
	char since[32], expires[32];

	return json_pack("{ss sI si ss ss so ss ss sI ss}", "locked_by", holder_name(lock), "uid",
		(json_int_t)lock->uid, "pid", (int)lock->pid, "command", lock->command, "since",
		time_format(lock->since_ms, since), "expires",
		lock->expires_ms ? json_string(time_format(lock->expires_ms, expires)) : json_null(),
		"operation", lock->operation, "reason", lock->reason, "token", (json_int_t)lock->token,
		"kind", lock_kind_name(lock->kind));
}

static json_t *waiters_json(struct engine *engine, int64_t stack_id)
{
	const struct lock_queue *queue = lock_queue_get(engine->locks, stack_id);
	const struct lock_wait *wait;
	json_t *list = json_array();
	char time[32];

	if (!queue)
		return list;
	TAILQ_FOREACH (wait, &queue->waits, entry) {
		json_array_append_new(
			list, json_pack("{ss sI si ss}", "user", caller_login(wait->draft.lock.uid), "uid",
				      (json_int_t)wait->draft.lock.uid, "pid", (int)wait->draft.lock.pid,
				      "since", time_format(wait->since_ms, time)));
	}
	return list;
}

/* The first holder's words at the top, as in the file for people; the rest of shared holders under "others".
 */
static json_t *locked_json(struct engine *engine, int64_t stack_id, const struct lock_rows *rows)
{
	json_t *object = lock_json(&rows->rows[0]);
	json_t *others = rows->count > 1 ? json_array() : NULL;

	for (size_t i = 1; i < rows->count; i++)
		json_array_append_new(others, lock_json(&rows->rows[i]));
	json_object_set_new(object, "locked", json_true());
	json_object_set_new(object, "waiting", waiters_json(engine, stack_id));
	if (others)
		json_object_set_new(object, "others", others);
	return object;
}

void lock_show_json(struct engine *engine, int64_t stack_id, FILE *out)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	json_auto_t *object = NULL;
	struct stack stack = { 0 };

	stack_get(engine, stack_id, &stack);
	lock_rows_get(engine, stack_id, &rows);
	if (rows.count == 0)
		object = json_pack("{sb sI}", "locked", 0, "token", (json_int_t)stack.token);
	else
		object = locked_json(engine, stack_id, &rows);
	if (object)
		json_dumpf(object, out, JSON_SORT_KEYS | JSON_COMPACT);
	fputc('\n', out);
}

static void write_word(const char *name, const char *word, FILE *out)
{
	size_t n = strlen(word);

	if (n == 0)
		return;
	fprintf(out, ", %s \"", name);
	text_write_safe_n(out, word, n > SENTENCE_WORD_MAX ? SENTENCE_WORD_MAX : n);
	fputs(n > SENTENCE_WORD_MAX ? "…\"" : "\"", out);
}

void lock_write_holder(const struct lock *lock, FILE *out)
{
	int64_t now = time_now_ms();
	char user[128], time[32], ago[32];

	if (lock->kind == LOCK_RUN)
		fprintf(out, "run %" PRIu64 " of ", lock->owner);
	fputs(caller_user_name(lock->uid, user, sizeof(user)), out);
	write_word("as", lock->by, out);
	if (lock->pid)
		fprintf(out, ", pid %d", (int)lock->pid);
	write_word("command", lock->command, out);
	fprintf(out, ", since %s (%s ago)", time_format(lock->since_ms, time),
		duration_format(now > lock->since_ms ? now - lock->since_ms : 0, ago));
	write_word("operation", lock->operation, out);
	write_word("reason", lock->reason, out);
	fprintf(out, ", %s lock, token %" PRId64 ", ", lock_kind_name(lock->kind), lock->token);
	if (lock->expires_ms)
		fprintf(out, "expires %s (in %s)", time_format(lock->expires_ms, time),
			duration_format(lock->expires_ms > now ? lock->expires_ms - now : 0, ago));
	else
		fputs("does not expire", out);
}

int lock_busy_fault(const struct stack *stack, const struct lock_rows *rows, struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	FILE *out = buffer_stream_open(&text);

	if (!out)
		return fault_set(fault, EBUSY, "stack %s is locked", stack->name);
	fprintf(out, "stack %s is locked by ", stack->name);
	lock_write_holder(&rows->rows[0], out);
	if (rows->count > 1)
		fprintf(out, " (and %zu more)", rows->count - 1);
	fputs(". To wait for it: echo 'wait=60s reason=…' > lock, or flock -w 60 lock COMMAND. To take it "
	      "away, as the "
	      "stack's owner or root: echo 'force reason=…' > lock",
		out);
	if (buffer_stream_close(out, &text) < 0)
		return fault_set(fault, EBUSY, "stack %s is locked", stack->name);
	return fault_set(fault, EBUSY, "%s", buffer_text(&text));
}
