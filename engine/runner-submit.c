/* SPDX-License-Identifier: MIT */
/* What people do with runs: submit, cancel, retry. */
#include "engine/runner-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/failpoint.h"
#include "base/process.h"
#include "engine/event.h"
#include "engine/lock.h"
#include "engine/quota.h"
#include "engine/yaml.h"

enum {
	DEPTH_MAX = 8,			    /* of workflows that submit workflows */
	VALUES_MAX = FRAME_HEAD_MAX - 4096, /* bytes of a run's values, and what else is said with them */
};

/* The run whose task the submitter is, which descends from its runner then. 0: none. */
static int64_t find_parent(struct runners *runners, const struct caller *caller, int *ret_depth)
{
	struct runner *runner;
	struct run run;

	*ret_depth = 0;
	TAILQ_FOREACH (runner, &runners->list, runners)
		if (runner->pid > 0 && caller->pid > 0 && process_descends(caller->pid, runner->pid) &&
			run_get(runners->engine, runner->run_id, &run) == 0) {
			*ret_depth = run.depth + 1;
			return run.id;
		}
	return 0;
}

/* The stack's values with the run's over them. */
int runner_merge_values(struct runner *runner, int64_t stack_id, struct fault *fault)
{
	struct engine *engine = runner->of->engine;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *values = NULL;
	json_auto_t *over = run_options(engine, runner->run_id, "values");
	CLEANUP(cleanup_free) char *merged = NULL;
	struct stack stack;
	int r;

	r = stack_get(engine, stack_id, &stack);
	if (r == 0)
		r = stack_text(engine, stack_id, STACK_VALUES, &text, NULL);
	/* The run shows them to its submitter. */
	if (r == 0 && text.size && stack_access(&runner->submitter, &stack, MAY_READ | MAY_EXECUTE) < 0)
		return fault_set(fault, EACCES, "you may not read the values of the stack %s", stack.name);
	if (r == 0)
		r = yaml_parse("values.yaml", buffer_text(&text), text.size, fault, &values);
	if (r < 0)
		return r;
	if (over && json_is_object(values))
		json_object_update_recursive(values, over);
	merged = json_dumps(values, JSON_COMPACT | JSON_SORT_KEYS);
	/* The frame that lets the process begin would never leave. */
	if (merged && strlen(merged) > VALUES_MAX)
		return fault_set(fault, EFBIG,
			"the values of the stack %s, with those of the run, have %zu bytes, and the limit is "
			"%d",
			stack.name, strlen(merged), VALUES_MAX);
	return merged ? run_set_text(engine, runner->run_id, RUN_VALUES, merged, strlen(merged)) : -ENOMEM;
}

/* A refusal is recorded where the submitter could have run, and nowhere else. */
static int may_record(struct runners *runners, struct caller *caller, const struct submission *submission,
	struct fault *fault)
{
	struct stack stack;
	int r = submission->stack_id ? stack_get(runners->engine, submission->stack_id, &stack) : 0;

	if (r == 0 && submission->stack_id && stack_access(caller, &stack, MAY_WRITE | MAY_EXECUTE) < 0)
		r = fault_set(fault, EACCES, "you may not change the stack %s", stack.name);
	return r;
}

/* The row of the run, with what can be said before its process exists. */
static int record(struct runner *runner, const struct submission *submission, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = runner->of->engine;
	CLEANUP(cleanup_free)
	char *values = submission->values ? json_dumps(submission->values, JSON_COMPACT | JSON_SORT_KEYS)
					  : strdup("{}");
	struct run run;
	int depth, r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = run_create(engine, &runner->submitter, submission->file, submission->stack_id,
			submission->text, submission->size, &run);
	if (r == 0)
		r = values ? run_set_text(engine, run.id, RUN_VALUES, values, strlen(values)) : -ENOMEM;
	if (r == 0 && (submission->values || submission->options || submission->stack))
		r = run_set_options(
			engine, run.id, submission->options, submission->values, submission->stack);
	runner->parent = find_parent(runner->of, &runner->submitter, &depth);
	if (r == 0 && runner->parent)
		r = run_set_parent(engine, run.id, runner->parent, depth);
	if (r == 0 && submission->imports)
		r = run_set_imports(engine, run.id, submission->imports);
	if (r == 0 && submission->retry_of)
		r = run_set_retry(engine, run.id, submission->retry_of);
	runner->run_id = run.id;
	return r < 0 ? r : store_change_end(&change);
}

/* A lock that is held is no reason yet: the workflow may say that it waits. */
static int check_change(
	struct engine *engine, struct caller *caller, const struct stack *stack, struct fault *fault)
{
	struct fault busy = { 0 };
	int r = stack_may_write(caller, stack, fault);

	if (r < 0)
		return r;
	r = lock_check(engine, caller, stack->id, &busy);
	return r < 0 && r != -EBUSY ? fault_set(fault, -r, "%s", busy.text) : 0;
}

/* What can be refused at once: the stack is somebody else's, or the chain of workflows is too long. */
static int check(struct runner *runner, const struct submission *submission, struct fault *fault)
{
	struct engine *engine = runner->of->engine;
	struct stack stack;
	int64_t wait_ms;
	int depth, r = runner_read_wait(submission->options, &wait_ms, fault);

	find_parent(runner->of, &runner->submitter, &depth);
	if (r == 0 && depth > DEPTH_MAX)
		return fault_set(fault, ELOOP,
			"workflows that start workflows may be %d deep, and this is one more", DEPTH_MAX);
	if (r < 0 || !submission->stack_id)
		return r;
	r = stack_get(engine, submission->stack_id, &stack);
	if (r == 0)
		r = check_change(engine, &runner->submitter, &stack, fault);
	if (r == 0)
		r = runner_merge_values(runner, stack.id, fault);
	return r;
}

static int refused_at_once(struct runner *runner, struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };

	run_text(runner->of->engine, runner->run_id, RUN_ERROR, &text);
	return fault_set(fault, EIO, "%s", text.size ? buffer_text(&text) : "the run could not be started");
}

int runner_submit(struct runners *runners, struct caller *caller, const struct submission *submission,
	struct fault *fault, int64_t *ret_run)
{
	struct runner *runner;
	int r = runner_new(runners, &runner);

	if (r < 0)
		return r;
	r = may_record(runners, caller, submission, fault);
	if (r == 0)
		r = quota_check(runners->engine, caller->uid, QUOTA_RUNS, 1, fault);
	if (r == 0)
		r = quota_store(runners->engine, caller->uid, (int64_t)submission->size, fault);
	if (r < 0) {
		runner_free(runner);
		return r;
	}
	runner->options = json_incref(submission->options);
	runner->retry_of = submission->retry_of;
	snprintf(runner->stack, sizeof(runner->stack), "%s", submission->stack ? submission->stack : "");
	r = caller_copy(caller, &runner->submitter);
	if (r == 0)
		r = record(runner, submission, fault);
	if (r < 0) {
		runner_free(runner);
		return r;
	}
	FAILPOINT("submit.recorded");
	*ret_run = runner->run_id;
	r = check(runner, submission, fault);
	if (r < 0) {
		fault_default(fault, -r, "%s", strerror(-r));
		runner_finish(runner, RUN_FAILED, TASK_CANCELLED, fault->text);
		runner_free(runner);
		return r;
	}
	runner_start_queued(runners);
	if (runner->state == RUNNER_FINISHED)
		return refused_at_once(runner, fault); /* its process could not be started */
	/* Nobody is told anything before he waits for it. */
	runner->loaded = submission->loaded;
	runner->userdata = submission->userdata;
	return 0;
}

void runner_forget(struct runners *runners, int64_t run_id)
{
	struct runner *runner = runner_find(runners, run_id);

	if (runner)
		runner->loaded = NULL;
}

/* The submitter, the owner of what it is about, and root. */
static int may_control(struct caller *caller, const struct run *run, struct fault *fault)
{
	if (caller_owns(caller, run->uid) || caller_owns(caller, run->owner_uid))
		return 0;
	return fault_set(fault, EPERM,
		"run %lld is not yours: its submitter, the stack's owner and root control it",
		(long long)run->id);
}

void runner_ask_to_end(struct runner *runner)
{
	runner_send(runner,
		json_pack("{s:s, s:i}", "op", "cancel", "grace_ms", runner->cancels > 1 ? 0 : GRACE_MS), NULL,
		0);
	runner_deadline(
		runner, runner->cancels > 1 ? AFTER_GRACE_SECONDS : GRACE_MS / 1000 + AFTER_GRACE_SECONDS);
}

int runner_cancel(struct runners *runners, struct caller *caller, int64_t run_id, struct fault *fault)
{
	struct runner *runner = runner_find(runners, run_id);
	struct run run;
	int r = run_get(runners->engine, run_id, &run);

	if (r == 0)
		r = may_control(caller, &run, fault);
	if (r < 0)
		return r;
	if (run_status_final(run.status) || !runner)
		return fault_set(fault, EINVAL, "run %lld is over: %s", (long long)run_id,
			run_status_name(run.status));
	r = run_set_cancels(runners->engine, run_id, runner->cancels + 1, runner->why);
	if (r < 0)
		return r;
	runner->cancels++;
	runner_leave_lock(runner);
	runner_forget_drift(runner);
	if (runner->state == RUNNER_QUEUED) {
		runner_finish(runner, RUN_CANCELLED, TASK_CANCELLED, "cancelled");
		runner_tell_loaded(runner, -ECANCELED, &(struct fault){ ECANCELED, "the run was cancelled" });
		runner->gone = true;
		return 0;
	}
	event_add(runners->engine, caller, "run.cancel_requested", run.stack_id,
		*run.stack ? run.stack : NULL, run_id, NULL);
	if (runner->state != RUNNER_AWAY) /* it is told when it is back */
		runner_ask_to_end(runner);
	return 0;
}

void runner_end(void *userdata, int64_t run_id, const char *why)
{
	struct runner *runner = runner_find(userdata, run_id);

	if (!runner || runner->state == RUNNER_FINISHED)
		return;
	snprintf(runner->why, sizeof(runner->why), "cancelled: %s", why);
	event_add(runner->of->engine, NULL, "run.cancel_requested", 0, NULL, run_id,
		json_pack("{s:s}", "reason", why));
	runner->cancels = 2;
	if (run_set_cancels(runner->of->engine, run_id, runner->cancels, runner->why) < 0)
		log_error("run %lld: that it is to end could not be stored", (long long)run_id);
	runner_forget_drift(runner);
	if (runner->state == RUNNER_QUEUED) {
		runner_finish(runner, RUN_CANCELLED, TASK_CANCELLED, "cancelled");
		runner->gone = true;
		return;
	}
	/* Not before it is on disk that the lock is gone. One that is away is told when it is back. */
	if (runner->state == RUNNER_AWAY)
		return;
	json_array_append_new(runner->after_commit, json_pack("{s:s, s:i}", "op", "cancel", "grace_ms", 0));
	runner_deadline(runner, AFTER_GRACE_SECONDS);
}

int runner_retry(struct runners *runners, struct caller *caller, int64_t run_id, bool only_failed,
	struct fault *fault, void (*loaded)(void *userdata, int result, const struct fault *fault),
	void *userdata, int64_t *ret_run)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(buffer_done) struct buffer values_text = { 0 };
	json_auto_t *values = NULL;
	json_auto_t *options = run_options(runners->engine, run_id, "options");
	json_auto_t *imports = run_imports(runners->engine, run_id);
	json_auto_t *stack = run_options(runners->engine, run_id, "stack");
	struct run run;
	int r = run_get(runners->engine, run_id, &run);

	if (r == 0)
		r = may_control(caller, &run, fault);
	if (r == 0 && !run_status_final(run.status))
		r = fault_set(fault, EBUSY, "run %lld is still %s: cancel it first", (long long)run_id,
			run_status_name(run.status));
	if (r == 0)
		r = run_text(runners->engine, run_id, RUN_WORKFLOW, &text);
	if (r == 0)
		r = run_text(runners->engine, run_id, RUN_VALUES, &values_text);
	if (r < 0)
		return r;
	if (values_text.size)
		values = json_loadb(values_text.data, values_text.size, 0, NULL);
	return runner_submit(runners, caller,
		&(struct submission){ .file = run.file,
			.stack_id = run.stack_id,
			.stack = json_string_value(stack),
			.text = buffer_text(&text),
			.size = text.size,
			.values = values,
			.options = options,
			.imports = imports,
			.retry_of = only_failed ? run_id : 0,
			.loaded = loaded,
			.userdata = userdata },
		fault, ret_run);
}
