/* SPDX-License-Identifier: MIT */
/* Runs as rows. */
#include "engine/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "engine/event.h"
#include "engine/image.h"
#include "engine/transition.h"

static const struct {
	const char *column;
	unsigned aspect;
} texts[RUN_TEXT_COUNT] = {
	[RUN_WORKFLOW] = { "workflow", ASPECT_DOCUMENTS },
	[RUN_VALUES] = { "values", ASPECT_DOCUMENTS },
	[RUN_PLAN] = { "plan", ASPECT_PLAN },
	[RUN_RESULT] = { "result", ASPECT_STATUS },
	[RUN_ERROR] = { "error", ASPECT_STATUS },
	[RUN_OUTPUTS] = { "outputs", ASPECT_OUTPUTS },
	[RUN_CONFIG] = { "config", ASPECT_DOCUMENTS },
};

static void run_load(struct query *query, void *ret)
{
	struct run *ret_run = ret;
	int status = run_status_parse(query_text(query, 9));

	*ret_run = (struct run){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.uid = (uid_t)query_int(query, 4),
		.gid = (gid_t)query_int(query, 5),
		.owner_uid = (uid_t)query_int(query, 6),
		.owner_gid = (gid_t)query_int(query, 7),
		.mode = (mode_t)query_int(query, 8),
		.status = status < 0 ? RUN_INTERRUPTED : (enum run_status)status,
		.created_ms = query_int(query, 10),
		.started_ms = query_int(query, 11),
		.finished_ms = query_int(query, 12),
		.updated_ms = query_int(query, 13),
		.lock_token = query_int(query, 14),
		.holds_lock = query_int(query, 15) != 0,
		.retry_of = query_int(query, 16),
		.depth = (int)query_int(query, 17),
		.pid = (pid_t)query_int(query, 18),
		.pid_start = (uint64_t)query_int(query, 19),
		.last_seq = query_int(query, 22),
		.log_size = query_int(query, 23),
		.log_json_size = query_int(query, 24),
		.lock_wait_ms = query_int(query, 25),
		.waiting_since_ms = query_int(query, 26),
		.parent = query_int(query, 27),
	};
	snprintf(ret_run->stack, sizeof(ret_run->stack), "%s", query_text(query, 2));
	snprintf(ret_run->file, sizeof(ret_run->file), "%s", query_text(query, 3));
	snprintf(ret_run->boot_id, sizeof(ret_run->boot_id), "%s", query_text(query, 20));
	snprintf(ret_run->secret, sizeof(ret_run->secret), "%s", query_text(query, 21));
	snprintf(ret_run->cgroup, sizeof(ret_run->cgroup), "%s", query_text(query, 28));
}

static void run_load_name(struct query *query, void *ret)
{
	struct run *ret_run = ret;

	ret_run->id = query_int(query, 0);
	ret_run->stack_id = query_int(query, 1);
	ret_run->uid = (uid_t)query_int(query, 2);
	ret_run->owner_uid = (uid_t)query_int(query, 3);
	ret_run->owner_gid = (gid_t)query_int(query, 4);
	ret_run->mode = (mode_t)query_int(query, 5);
}

/* Ends the query. */
static int run_walk(struct query *query, void (*load)(struct query *query, void *ret),
	int (*each)(void *userdata, const struct run *run), void *userdata)
{
	CLEANUP(query_endp) struct query *owned = query;
	struct run run = { 0 };
	int r;

	while ((r = query_step(owned)) > 0) {
		load(owned, &run);
		r = each(userdata, &run);
		if (r != 0)
			break;
	}
	return r;
}

static void run_note(struct engine *engine, const struct run *run, unsigned aspects)
{
	engine_note(engine, SUBJECT_RUN, run->id, aspects);
	if (run->stack_id)
		engine_note(engine, SUBJECT_STACK, run->stack_id, aspects & (ASPECT_NAMES | ASPECT_STATUS));
}

static int file_check(const char *file)
{
	return strlen(file) >= sizeof(((struct run *)0)->file) ? -ENAMETOOLONG
	       : name_check(file) == -EINVAL		       ? -EINVAL
							       : 0;
}

/* `error` may be NULL. */
static int tell_transition(struct engine *engine, const struct run *run, const char *from,
	enum run_status status, const char *error, int64_t now)
{
	const struct transition transition = {
		.run_id = run->id,
		.task = "",
		.time_ms = now,
		.from = from,
		.to = run_status_name(status),
		.duration_ms = run_status_final(status) && run->started_ms ? now - run->started_ms : -1,
		.error = error,
	};

	return transition_add(engine, &transition);
}

static int run_insert(struct engine *engine, struct caller *caller, const char *file, int64_t stack_id,
	const char *workflow, size_t size, struct run *ret_run)
{
	struct stack stack = { 0 };
	int64_t id;
	int r = stack_id ? stack_get(engine, stack_id, &stack) : 0;

	if (r == 0)
		r = store_insert(engine->store, &id, SQL_RUN_ADD, "issiii", stack_id, stack.name, file,
			(int64_t)(caller ? caller->uid : geteuid()),
			(int64_t)(caller ? caller->gid : getegid()), time_now_ms());
	if (r == 0)
		r = run_set_text(engine, id, RUN_WORKFLOW, workflow, size);
	if (r == 0)
		r = event_add(engine, caller, "run.submitted", stack_id, stack.name, id,
			json_pack("{ss}", "file", file));
	if (r == 0)
		r = run_get(engine, id, ret_run);
	return r < 0 ? r : tell_transition(engine, ret_run, "", RUN_QUEUED, NULL, ret_run->created_ms);
}

int run_create(struct engine *engine, struct caller *caller, const char *file, int64_t stack_id,
	const char *workflow, size_t size, struct run *ret_run)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct run run;
	int r = file_check(file);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = run_insert(engine, caller, file, stack_id, workflow, size, &run);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	run_note(engine, &run, ASPECT_ALL);
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES);
	*ret_run = run;
	return 0;
}

int run_get(struct engine *engine, int64_t id, struct run *ret_run)
{
	return query_one(query_begin(engine->store, SQL_RUN_GET, "i", id), run_load, ret_run);
}

int run_each(struct engine *engine, int64_t stack_id, int64_t before,
	int (*each)(void *userdata, const struct run *run), void *userdata)
{
	int64_t below = before ? before : INT64_MAX, of = stack_id < 0 ? 0 : stack_id;
	struct query *query = stack_id ? query_begin(engine->store, SQL_RUN_OF_STACK, "ii", below, of)
				       : query_begin(engine->store, SQL_RUN_EACH, "i", below);

	return run_walk(query, run_load_name, each, userdata);
}

int run_each_unfinished(
	struct engine *engine, int (*each)(void *userdata, const struct run *run), void *userdata)
{
	return run_walk(query_begin(engine->store, SQL_RUN_UNFINISHED, ""), run_load, each, userdata);
}

int run_count_unfinished(struct engine *engine, int64_t stack_id, int64_t *ret_count)
{
	return store_get_int(engine->store, ret_count, SQL_RUN_COUNT_UNFINISHED, "i", stack_id);
}

/* Ends a change of one row: -ENOENT when the statement met none. */
static int row_changed(struct engine *engine, struct store_change *change, int r)
{
	if (r == 0 && store_changed_rows(engine->store) == 0)
		r = -ENOENT;
	return r < 0 ? r : store_change_end(change);
}

int run_set_before(struct engine *engine, int64_t id, int64_t version)
{
	return store_run(engine->store, SQL_RUN_SET_BEFORE, "ii", id, version);
}

int run_before(struct engine *engine, int64_t id, int64_t *ret_version)
{
	return store_get_int(engine->store, ret_version, SQL_RUN_BEFORE, "i", id);
}

int run_set_cancels(struct engine *engine, int64_t id, unsigned cancels, const char *why)
{
	return store_run(engine->store, SQL_RUN_SET_CANCELS, "iis", id, (int64_t)cancels, why);
}

int run_cancels(struct engine *engine, int64_t id, unsigned *ret_cancels, char *ret_why, size_t size)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_RUN_CANCELS, "i", id);
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_cancels = (unsigned)query_int(query, 0);
	snprintf(ret_why, size, "%s", query_text(query, 1));
	return 0;
}

int run_not_undone(struct engine *engine, int64_t id, struct buffer *ret_names)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_TASK_NOT_UNDONE, "i", id);
	int r, r2 = 0;

	while (r2 == 0 && (r = query_step(query)) > 0) {
		if (ret_names->size)
			r2 = buffer_append_text(ret_names, ", ");
		if (r2 == 0)
			r2 = buffer_append_text(ret_names, query_text(query, 0));
	}
	return r2 < 0 ? r2 : r;
}

int run_set_retry(struct engine *engine, int64_t id, int64_t retry_of)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_RUN_SET_RETRY, "ii", id, retry_of);
	return row_changed(engine, &change, r);
}

int run_set_parent(struct engine *engine, int64_t id, int64_t parent, int depth)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_RUN_SET_PARENT, "iii", id, parent, (int64_t)depth);
	return row_changed(engine, &change, r);
}

int run_set_options(
	struct engine *engine, int64_t id, const json_t *options, const json_t *values, const char *stack)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	json_auto_t *all = json_pack("{s:O?, s:O?, s:s*}", "options", (json_t *)(uintptr_t)options, "values",
		(json_t *)(uintptr_t)values, "stack", stack);
	CLEANUP(cleanup_free) char *text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	int r = text ? store_change_begin(engine->store, &change) : -ENOMEM;

	if (r == 0)
		r = store_run(engine->store, SQL_RUN_SET_OPTIONS, "is", id, text);
	return row_changed(engine, &change, r);
}

json_t *run_options(struct engine *engine, int64_t id, const char *which)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_RUN_OPTIONS, "i", id);
	json_auto_t *all = query_step(query) > 0 ? json_loads(query_text(query, 0), 0, NULL) : NULL;

	return json_incref(json_object_get(all, which));
}

int run_set_imports(struct engine *engine, int64_t id, const json_t *imports)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(cleanup_free) char *text = json_dumps(imports, JSON_COMPACT | JSON_SORT_KEYS);
	int r = text ? store_change_begin(engine->store, &change) : -ENOMEM;

	if (r == 0)
		r = store_run(engine->store, SQL_RUN_SET_IMPORTS, "is", id, text);
	return row_changed(engine, &change, r);
}

json_t *run_imports(struct engine *engine, int64_t id)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_RUN_IMPORTS, "i", id);

	return query_step(query) > 0 ? json_loads(query_text(query, 0), 0, NULL) : NULL;
}

int run_set_wait(struct engine *engine, int64_t id, int64_t wait_ms, int64_t since_ms)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_RUN_SET_WAIT, "iiii", id, wait_ms, since_ms, time_now_ms());
	return row_changed(engine, &change, r);
}

int run_set_stack(struct engine *engine, int64_t id, int64_t stack_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	struct run run;
	int r;

	r = run_get(engine, id, &run);
	if (r < 0)
		return r;
	if (run.stack_id == stack_id)
		return 0;
	if (run.stack_id)
		return -EINVAL;
	r = stack_get(engine, stack_id, &stack);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(
			engine->store, SQL_RUN_SET_STACK, "iisi", id, stack_id, stack.name, time_now_ms());
	r = row_changed(engine, &change, r);
	if (r < 0)
		return r;
	run.stack_id = stack_id;
	run_note(engine, &run, ASPECT_META | ASPECT_STATUS | ASPECT_NAMES);
	return 0;
}

int run_set_process(struct engine *engine, int64_t id, pid_t pid, const char *secret, const char *cgroup)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	uint64_t start = 0;
	char boot[37] = "";
	int r;

	if (pid > 0)
		process_start_time(pid, &start);
	process_boot_id(boot);
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_RUN_SET_PROCESS, "iiissis", id, (int64_t)pid, (int64_t)start,
			boot, secret, time_now_ms(), cgroup);
	return row_changed(engine, &change, r);
}

int run_set_lock(struct engine *engine, int64_t id, int64_t token, bool own)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(
			engine->store, SQL_RUN_SET_LOCK, "iiii", id, token, (int64_t)own, time_now_ms());
	return row_changed(engine, &change, r);
}

int run_set_seq(struct engine *engine, int64_t id, int64_t seq)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_RUN_SET_SEQ, "ii", id, seq);
	return row_changed(engine, &change, r);
}

int run_keep_answer(struct engine *engine, int64_t id, int64_t seq, const char *answer)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_RUN_KEEP_ANSWER, "iis", id, seq, answer);
	return r < 0 ? r : store_change_end(&change);
}

int run_find_answer(struct engine *engine, int64_t id, int64_t seq, struct buffer *ret_answer)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RUN_FIND_ANSWER, "ii", id, seq);
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = buffer_truncate(ret_answer, 0);
	return r < 0 ? r : buffer_append_text(ret_answer, query_text(query, 0));
}

int run_drop_answers(struct engine *engine, int64_t id, int64_t below_seq)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_RUN_DROP_ANSWERS, "ii", id, below_seq);
	return r < 0 ? r : store_change_end(&change);
}

/* What a status means for others: the event that tells of it, and the stack's status. A run that never ran
 * leaves its stack alone. */
static const struct effect {
	const char *event; /* NULL: none */
	enum stack_status stack;
	bool on_stack;
} effects[RUN_STATUS_COUNT] = {
	[RUN_RUNNING] = { "stack.execution.started", STACK_RUNNING, true },
	[RUN_SUCCESS] = { "stack.execution.completed", STACK_COMPLETED, true },
	[RUN_FAILED] = { "stack.execution.failed", STACK_FAILED, true },
	[RUN_CANCELLED] = { "stack.execution.failed", STACK_FAILED, true },
	[RUN_TIMED_OUT] = { "stack.execution.failed", STACK_FAILED, true },
	[RUN_INTERRUPTED] = { "stack.execution.failed", STACK_FAILED, true },
	[RUN_ROLLING_BACK] = { NULL, STACK_RUNNING, true },
	[RUN_ROLLED_BACK] = { "stack.execution.failed", STACK_FAILED, true },
	[RUN_ROLLBACK_FAILED] = { "stack.execution.failed", STACK_FAILED, true },
};

static int status_effects(
	struct engine *engine, const struct run *run, enum run_status status, const char *error)
{
	const struct effect *effect = &effects[status];
	struct caller submitter = { .uid = run->uid, .gid = run->gid };
	bool first = status == RUN_RUNNING && !run->started_ms;
	int r = 0;

	if (effect->event) {
		json_t *data = json_pack("{ss ss}", "file", run->file, "status", run_status_name(status));

		if (data && error && text_is_utf8(error, strlen(error)))
			json_object_set_new(data, "error", json_string(error));
		r = event_add(engine, &submitter, effect->event, run->stack_id, run->stack, run->id, data);
	}
	if (r < 0 || !run->stack_id || !effect->on_stack || (!run->started_ms && !first))
		return r;
	r = stack_set_status(engine, run->stack_id, effect->stack);
	return r < 0 || !first ? r : stack_count_run(engine, run->stack_id, run->id);
}

int run_set_status(struct engine *engine, int64_t id, enum run_status status, const char *error)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t now = time_now_ms();
	struct run run;
	int r = run_get(engine, id, &run);

	if (r < 0)
		return r;
	if (!run_status_follows(run.status, status))
		return -EINVAL;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_RUN_SET_STATUS, "isiii", id, run_status_name(status),
			run.started_ms || status != RUN_RUNNING ? run.started_ms : now,
			run_status_final(status) ? now : INT64_C(0), now);
	if (r == 0 && error)
		r = run_set_text(engine, id, RUN_ERROR, error, strlen(error));
	if (r == 0 && status == RUN_SUCCESS && run.stack_id)
		r = stack_time_runs(engine, run.stack_id);
	if (r == 0)
		r = status_effects(engine, &run, status, error);
	if (r == 0)
		r = tell_transition(engine, &run, run_status_name(run.status), status, error, now);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		run_note(engine, &run, ASPECT_STATUS | (run_status_final(status) ? ASPECT_LOG : 0));
	return r;
}

int run_text(struct engine *engine, int64_t id, enum run_text which, struct buffer *ret_text)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RUN_TEXT, "is", id, texts[which].column);
	struct run run;
	const void *data;
	size_t size;
	int r = query_step(query);

	if (r < 0)
		return r;
	if (r == 0) {
		r = run_get(engine, id, &run);
		return r < 0 ? r : buffer_truncate(ret_text, 0);
	}
	data = query_blob(query, 0, &size);
	r = buffer_truncate(ret_text, 0);
	return r < 0 ? r : buffer_append(ret_text, data, size);
}

int64_t run_text_size(struct engine *engine, int64_t id, enum run_text which)
{
	int64_t size;
	struct run run;
	int r = store_get_int(engine->store, &size, SQL_RUN_TEXT_SIZE, "is", id, texts[which].column);

	if (r == -ENOENT) {
		r = run_get(engine, id, &run);
		size = 0;
	}
	return r < 0 ? r : size;
}

int run_set_text(struct engine *engine, int64_t id, enum run_text which, const char *text, size_t size)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct run run;
	int r = run_get(engine, id, &run);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_RUN_SET_TEXT, "isb", id, texts[which].column, text, size);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		run_note(engine, &run, texts[which].aspect);
	return r;
}

/* A file that shows the text of a run goes with that run. */
static int files_delete(struct engine *engine, int64_t id)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_WORKFLOW_DELETE_RUN, "i", id);
	int r;

	while ((r = query_step(query)) > 0)
		engine_note(engine, SUBJECT_FILE, query_int(query, 0), ASPECT_ALL);
	return r;
}

int run_delete(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct run run;
	int r = run_get(engine, id, &run);

	if (r < 0)
		return fault_set(fault, -r, "there is no run %" PRId64, id);
	if (caller && !caller_owns(caller, run.uid) && !caller_owns(caller, run.owner_uid))
		return fault_set(fault, EPERM,
			"run %" PRId64 " can be deleted by its submitter, the stack's owner and root", id);
	if (!run_status_final(run.status))
		return fault_set(fault, EBUSY,
			"run %" PRId64 " is %s: echo cancel > runs/%" PRId64 "/ctl first", id,
			run_status_name(run.status), id);
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = files_delete(engine, id);
	if (r == 0)
		r = image_forget(engine, id);
	if (r == 0)
		r = store_run(engine->store, SQL_RUN_DELETE, "i", id);
	if (r == 0)
		r = event_add(engine, caller, "run.deleted", run.stack_id, run.stack, id,
			json_pack("{ss}", "file", run.file));
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	run_note(engine, &run, ASPECT_ALL);
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES);
	return 0;
}
