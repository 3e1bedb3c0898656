/* SPDX-License-Identifier: MIT */
/* The run of a workflow: order, failures, cancel, end. */
#include "lua/workflow.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "lua/json-write.h"
#include "lua/load.h"
#include "lua/plan.h"
#include "lua/result.h"
#include "lua/resume.h"
#include "lua/rollback.h"
#include "lua/runner.h"
#include "lua/value.h"

enum { HOOK_GRACE_MS = 10000 };

static void timeout_over(struct ev_loop *loop, ev_timer *timer, int revents);

int workflow_new(struct runner *runner, const char *text, size_t size, struct workflow **ret_workflow,
	struct fault *fault)
{
	struct workflow *workflow = calloc(1, sizeof(*workflow));
	int r;

	if (!workflow)
		return fault_set(fault, ENOMEM, "not enough memory");
	workflow->runner = runner;
	STAILQ_INIT(&workflow->ended);
	ev_init(&workflow->timeout, timeout_over);
	workflow->timeout.data = workflow;
	r = workflow_load(workflow, text, size, fault);
	if (r < 0) {
		workflow_free(workflow);
		return r;
	}
	*ret_workflow = workflow;
	return 0;
}

void workflow_free(struct workflow *workflow)
{
	if (!workflow)
		return;
	ev_timer_stop(workflow->runner->loop, &workflow->timeout);
	scope_done(&workflow->scope);
	for (size_t i = 0; i < workflow->count; i++)
		task_done(&workflow->tasks[i]);
	free(workflow->tasks);
	graph_queue_done(&workflow->ready);
	graph_queue_done(&workflow->urgent);
	free(workflow->nodes);
	free(workflow->rank);
	free(workflow->dependents);
	free(workflow->dependents_start);
	free(workflow->name);
	free(workflow->description);
	free(workflow->version);
	free(workflow->stack);
	free(workflow->error);
	rollback_free(workflow->rollback);
	json_decref(workflow->config);
	json_decref(workflow->imports);
	free(workflow);
}

/* Frames. */

int workflow_report(struct workflow *workflow, struct fault *fault)
{
	struct json_write head = { 0 };
	size_t size;
	int r;

	json_write_open(&head, '{');
	json_write_key(&head, "op");
	json_write_text(&head, "loaded");
	if (workflow->imports) {
		json_write_key(&head, "imports");
		json_write_value(&head, workflow->imports);
	}
	r = plan_write(workflow, &head);
	size = head.text.size;
	if (r == 0)
		r = link_send_text(&workflow->runner->link, &head.text);
	buffer_done(&head.text);
	if (r == -EMSGSIZE)
		return fault_set(fault, EFBIG,
			"the plan of the %zu tasks has %zu bytes, and at most %d can be kept: divide the "
			"workflow, or shorten what stands in it (scripts as files, descriptions)",
			workflow->count, size, FRAME_HEAD_MAX);
	return r < 0 ? fault_set(fault, -r, "not enough memory") : 0;
}

/* The end. */

static void workflow_finished(struct workflow *workflow)
{
	workflow->phase = PHASE_FINISHED;
	FAILPOINT("runner.finished");
	link_send(&workflow->runner->link, result_frame(workflow));
	runner_leave(workflow->runner, 0);
}

static void complete_ended(struct scope *scope)
{
	struct workflow *workflow = scope->userdata;

	scope_done(scope);
	workflow_finished(workflow);
}

static void hook_done(struct fiber *fiber, lua_State *L, int status, int results, void *userdata);

/* Calls lib/task.lua's function for a hook of the workflow, in a fiber. */
static int start_hook(lua_State *L)
{
	struct workflow *workflow = lua_touserdata(L, 1);
	bool complete = workflow->phase == PHASE_COMPLETING;

	vm_push_library(L, "task");
	lua_getfield(L, -1, complete ? "complete" : "start");
	lua_rawgeti(L, LUA_REGISTRYINDEX, workflow->table);
	lua_getfield(L, -1, complete ? "on_complete" : "on_start");
	lua_remove(L, -2);
	if (complete) {
		lua_pushboolean(L, !strcmp(result_status(workflow), "success"));
		result_push_records(L, workflow);
	}
	if (!fiber_start(
		    &workflow->runner->sched, &workflow->scope, L, complete ? 3 : 1, hook_done, workflow))
		return luaL_error(L, "not enough memory");
	return 0;
}

/* Whether there is such a hook, and it was started. */
static bool workflow_hook(struct workflow *workflow, const char *name)
{
	struct vm *vm = &workflow->runner->vm;
	bool there;

	lua_rawgeti(vm->L, LUA_REGISTRYINDEX, workflow->table);
	lua_pushstring(vm->L, name);
	there = lua_rawget(vm->L, -2) == LUA_TFUNCTION;
	lua_pop(vm->L, 2);
	if (!there)
		return false;
	scope_init(&workflow->scope, workflow->runner, NULL, 0, workflow);
	workflow->scope.workdir = workflow->runner->workdir;
	lua_pushcfunction(vm->L, start_hook);
	lua_pushlightuserdata(vm->L, workflow);
	if (vm_call(vm, 1, 0) == LUA_OK)
		return true;
	lua_pop(vm->L, 1);
	scope_done(&workflow->scope);
	return false;
}

static void workflow_complete(struct workflow *workflow)
{
	ev_timer_stop(workflow->runner->loop, &workflow->timeout);
	workflow->phase = PHASE_COMPLETING;
	if (workflow->runner->abandoned || !workflow_hook(workflow, "on_complete"))
		workflow_finished(workflow);
}

/* Failure, and what it means for the rest. */

/* The first one is the run's. */
static void __attribute__((format(printf, 2, 3))) fail(struct workflow *workflow, const char *format, ...)
{
	va_list ap;

	if (workflow->error)
		return;
	va_start(ap, format);
	if (vasprintf(&workflow->error, format, ap) < 0)
		workflow->error = strdup("failed");
	va_end(ap);
}

const char *workflow_cancel_reason(const struct workflow *workflow)
{
	if (workflow->timed_out)
		return "the workflow's timeout is over";
	if (workflow->cancelled)
		return "cancelled";
	return "cancelled, because another task failed";
}

static bool is_stopping(const struct workflow *workflow)
{
	return workflow->cancelled || (workflow->error && workflow->policy != POLICY_CONTINUE);
}

/* Tasks that run give up; those that must run in any case only when `all`. */
static void cancel_tasks(struct workflow *workflow, int64_t grace_ms, bool all)
{
	for (size_t i = 0; i < workflow->count; i++)
		if (all || !workflow->tasks[i].always)
			task_cancel(
				&workflow->tasks[i], grace_ms < 0 ? workflow->tasks[i].grace_ms : grace_ms);
}

static bool any_failed(const struct workflow *workflow, const int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (task_has_failed(&workflow->tasks[numbers[i]]))
			return true;
	return false;
}

static const struct task *unsatisfied_dependency(const struct workflow *workflow, const struct task *task)
{
	for (size_t i = 0; i < task->depends_count; i++)
		if (!task_is_satisfied(&workflow->tasks[task->depends[i]]))
			return &workflow->tasks[task->depends[i]];
	return NULL;
}

static void upstream_failed(struct task *task, const struct task *because)
{
	char text[400];

	snprintf(text, sizeof(text), "not started, because %s %s", because->name,
		because->status == TASK_FAILED	    ? "failed"
		: because->status == TASK_TIMED_OUT ? "timed out"
		: because->status == TASK_CANCELLED ? "was cancelled"
						    : "was not started");
	task_set(task, TASK_UPSTREAM_FAILED, text);
}

static const char *not_started_reason(const struct workflow *workflow)
{
	if (workflow->vetoed)
		return "not started, because on_start refused the run";
	return workflow->cancelled ? workflow_cancel_reason(workflow)
				   : "not started, because another task failed";
}

/* In any case, but for these. */
static void start_always(struct workflow *workflow, struct task *task)
{
	if (workflow->runner->abandoned || workflow->cancels > 1 || workflow->vetoed)
		task_set(task, TASK_CANCELLED, not_started_reason(workflow));
	else
		graph_queue_push(&workflow->urgent, task->number);
}

/* Everything that it waited for is at its end. */
static void task_release(struct workflow *workflow, struct task *task)
{
	const struct task *because;

	if (task->always) {
		task->released = true;
		if (workflow->phase == PHASE_ALWAYS)
			start_always(workflow, task);
	} else if ((because = unsatisfied_dependency(workflow, task))) {
		upstream_failed(task, because);
	} else if (!task->after_failure_count) {
		graph_queue_push(&workflow->ready, task->number);
	} else if (any_failed(workflow, task->after_failure, task->after_failure_count)) {
		graph_queue_push(&workflow->urgent, task->number);
	} else {
		task_set(task, TASK_SKIPPED, NULL);
	}
	workflow->changed = true;
}

static void release_dependents(struct workflow *workflow, const struct task *ended)
{
	int end = workflow->dependents_start[ended->number + 1];

	for (int i = workflow->dependents_start[ended->number]; i < end; i++) {
		struct task *task = &workflow->tasks[workflow->dependents[i]];

		if (--task->waiting == 0 && !task_status_final(task->status))
			task_release(workflow, task);
	}
}

/* One after the other: those that end by this come to the end of the queue, and not onto the stack, which a
 * long chain of tasks would overflow. */
static void tell_dependents(struct workflow *workflow, struct task *task)
{
	STAILQ_INSERT_TAIL(&workflow->ended, task, ended_link);
	if (workflow->telling)
		return;
	workflow->telling = true;
	while ((task = STAILQ_FIRST(&workflow->ended))) {
		STAILQ_REMOVE_HEAD(&workflow->ended, ended_link);
		release_dependents(workflow, task);
	}
	workflow->telling = false;
}

void workflow_task_ended(struct workflow *workflow, struct task *task)
{
	workflow->changed = true;
	workflow->unfinished--;
	if (task->always)
		workflow->unfinished_always--;
	workflow->running -= task->slot;
	task->slot = false;
	if (!task_is_satisfied(task) && task->status != TASK_UPSTREAM_FAILED &&
		task->status != TASK_CANCELLED) {
		bool first = !workflow->error;

		fail(workflow, "task %s: %s", task->name,
			task_error_told(task) ? task_error_told(task) : "failed");
		if ((first && workflow->policy == POLICY_CANCEL) || task->outcome.aborts)
			cancel_tasks(workflow, -1, false);
		if (task->outcome.aborts)
			workflow->policy = POLICY_STOP;
	}
	tell_dependents(workflow, task);
}

void workflow_task_waits(struct workflow *workflow, struct task *task)
{
	workflow->running -= task->slot;
	task->slot = false;
	workflow->changed = true;
}

void workflow_task_again(struct workflow *workflow, struct task *task)
{
	graph_queue_push(&workflow->urgent, task->number);
	workflow->changed = true;
}

/* The order of things. */

/* What was kept or left out after it had become ready starts no more. */
static int pop_open(struct workflow *workflow, struct graph_queue *queue)
{
	int number;

	do
		number = graph_queue_pop(queue);
	while (number >= 0 && task_status_final(workflow->tasks[number].status));
	return number;
}

static int next_task(struct workflow *workflow)
{
	int number = pop_open(workflow, &workflow->urgent);

	return number >= 0 || is_stopping(workflow) ? number : pop_open(workflow, &workflow->ready);
}

/* Nothing runs, and nothing can start: what is left never will. */
static void give_up_rest(struct workflow *workflow)
{
	for (size_t i = 0; i < workflow->count; i++) {
		struct task *task = &workflow->tasks[i];

		if (!task->always && task->status == TASK_PENDING)
			task_set(task, TASK_CANCELLED, not_started_reason(workflow));
	}
}

/* Those that are ready; again when a second cancel came. */
static void begin_always(struct workflow *workflow)
{
	workflow->phase = PHASE_ALWAYS;
	for (size_t i = 0; i < workflow->count; i++)
		if (workflow->tasks[i].released && workflow->tasks[i].status == TASK_PENDING)
			start_always(workflow, &workflow->tasks[i]);
}

static bool wants_rollback(const struct workflow *workflow)
{
	return workflow->rolls_back && workflow->error && !workflow->vetoed &&
	       (!workflow->cancelled || workflow->timed_out) && !workflow->runner->abandoned;
}

void workflow_rolled_back(struct workflow *workflow, const char *text)
{
	char *error = NULL;

	if (text && asprintf(&error, "%s; %s", workflow->error, text) >= 0) {
		free(workflow->error);
		workflow->error = error;
	}
	begin_always(workflow);
	workflow->changed = true;
}

static void start_tasks(struct workflow *workflow)
{
	int number;

	while (workflow->running < (size_t)workflow->max_parallel && (number = next_task(workflow)) >= 0) {
		workflow->running++;
		workflow->tasks[number].slot = true;
		task_start(&workflow->tasks[number]);
	}
}

static size_t waiting_for_retry(const struct workflow *workflow)
{
	size_t n = 0;

	for (size_t i = 0; i < workflow->count; i++)
		n += workflow->tasks[i].status == TASK_RETRY_WAIT;
	return n;
}

bool workflow_may_start(const struct workflow *workflow)
{
	return workflow->changed || waiting_for_retry(workflow);
}

static void after_tasks(struct workflow *workflow)
{
	workflow->changed = true;
	if (!wants_rollback(workflow)) {
		begin_always(workflow);
		return;
	}
	workflow->phase = PHASE_ROLLBACK;
	rollback_begin(workflow);
}

bool workflow_has_turn(const struct workflow *workflow)
{
	return workflow->changed && (workflow->phase == PHASE_TASKS || workflow->phase == PHASE_ALWAYS);
}

void workflow_turn(struct workflow *workflow)
{
	while (workflow_has_turn(workflow)) {
		workflow->changed = false;
		start_tasks(workflow);
		if (workflow->running || workflow->changed || waiting_for_retry(workflow))
			continue;
		if (workflow->phase == PHASE_TASKS) {
			give_up_rest(workflow);
			after_tasks(workflow);
		} else if (!workflow->unfinished) {
			workflow_complete(workflow);
		}
	}
}

static void begin_tasks(struct workflow *workflow)
{
	workflow->phase = PHASE_TASKS;
	workflow->changed = true;
	workflow->unfinished = workflow->count;
	for (size_t i = 0; i < workflow->count; i++) {
		workflow->tasks[i].waiting = workflow->nodes[i].depends_count;
		workflow->unfinished_always += workflow->tasks[i].always;
	}
	resume_tasks(workflow);
	for (size_t i = 0; i < workflow->count; i++)
		if (workflow->tasks[i].status == TASK_PENDING && !workflow->nodes[i].depends_count)
			task_release(workflow, &workflow->tasks[i]);
}

static void start_ended(struct scope *scope)
{
	scope_done(scope);
	begin_tasks(scope->userdata);
}

/* on_start gives nil when the run may go on, and a sentence when not; on_complete's failure is only logged.
 */
static void hook_done(struct fiber *fiber, lua_State *L, int status, int results, void *userdata)
{
	struct workflow *workflow = userdata;
	bool complete = workflow->phase == PHASE_COMPLETING;

	if (!complete && !workflow->cancelled &&
		(status != LUA_OK || (results > 0 && lua_type(L, -1) == LUA_TSTRING))) {
		const char *text = lua_tostring(L, -1);

		fail(workflow, "on_start: %s", text ? text : "failed");
		workflow->policy = POLICY_STOP;
		workflow->vetoed = true;
	}
	scope_end(&workflow->scope, "the hook has ended", false, HOOK_GRACE_MS,
		complete ? complete_ended : start_ended);
}

static int64_t longest_grace(const struct workflow *workflow)
{
	int64_t grace = 0;

	for (size_t i = 0; i < workflow->count; i++)
		if (workflow->tasks[i].grace_ms > grace)
			grace = workflow->tasks[i].grace_ms;
	return grace;
}

static void timeout_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct workflow *workflow = timer->data;

	workflow->timed_out = true;
	workflow->cancelled = true;
	fail(workflow, "the workflow timed out");
	if (workflow->phase == PHASE_STARTING)
		scope_end(&workflow->scope, workflow_cancel_reason(workflow), true, longest_grace(workflow),
			start_ended);
	cancel_tasks(workflow, -1, false);
	workflow->changed = true;
}

/* For the daemon, which has the last word. */
static void report_limit(const struct workflow *workflow)
{
	link_send(&workflow->runner->link,
		json_pack("{ss sI sI}", "op", "begun", "timeout_ms", (json_int_t)workflow->timeout_ms,
			"within_ms", (json_int_t)(workflow->timeout_ms + longest_grace(workflow))));
}

void workflow_start(struct workflow *workflow)
{
	struct ev_loop *loop = workflow->runner->loop;

	workflow->started = ev_time();
	if (workflow->timeout_ms) {
		ev_now_update(loop);
		ev_timer_set(&workflow->timeout, (ev_tstamp)workflow->timeout_ms / 1000, 0);
		ev_timer_start(loop, &workflow->timeout);
		report_limit(workflow);
	}
	workflow->phase = PHASE_STARTING;
	if (workflow->cancelled || !workflow_hook(workflow, "on_start"))
		begin_tasks(workflow);
}

void workflow_cancel(struct workflow *workflow, int64_t grace_ms)
{
	workflow->cancelled = true;
	workflow->changed = true;
	if (++workflow->cancels > 1)
		grace_ms = 0;
	if (workflow->phase == PHASE_LOADED) {
		/* It never started: no hooks either. */
		workflow->started = ev_time();
		for (size_t i = 0; i < workflow->count; i++)
			workflow->tasks[i].status = TASK_CANCELLED;
		workflow_finished(workflow);
		return;
	}
	if (workflow->phase == PHASE_ALWAYS && workflow->cancels > 1)
		begin_always(workflow);
	if (workflow->scope.runner)
		scope_end(&workflow->scope, "cancelled", true, grace_ms,
			workflow->phase == PHASE_COMPLETING ? complete_ended
			: workflow->phase == PHASE_ROLLBACK ? rollback_scope_ended
							    : start_ended);
	cancel_tasks(workflow, grace_ms, workflow->cancels > 1 || workflow->runner->abandoned);
}
