/* SPDX-License-Identifier: MIT */
/* What the process of a run tells: one row a frame. Each is applied once, in order; `ack` follows the commit.
 */
#include "engine/runner-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/adopt.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/artifact.h"
#include "engine/detect.h"
#include "engine/folder.h"
#include "engine/image.h"
#include "engine/quota.h"
#include "engine/run-undo.h"
#include "engine/snapshot.h"
#include "engine/try.h"

static const char *get_text(json_t *head, const char *key)
{
	return json_string_value(json_object_get(head, key));
}

static int refuse(struct runner *runner, int code, const char *text)
{
	struct fault fault = { 0 };
	int r;

	fault_set(&fault, code, "%s", text);
	r = runner_finish(runner, RUN_FAILED, TASK_CANCELLED, text);
	runner_tell_loaded(runner, -code, &fault);
	return r;
}

static int apply_refused(struct runner *runner, json_t *head, const struct frame *frame)
{
	int code = fault_errno_value(get_text(head, "errno") ? get_text(head, "errno") : "EINVAL");
	const char *text = get_text(head, "text");

	return refuse(runner, code ? code : EINVAL, text ? text : "the workflow was refused");
}

/* The stack is the folder's or the one that was asked for, else the one that the workflow names, else the
 * workflow's own name; made if missing. */
static int bind_stack(struct runner *runner, json_t *head, struct fault *fault, struct stack *ret_stack)
{
	struct engine *engine = runner->of->engine;
	const char *named = get_text(head, "stack") ? get_text(head, "stack") : get_text(head, "workflow");
	const char *name = *runner->stack ? runner->stack : named;
	struct run run;
	int r = run_get(engine, runner->run_id, &run);

	if (r < 0)
		return r;
	if (run.stack_id)
		return stack_get(engine, run.stack_id, ret_stack);
	if (!name)
		return fault_set(fault, EINVAL, "the workflow names no stack");
	r = stack_find(engine, name, ret_stack);
	if (r == -ENOENT)
		r = folder_make_stack(engine, &runner->submitter, name, 0755, fault, ret_stack);
	return r < 0 ? r : run_set_stack(engine, runner->run_id, ret_stack->id);
}

/* The version that a rollback goes back to. */
static int keep_for_rollback(
	struct runner *runner, struct caller *caller, int64_t stack_id, const char *description)
{
	struct engine *engine = runner->of->engine;
	int64_t number;
	int r = snapshot_keep(engine, caller, stack_id, SNAPSHOT_BEFORE_DEPLOYMENT, description);

	if (r == 0)
		r = version_last(engine, stack_id, &number);
	return r < 0 ? r : run_set_before(engine, runner->run_id, number);
}

/* A version to go back to, where the workflow or the stack's settings ask for it. */
static int keep_before(struct runner *runner, struct caller *caller, const struct run *run)
{
	enum snapshot_trigger trigger =
		strcmp(run->file, DRIFT_FIX_FILE) ? SNAPSHOT_BEFORE_DEPLOYMENT : SNAPSHOT_ON_DRIFT_FIX;
	struct engine *engine = runner->of->engine;
	const json_t *plan = runner_plan(runner);
	int64_t stack_id = run->stack_id;
	char description[64];
	json_t *wish;

	int64_t before;
	int r = version_last(engine, stack_id, &before);

	/* What undoing the run goes back to. */
	if (r == 0)
		r = run_set_before(engine, runner->run_id, before);
	if (r < 0)
		return r;
	wish = json_object_get(json_object_get(plan, "config"), "create_snapshot");
	snprintf(description, sizeof(description), "before run %lld", (long long)runner->run_id);
	if (runner_rolls_back(plan))
		return keep_for_rollback(runner, caller, stack_id, description);
	if (json_is_true(wish))
		return snapshot_keep(engine, caller, stack_id, trigger, description);
	return json_is_false(wish) ? 0 : snapshot_auto(engine, caller, stack_id, trigger, description);
}

/* The frame that lets the process begin. */
static int start_frame(struct runner *runner, json_t **ret_frame)
{
	struct engine *engine = runner->of->engine;
	CLEANUP(buffer_done) struct buffer values = { 0 };
	char id[32], token[32];
	struct run run;
	int r = run_get(engine, runner->run_id, &run);

	if (r == 0)
		r = run_text(engine, runner->run_id, RUN_VALUES, &values);
	if (r < 0)
		return r;
	snprintf(id, sizeof(id), "%lld", (long long)run.id);
	snprintf(token, sizeof(token), "%lld", (long long)run.lock_token);
	*ret_frame = json_pack("{s:s, s:s, s:o, s:o, s:{s:s, s:s, s:s}}", "op", "start", "stack", run.stack,
		"token", run.lock_token ? json_integer(run.lock_token) : json_null(), "values",
		json_loads(values.size ? values.data : "{}", 0, NULL), "env", "SLOTH_RUN", id, "SLOTH_STACK",
		run.stack, "SLOTH_LOCK_TOKEN", run.lock_token ? token : "");
	return *ret_frame ? 0 : -ENOMEM;
}

void runner_start_again(struct runner *runner)
{
	json_t *frame;

	if (start_frame(runner, &frame) == 0)
		runner_send(runner, frame, NULL, 0);
}

/* The daemon wrote the workflow: it is none of the stack's. */
static bool is_made(const char *file)
{
	return !strcmp(file, DRIFT_FIX_FILE) || !strcmp(file, ADOPT_FILE) || !strcmp(file, RUN_UNDO_FILE);
}

int runner_begin(struct runner *runner)
{
	struct engine *engine = runner->of->engine;
	CLEANUP(buffer_done) struct buffer workflow = { 0 };
	struct caller caller = runner->submitter;
	json_t *frame;
	struct run run;
	int r = run_get(engine, runner->run_id, &run);

	caller.run_id = runner->run_id;
	if (r == 0)
		r = run_text(engine, runner->run_id, RUN_WORKFLOW, &workflow);
	if (r == 0)
		r = keep_before(runner, &caller, &run);
	FAILPOINT("run.begin");
	if (r == 0 && !is_made(run.file))
		r = stack_keep_workflow(engine, &caller, run.stack_id, buffer_text(&workflow), workflow.size);
	if (r == 0)
		r = run_set_status(engine, runner->run_id, RUN_RUNNING, NULL);
	if (r == 0)
		r = start_frame(runner, &frame);
	if (r < 0)
		return r;
	runner->state = RUNNER_RUNNING;
	/* Nothing begins before it is on disk that it does. */
	return json_array_append_new(runner->after_commit, frame) < 0 ? -ENOMEM : 0;
}

static int loaded_and_locked(struct runner *runner, json_t *head, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = runner->of->engine;
	struct stack stack;
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = bind_stack(runner, head, fault, &stack);
	if (r == 0)
		r = runner_merge_values(runner, stack.id, fault);
	if (r == 0 && runner->state != RUNNER_WAITING)
		r = run_set_status(engine, runner->run_id, RUN_WAITING, NULL);
	if (r == 0)
		r = runner_take_lock(runner, &stack, head, fault);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		runner_leave_lock(runner);
	else
		runner->stack_id = stack.id;
	return r;
}

static int apply_loaded(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct fault fault = { 0 };
	int r;

	if (runner->state != RUNNER_LOADING)
		return 0;
	ev_timer_stop(runner->of->engine->loop, &runner->deadline);
	if (runner->disowned) {
		runner_send(runner, json_pack("{s:s, s:i}", "op", "cancel", "grace_ms", 0), NULL, 0);
		return refuse(runner, ECANCELED, "whoever submitted it was told that it could not be stored");
	}
	runner_note_validation(runner, head);
	r = runner_keep_plan(runner, head);
	if (r == 0 && json_is_object(json_object_get(head, "imports")))
		r = run_set_imports(runner->of->engine, runner->run_id, json_object_get(head, "imports"));
	if (r < 0)
		return r;
	FAILPOINT("run.planned");
	r = loaded_and_locked(runner, head, &fault);
	FAILPOINT("run.locked");
	if (r < 0) {
		fault_default(&fault, -r, "%s", strerror(-r));
		runner_send(runner, json_pack("{s:s, s:i}", "op", "cancel", "grace_ms", 0), NULL, 0);
		return refuse(runner, -r, fault.text);
	}
	runner->state = RUNNER_WAITING;
	runner_tell_loaded(runner, 0, NULL);
	runner_start_waiting(runner->of);
	runner_start_queued(runner->of);
	return 0;
}

/* A task that the run before had done: what it kept is this run's, too. */
static int take_over_artifacts(struct runner *runner, const struct task *task)
{
	struct engine *engine = runner->of->engine;
	struct task before;
	int r = task_find(engine, runner->retry_of, task->name, &before);

	return r == -ENOENT ? 0 : r < 0 ? r : artifact_take_over(engine, before.id, runner->run_id, task->id);
}

/* What the try has saved is there with the task's new state, or goes with it. `task` is as it was before. */
static int task_artifacts(struct runner *runner, const struct task *task, enum task_status status)
{
	struct engine *engine = runner->of->engine;
	bool done = status == TASK_SUCCESS || status == TASK_UNCHANGED;

	if (done && task->status == TASK_PENDING && runner->retry_of)
		return take_over_artifacts(runner, task);
	if (!runner->artifacts || (!task_status_final(status) && status != TASK_RETRY_WAIT))
		return 0;
	return done ? artifact_keep(engine, runner->run_id, task->id) : artifact_drop(engine, task->id);
}

static int apply_task(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct engine *engine = runner->of->engine;
	const char *name = get_text(head, "name"), *status_name = get_text(head, "status");
	json_t *outputs = json_object_get(head, "outputs");
	CLEANUP(cleanup_free)
	char *output = outputs ? json_dumps(outputs, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
	const struct task_moment moment = {
		.time_ms = json_integer_value(json_object_get(head, "time")),
		.until_ms = json_integer_value(json_object_get(head, "until")),
	};
	struct task task;
	int status = status_name ? task_status_parse(status_name) : -EPROTO;
	int r;

	if (!name || status < 0)
		return -EPROTO;
	r = task_find(engine, runner->run_id, name, &task);
	if (r < 0)
		return r == -ENOENT ? -EPROTO : r;
	r = runner_log_end(runner, name);
	if (r < 0)
		return r;
	runner_limit(runner, name, json_integer_value(json_object_get(head, "timeout_ms")),
		json_integer_value(json_object_get(head, "within_ms")));
	r = task_set_status_at(engine, task.id, status, (int)json_integer_value(json_object_get(head, "try")),
		get_text(head, "error"), output, &moment);
	if (r == -EINVAL)
		return -EPROTO;
	FAILPOINT("run.task");
	return r < 0 ? r : task_artifacts(runner, &task, status);
}

static int apply_artifact(struct runner *runner, json_t *head, const struct frame *frame)
{
	int64_t id = json_integer_value(json_object_get(head, "id"));
	int r = runner_guard_artifact(runner, id, frame->body, frame->body_size);

	return r < 0 ? r
		     : artifact_receive(runner->of->engine, runner->run_id, id,
			       json_integer_value(json_object_get(head, "offset")), frame->body,
			       frame->body_size);
}

static int apply_rollback(struct runner *runner, json_t *head, const struct frame *frame)
{
	int r = run_set_status(runner->of->engine, runner->run_id, RUN_ROLLING_BACK, NULL);

	FAILPOINT("run.rollback");
	return r == -EINVAL ? -EPROTO : r;
}

/* A try of what undoes a task; its state stays. */
static int apply_undo(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct engine *engine = runner->of->engine;
	const char *name = get_text(head, "name"), *status_name = get_text(head, "status");
	int64_t number = json_integer_value(json_object_get(head, "try"));
	int status = status_name ? task_status_parse(status_name) : -EPROTO;
	struct task task;
	int r = name ? runner_log_end(runner, name) : -EPROTO;

	if (r == 0)
		r = task_find(engine, runner->run_id, name, &task);
	if (r < 0 || status < 0 || number <= task.tries || number > INT32_MAX)
		return r == -ENOENT || r == 0 ? -EPROTO : r;
	r = try_set(engine, &task, (int)number, true, status, time_now_ms(), get_text(head, "error"));
	FAILPOINT("run.undone");
	if (r == 0 && status == TASK_SUCCESS)
		r = image_settle(engine, runner->run_id, name);
	engine_note(engine, SUBJECT_TASK, task.id, ASPECT_STATUS | ASPECT_TASKS);
	return r;
}

static int apply_log(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct engine *engine = runner->of->engine;
	const char *name = get_text(head, "task");
	struct task task = { 0 };
	int r;

	if (name) {
		r = task_find(engine, runner->run_id, name, &task);
		if (r < 0)
			return r == -ENOENT ? -EPROTO : r;
	}
	FAILPOINT("run.log");
	return runner_log(runner, head, task.id, frame->body, frame->body_size);
}

static int apply_call(struct runner *runner, json_t *head, const struct frame *frame)
{
	FAILPOINT("run.call");
	return runner_call(runner, json_integer_value(json_object_get(head, "seq")), head);
}

/* What was told late is committed now: the turn ends, as it does for all that somebody waits for. */
static int apply_settle(struct runner *runner, json_t *head, const struct frame *frame)
{
	return 0;
}

static int apply_begun(struct runner *runner, json_t *head, const struct frame *frame)
{
	runner_limit(runner, "", json_integer_value(json_object_get(head, "timeout_ms")),
		json_integer_value(json_object_get(head, "within_ms")));
	return 0;
}

static int apply_pong(struct runner *runner, json_t *head, const struct frame *frame)
{
	runner_answered(runner);
	return 0;
}

static int apply_finished(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct engine *engine = runner->of->engine;
	json_t *result = json_object_get(head, "result");
	CLEANUP(cleanup_free) char *text = NULL;
	int status = run_status_parse(get_text(head, "status") ? get_text(head, "status") : "");
	int r = 0;

	if (runner->state == RUNNER_FINISHED)
		return 0;
	if (status < 0 || !run_status_final(status))
		return -EPROTO;
	if (runner_waits_for_drift(runner, status))
		return -EINPROGRESS;
	FAILPOINT("run.finished");
	r = runner_tell_drift(runner, result);
	if (r < 0)
		return r;
	text = result ? json_dumps(result, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (text)
		r = run_set_text(engine, runner->run_id, RUN_RESULT, text, strlen(text));
	if (r == 0)
		r = runner_finish(runner, status, status == RUN_CANCELLED ? TASK_CANCELLED : TASK_SKIPPED,
			get_text(head, "error"));
	if (r < 0)
		return r == -EINVAL ? -EPROTO : r; /* no status that can follow */
	ev_timer_stop(engine->loop, &runner->deadline);
	/* Cancelled or finished while it was loading. */
	runner_tell_loaded(runner, -ECANCELED, &(struct fault){ ECANCELED, "the run was cancelled" });
	runner_start_waiting(runner->of);
	return 0;
}

static const struct {
	const char *op;
	int (*apply)(struct runner *runner, json_t *head, const struct frame *frame);
	bool patient; /* see struct engine: the runner goes on without waiting for the acknowledgement */
} frame_rows[] = {
	{ "log", apply_log, true },
	{ "task", apply_task, true },
	{ "artifact", apply_artifact, true },
	{ "begun", apply_begun, true },
	{ "pong", apply_pong, true },
	{ "call", apply_call },
	{ "settle", apply_settle },
	{ "loaded", apply_loaded },
	{ "refused", apply_refused },
	{ "rollback", apply_rollback },
	{ "undo", apply_undo, true },
	{ "finished", apply_finished },
};

/* What is undone was perhaps answered already, and other runs were begun by it: then the turn fails, and all
 * go back to what is on disk. */
static int apply_frame(struct runner *runner, json_t *head, const struct frame *frame)
{
	enum runner_state state = runner->state;
	bool waits = runner->loaded != NULL;
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = runner->of->engine;
	bool patient = engine->patient || !store_turn_dirty(engine->store);
	const char *op = get_text(head, "op");
	int r = -EPROTO;

	for (size_t i = 0; op && i < sizeof(frame_rows) / sizeof(frame_rows[0]); i++) {
		if (strcmp(frame_rows[i].op, op))
			continue;
		r = store_change_begin(engine->store, &change);
		runner_mask_frame(runner, head);
		if (r == 0)
			r = frame_rows[i].apply(runner, head, frame);
		if (r == 0)
			r = store_change_end(&change);
		if (r < 0 && (runner->state != state || (waits && !runner->loaded)))
			store_fail(engine->store, -r);
		engine->patient = r == 0 && patient &&
				  (frame_rows[i].patient || json_is_true(json_object_get(head, "late")));
		return r;
	}
	return r;
}

/* What the store would refuse as often as it comes: asked for again, it would keep the run for ever. */
static bool is_nonsense(int r)
{
	return r == -EPROTO || r == -EINVAL || r == -EEXIST || r == -ENAMETOOLONG;
}

static void conn_frame(struct conn *conn, const struct frame *frame)
{
	struct runner *runner = conn->userdata;
	uint64_t failures = memory_failures();
	json_auto_t *head = json_loadb(frame->head, frame->head_size, 0, NULL);
	int64_t seq = json_integer_value(json_object_get(head, "seq"));
	int r;

	if (runner->condemned)
		return;
	if (seq <= runner->last_seq && seq > 0) {
		/* It was applied; a call still wants its answer. */
		if (!strcmp(get_text(head, "op") ? get_text(head, "op") : "", "call")) {
			runner_mask_frame(runner, head);
			runner_call(runner, seq, head);
		}
		return;
	}
	if (runner->stalled || (seq != runner->last_seq + 1 && seq > 0))
		return; /* it comes again, in its order */
	r = seq > 0			    ? apply_frame(runner, head, frame)
	    : failures != memory_failures() ? -ENOMEM /* it could not be read: nobody's fault */
					    : -EPROTO;
	if (r == 0) {
		runner->last_seq = seq;
		runner->unstored += frame->head_size + frame->body_size;
		quota_stored(runner->of->engine, runner->submitter.uid,
			(int64_t)(frame->head_size + frame->body_size));
		return;
	}
	if (r == -EINPROGRESS) {
		runner->stalled = true; /* nothing is wrong: it is asked for when its time has come */
		return;
	}
	if (is_nonsense(r)) {
		log_error("run %lld: its process does not keep to the protocol (frame %lld): ending it",
			(long long)runner->run_id, (long long)seq);
		runner->condemned = true;
		runner_kill(runner);
		return;
	}
	log_warning("run %lld: frame %lld could not be stored: %s; asking for it again",
		(long long)runner->run_id, (long long)seq, strerror(-r));
	runner->stalled = true;
	runner_deadline(runner, STALL_SECONDS);
}

static void conn_closed(struct conn *conn, int error)
{
	struct runner *runner = conn->userdata;

	conn_done(conn);
	runner->connected = false;
	/* A process that closed its socket is of no use any more; its end is waited for, to know how it came.
	 */
	if (runner->pidfd >= 0 && runner->state != RUNNER_FINISHED)
		syscall(SYS_pidfd_send_signal, runner->pidfd, SIGKILL, NULL, 0);
	runner_check_gone(runner);
}

const struct conn_callbacks runner_conn_callbacks = { conn_frame, conn_closed };
