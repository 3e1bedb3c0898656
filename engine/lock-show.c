/* SPDX-License-Identifier: MIT */
/* Locks for readers: the files lock and lock.json, and the sentence for who finds something locked. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "engine/clock.h"
#include "engine/lock-table.h"
#include "engine/run.h"

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

static const char *expiry_text(struct engine *engine, const struct lock *lock, char ret_text[32])
{
	return lock->expires_ms ? time_format(clock_to_wall(engine, lock->expires_ms), ret_text) : "never";
}

/* Where the run stands that holds the lock, or works under it. */
struct progress {
	int64_t run_id; /* 0: none */
	int done, count;
	char task[NAME_SIZE]; /* one that runs now; "": none */
	/* for the search */
	const struct lock *lock;
};

static int find_run(void *userdata, const struct run *run)
{
	struct progress *progress = userdata;
	const struct lock *lock = progress->lock;

	if (lock->kind == LOCK_RUN ? (int64_t)lock->owner != run->id
				   : lock->target.stack_id != run->stack_id || lock->token != run->lock_token)
		return 0;
	progress->run_id = run->id;
	return 1;
}

static int count_task(void *userdata, const struct task *task)
{
	struct progress *progress = userdata;

	progress->count++;
	progress->done += task_status_final(task->status);
	if (task->status == TASK_RUNNING && !*progress->task)
		snprintf(progress->task, sizeof(progress->task), "%s", task->name);
	return 0;
}

static void progress_get(struct engine *engine, const struct lock *lock, struct progress *ret_progress)
{
	*ret_progress = (struct progress){ .lock = lock };
	if (run_each_unfinished(engine, find_run, ret_progress) > 0)
		task_each(engine, ret_progress->run_id, count_task, ret_progress);
}

/* "2 of 5 (build)": the step that is being done. */
static const char *progress_text(const struct progress *progress, char ret_text[192])
{
	int step = progress->done + (*progress->task ? 1 : 0);

	snprintf(ret_text, 192, "%d of %d%s%s%s", step < progress->count ? step : progress->count,
		progress->count, *progress->task ? " (" : "", progress->task, *progress->task ? ")" : "");
	return ret_text;
}

static void show_progress(struct engine *engine, const struct lock *lock, FILE *out)
{
	struct progress progress;
	char text[192];

	progress_get(engine, lock, &progress);
	if (!progress.run_id)
		return;
	fprintf(out, "run: %" PRId64 "\n", progress.run_id);
	if (progress.count)
		write_line(out, "step", progress_text(&progress, text));
}

static void show_lock(struct engine *engine, const struct lock *lock, FILE *out)
{
	char time[32];

	write_line(out, "locked_by", holder_name(lock));
	fprintf(out, "uid: %u\npid: %d\n", (unsigned)lock->uid, (int)lock->pid);
	write_line(out, "command", lock->command);
	write_line(out, "since", time_format(lock->since_ms, time));
	write_line(out, "expires", expiry_text(engine, lock, time));
	write_line(out, "operation", lock->operation);
	write_line(out, "reason", lock->reason);
	fprintf(out, "token: %" PRId64 "\nkind: %s\n", lock->token, lock_kind_name(lock->kind));
	if (lock->bound_pid)
		fprintf(out, "ends_with_pid: %d\n", (int)lock->bound_pid);
	show_progress(engine, lock, out);
}

static void show_waiter(const struct lock_place *place, FILE *out)
{
	const struct lock *lock = &place->draft->lock;
	char user[128], time[32];

	caller_user_name(lock->uid, user, sizeof(user));
	user[strcspn(user, ")")] = '\0';
	fputs("waiting: ", out);
	if (lock->kind == LOCK_RUN)
		fprintf(out, "run %" PRIu64 " of ", lock->owner);
	fprintf(out, "%s, pid %d) since %s", user, (int)lock->pid, time_format(place->wait->since_ms, time));
	if (place->wait->count > 1)
		fprintf(out, ", for %zu locks at once", place->wait->count);
	fputc('\n', out);
}

void lock_show(struct engine *engine, struct lock_target target, FILE *out)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	const struct lock_queue *queue = lock_queue_get(engine->locks, target);
	const struct lock_place *place;

	lock_rows_get(engine, target, &rows);
	if (rows.count == 0)
		fputs("unlocked\n", out);
	for (size_t i = 0; i < rows.count; i++)
		show_lock(engine, &rows.rows[i], out);
	if (!queue)
		return;
	TAILQ_FOREACH (place, &queue->places, entry)
		show_waiter(place, out);
}

static void add_progress(struct engine *engine, const struct lock *lock, json_t *object)
{
	struct progress progress;

	progress_get(engine, lock, &progress);
	if (!progress.run_id)
		return;
	json_object_set_new(object, "run", json_integer(progress.run_id));
	json_object_set_new(object, "tasks_done", json_integer(progress.done));
	json_object_set_new(object, "tasks", json_integer(progress.count));
	json_object_set_new(object, "task", *progress.task ? json_string(progress.task) : json_null());
}

static json_t *lock_json(struct engine *engine, const struct lock *lock)
{
	char since[32], expires[32];
	json_t *object = json_pack("{ss sI si ss ss so ss ss sI ss}", "locked_by", holder_name(lock), "uid",
		(json_int_t)lock->uid, "pid", (int)lock->pid, "command", lock->command, "since",
		time_format(lock->since_ms, since), "expires",
		lock->expires_ms ? json_string(expiry_text(engine, lock, expires)) : json_null(), "operation",
		lock->operation, "reason", lock->reason, "token", (json_int_t)lock->token, "kind",
		lock_kind_name(lock->kind));

	if (object && lock->bound_pid)
		json_object_set_new(object, "ends_with_pid", json_integer(lock->bound_pid));
	if (object)
		add_progress(engine, lock, object);
	return object;
}

static json_t *waiters_json(struct engine *engine, struct lock_target target)
{
	const struct lock_queue *queue = lock_queue_get(engine->locks, target);
	const struct lock_place *place;
	json_t *list = json_array();
	char time[32];

	if (!queue)
		return list;
	TAILQ_FOREACH (place, &queue->places, entry) {
		const struct lock *lock = &place->draft->lock;
		json_t *waiter = json_pack("{ss sI si ss ss}", "user", caller_login(lock->uid), "uid",
			(json_int_t)lock->uid, "pid", (int)lock->pid, "kind", lock_kind_name(lock->kind),
			"since", time_format(place->wait->since_ms, time));

		if (waiter && lock->kind == LOCK_RUN)
			json_object_set_new(waiter, "run", json_integer((json_int_t)lock->owner));
		json_array_append_new(list, waiter);
	}
	return list;
}

/* The first holder's words at the top, as in the file for people; the rest of shared holders under "others".
 */
static json_t *locked_json(struct engine *engine, struct lock_target target, const struct lock_rows *rows)
{
	json_t *object = lock_json(engine, &rows->rows[0]);
	json_t *others = rows->count > 1 ? json_array() : NULL;

	for (size_t i = 1; i < rows->count; i++)
		json_array_append_new(others, lock_json(engine, &rows->rows[i]));
	json_object_set_new(object, "locked", json_true());
	json_object_set_new(object, "waiting", waiters_json(engine, target));
	if (others)
		json_object_set_new(object, "others", others);
	return object;
}

static json_t *target_json(
	struct engine *engine, const struct lock_object *object, const struct lock_rows *rows)
{
	return rows->count ? locked_json(engine, object->target, rows)
			   : json_pack("{sb sI}", "locked", 0, "token", (json_int_t)object->token);
}

static void write_json(json_t *value, FILE *out)
{
	if (value)
		json_dumpf(value, out, JSON_SORT_KEYS | JSON_COMPACT);
	fputc('\n', out);
}

void lock_show_json(struct engine *engine, struct lock_target target, FILE *out)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	struct lock_object object = { .target = target };
	json_auto_t *value = NULL;

	lock_object_get(engine, target, NULL, &object);
	lock_rows_get(engine, target, &rows);
	value = target_json(engine, &object, &rows);
	write_json(value, out);
}

/* All locks: what is held, a target at a time. */
struct showing {
	struct engine *engine;
	struct caller *caller;
	FILE *out;
	json_t *list; /* NULL: for people */
};

static void show_target(struct showing *showing, const struct lock_rows *rows)
{
	struct lock_object object;
	json_t *value;
	bool stack = rows->rows[0].target.stack_id;

	if (lock_object_for(showing->engine, showing->caller, rows->rows[0].target,
		    MAY_READ | (stack ? MAY_EXECUTE : 0), NULL, &object) < 0)
		return;
	for (size_t i = 0; i < rows->count && !showing->list; i++) {
		fprintf(showing->out, "%s/%s: ", stack ? "stacks" : "locks", object.name);
		lock_write_holder(showing->engine, &rows->rows[i], showing->out);
		fputc('\n', showing->out);
	}
	if (!showing->list)
		return;
	value = target_json(showing->engine, &object, rows);
	if (value)
		json_object_set_new(value, stack ? "stack" : "lock", json_string(object.name));
	json_array_append_new(showing->list, value);
}

/* Rows of one target stand together. */
static void show_all(struct showing *showing)
{
	CLEANUP(lock_rows_done) struct lock_rows all = { 0 };
	size_t i = 0, n;

	lock_rows_all(showing->engine, &all);
	for (; i < all.count; i += n) {
		for (n = 1; i + n < all.count && lock_target_same(all.rows[i].target, all.rows[i + n].target);
			n++)
			;
		show_target(showing, &(struct lock_rows){ all.rows + i, n });
	}
}

void lock_show_all(struct engine *engine, struct caller *caller, FILE *out)
{
	show_all(&(struct showing){ engine, caller, out, NULL });
}

void lock_show_all_json(struct engine *engine, struct caller *caller, FILE *out)
{
	json_auto_t *list = json_array();

	if (!list)
		return;
	show_all(&(struct showing){ engine, caller, out, list });
	write_json(list, out);
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

static void write_progress(struct engine *engine, const struct lock *lock, FILE *out)
{
	struct progress progress;
	char text[192];

	progress_get(engine, lock, &progress);
	if (progress.run_id && lock->kind != LOCK_RUN)
		fprintf(out, ", run %" PRId64 " goes on under it", progress.run_id);
	if (progress.run_id && progress.count)
		fprintf(out, ", step %s", progress_text(&progress, text));
}

void lock_write_holder(struct engine *engine, const struct lock *lock, FILE *out)
{
	int64_t now = time_now_ms(), left = lock->expires_ms - clock_now_ms(engine);
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
	write_progress(engine, lock, out);
	write_word("operation", lock->operation, out);
	write_word("reason", lock->reason, out);
	fprintf(out, ", %s lock, token %" PRId64 ", ", lock_kind_name(lock->kind), lock->token);
	if (lock->bound_pid)
		fprintf(out, "ends with process %d, ", (int)lock->bound_pid);
	if (lock->expires_ms)
		fprintf(out, "expires %s (in %s)", expiry_text(engine, lock, time),
			duration_format(left > 0 ? left : 0, ago));
	else
		fputs("does not expire", out);
}

int lock_busy_fault(struct engine *engine, const struct lock_object *object, const struct lock_rows *rows,
	struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	char label[LOCK_LABEL_MAX], file[LOCK_LABEL_MAX];
	FILE *out;

	lock_object_label(object, label);
	out = fault ? buffer_stream_open(&text) : NULL;
	if (!out)
		return fault_set(fault, EBUSY, "%s is locked", label);
	fprintf(out, "%s is locked by ", label);
	lock_write_holder(engine, &rows->rows[0], out);
	if (rows->count > 1)
		fprintf(out, " (and %zu more)", rows->count - 1);
	fprintf(out,
		". To wait for it: echo 'wait=60s reason=…' > %s, or flock -w 60 %s COMMAND. To take it "
		"away, as its owner or root: echo 'force reason=…' > %s",
		lock_object_file(object, file), file, file);
	if (buffer_stream_close(out, &text) < 0)
		return fault_set(fault, EBUSY, "%s is locked", label);
	return fault_set(fault, EBUSY, "%s", buffer_text(&text));
}
