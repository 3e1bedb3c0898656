/* SPDX-License-Identifier: MIT */
/* One task: tries, waits, limits, end. */
#include "lua/task.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "lua/output.h"
#include "lua/runner.h"
#include "lua/task-after.h"
#include "lua/task-internal.h"
#include "lua/tree.h"
#include "lua/value.h"
#include "lua/workflow.h"

static const struct {
	const char *name;
	bool final, satisfied, failed;
} statuses[TASK_STATUS_COUNT] = {
	[TASK_PENDING] = { "pending" },
	[TASK_RUNNING] = { "running" },
	[TASK_RETRY_WAIT] = { "retry_wait" },
	[TASK_SUCCESS] = { "success", .final = true, .satisfied = true },
	[TASK_UNCHANGED] = { "unchanged", .final = true, .satisfied = true },
	[TASK_SKIPPED] = { "skipped", .final = true, .satisfied = true },
	[TASK_FAILED] = { "failed", .final = true, .failed = true },
	[TASK_TIMED_OUT] = { "timed_out", .final = true, .failed = true },
	[TASK_CANCELLED] = { "cancelled", .final = true },
	[TASK_UPSTREAM_FAILED] = { "upstream_failed", .final = true },
};

const char *task_status_name(enum task_status status)
{
	return statuses[status].name;
}

enum task_status task_status_parse(const char *name)
{
	int i = 0;

	while (i < TASK_STATUS_COUNT && strcmp(statuses[i].name, name) != 0)
		i++;
	return i;
}

bool task_status_final(enum task_status status)
{
	return statuses[status].final;
}

bool task_is_satisfied(const struct task *task)
{
	return statuses[task->status].satisfied || (task->allow_failure && statuses[task->status].failed);
}

bool task_has_failed(const struct task *task)
{
	return statuses[task->status].failed;
}

static struct runner *runner_of_task(const struct task *task)
{
	return task->workflow->runner;
}

/* Frames. A sensitive task is told of by its status alone. */

const char *task_error_told(const struct task *task)
{
	return task->outcome.error && task->sensitive && task->try > 0
		       ? "it is a sensitive task: what went wrong is not told"
		       : task->outcome.error;
}

static json_t *outputs_told(const struct task *task)
{
	json_t *object, *value;
	const char *name;

	if (!task->sensitive)
		return json_incref(task->outcome.outputs);
	object = json_object();
	json_object_foreach (task->outcome.outputs, name, value)
		json_object_set_new(object, name, json_string("<sensitive>"));
	return object;
}

/* For the daemon, which has the last word when this process does not come to its own. */
static void report_limit(const struct task *task, json_t *head)
{
	ev_timer *total = (ev_timer *)&task->total;
	int64_t ms = task->timeout_ms, left;

	if (task->total_timeout_ms) {
		left = ev_is_active(total)
			       ? (int64_t)(ev_timer_remaining(runner_of_task(task)->loop, total) * 1000)
			       : task->total_timeout_ms;
		if (!ms || left < ms)
			ms = left;
	}
	if (!ms)
		return;
	json_object_set_new(head, "timeout_ms", json_integer(ms));
	json_object_set_new(head, "within_ms", json_integer(ms + task->grace_ms));
}

static void task_report(struct task *task)
{
	json_t *head = json_pack("{ss ss ss si sI}", "op", "task", "name", task->name, "status",
		task_status_name(task->status), "try", task->try, "time", (json_int_t)time_now_ms());
	bool final = task_status_final(task->status);
	const char *error = task_error_told(task);

	if (head && error &&
		(task->status == TASK_RETRY_WAIT || (final && !statuses[task->status].satisfied)))
		json_object_set_new(head, "error", value_brief(error, TEXT_TOLD_MAX));
	if (head && task->status == TASK_RUNNING)
		report_limit(task, head);
	if (head && task->status == TASK_RETRY_WAIT)
		json_object_set_new(head, "until", json_integer(time_now_ms() + task->retry_ms));
	if (head && final && task->outcome.message && !task->sensitive)
		json_object_set_new(head, "message", value_brief(task->outcome.message, TEXT_TOLD_MAX));
	if (head && final && task->outcome.outputs)
		json_object_set_new(head, "outputs", outputs_told(task));
	link_send(&runner_of_task(task)->link, head);
}

void task_log(struct task *task, const char *text)
{
	link_log(&runner_of_task(task)->link, task->name, task->try, "log", text, strlen(text));
}

/* The directory and the environment. */

static int env_read(lua_State *L, struct task *task)
{
	size_t count;

	lua_getfield(L, -1, "env");
	count = lua_istable(L, -1) ? (size_t)lua_rawlen(L, -1) : 0;
	task->env = count ? calloc(count + 1, sizeof(*task->env)) : NULL;
	for (size_t i = 0; task->env && i < count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		task->env[i] = strdup(lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return count && !task->env ? -ENOMEM : 0;
}

/* Its own directory, and the one that its commands start in: that, one below it, or one that the user names.
 */
static int open_directories(struct task *task, const char *wanted)
{
	struct runner *runner = runner_of_task(task);
	struct fault fault = { 0 };

	if (!task->home)
		task->home = workdir_open(&runner->workdirs, runner->workdir, task->name, &fault);
	if (task->home && wanted && !task->workdir) {
		if (*wanted == '/')
			task->workdir = strdup(wanted); /* a command says when it is not there */
		else if (asprintf(&task->workdir, "%s/%s", task->home, wanted) >= 0)
			tree_make(task->workdir, 0777, &fault);
	}
	if (fault.code)
		outcome_fail(task, TASK_FAILED, fault.text);
	return -fault.code;
}

void task_open_directories(lua_State *L, struct task *task)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, task->spec);
	lua_getfield(L, -1, "workdir");
	if (open_directories(task, lua_tostring(L, -1)) < 0)
		luaL_error(L, "%s", task->outcome.error ? task->outcome.error : "not enough memory");
	lua_pop(L, 2);
}

/* The end. */

static void task_finish(struct task *task, enum task_status status)
{
	struct runner *runner = runner_of_task(task);

	ev_timer_stop(runner->loop, &task->deadline);
	ev_timer_stop(runner->loop, &task->total);
	ev_timer_stop(runner->loop, &task->retry);
	task->status = status;
	task->ended = ev_time();
	task->done_order = ++task->workflow->done_count;
	if (task->output && !statuses[status].satisfied)
		unlink(task->output);
	if (statuses[status].satisfied && task->home && !task->leaves)
		workdir_close(&runner->workdirs, TAKE(task->home));
	FAILPOINT("runner.task.ended");
	task_report(task);
	workflow_task_ended(task->workflow, task);
}

void task_set(struct task *task, enum task_status status, const char *error)
{
	if (error)
		outcome_fail(task, status, error);
	task_finish(task, status);
}

void task_push_call(lua_State *L, struct task *task, const char *name)
{
	vm_push_library(L, "task");
	lua_getfield(L, -1, name);
	lua_remove(L, -2);
	lua_rawgeti(L, LUA_REGISTRYINDEX, task->spec);
}

void task_scope_open(struct task *task)
{
	scope_init(&task->scope, runner_of_task(task), task->name, task->try, task);
	task->scope.workdir = task->workdir ? task->workdir : task->home;
	task->scope.env = (const char *const *)task->env;
	task->scope.user = task->user;
	task->scope.output = task->output;
}

int task_protected(struct task *task, lua_CFunction function, int results)
{
	struct vm *vm = &runner_of_task(task)->vm;
	int status;

	lua_pushcfunction(vm->L, function);
	lua_pushlightuserdata(vm->L, task);
	status = vm_call(vm, 1, results);
	if (status == LUA_OK)
		return 0;
	outcome_fail(task, TASK_FAILED, lua_tostring(vm->L, -1));
	lua_pop(vm->L, 1);
	return -EINVAL;
}

void task_hooks_over(struct task *task)
{
	task_finish(task, task->status);
}

/* Its last try is over. */
static void task_conclude(struct task *task)
{
	task->status = task->outcome.status;
	task->outcome.known = false;
	if (task->cancelled || task->status == TASK_SKIPPED) {
		task_finish(task, task->status);
		return;
	}
	if (!task->outcome.table || !task_hooks_start(task))
		task_finish(task, task->status);
}

/* Retries. */

static int ask_again(lua_State *L)
{
	struct task *task = lua_touserdata(L, 1);

	task_push_call(L, task, "again");
	lua_pushstring(L, task_status_name(task->outcome.status));
	lua_rawgeti(L, LUA_REGISTRYINDEX, task->outcome.table);
	lua_pushinteger(L, task->try);
	lua_call(L, 4, 1);
	return 1;
}

/* The fixed part of a number between 0 and 1 that belongs to this run, task and try: a restart changes
 * nothing. */
static double jitter(const struct task *task)
{
	uint64_t hash = 14695981039346656037ULL ^ (uint64_t)runner_of_task(task)->id;

	for (const char *p = task->name; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 1099511628211ULL;
	hash = (hash ^ (uint64_t)task->try) * 1099511628211ULL;
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	hash ^= hash >> 33;
	return (double)(hash >> 11) / 9007199254740992.0;
}

/* Milliseconds until the next try, or -1: that was the last. */
static int64_t retry_delay(struct task *task)
{
	lua_State *L = runner_of_task(task)->vm.L;
	int64_t ms = -1;

	if (task->cancelled || statuses[task->outcome.status].satisfied || !task->outcome.table ||
		task->outcome.aborts)
		return -1;
	if (task_protected(task, ask_again, 1) < 0)
		return -1;
	if (lua_isnumber(L, -1)) {
		/* Half of the wait is fixed, half is not: many that failed together do not come back
		 * together. */
		double wait = (double)lua_tonumber(L, -1);

		ms = llround(wait / 2 + wait / 2 * jitter(task));
	}
	lua_pop(L, 1);
	return ms;
}

static void retry_due(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct task *task = timer->data;

	workflow_task_again(task->workflow, task);
}

static void task_retry_later(struct task *task, int64_t delay_ms)
{
	struct ev_loop *loop = runner_of_task(task)->loop;

	task->status = TASK_RETRY_WAIT;
	task->retry_ms = delay_ms;
	task_report(task);
	ev_now_update(loop);
	ev_timer_set(&task->retry, (ev_tstamp)delay_ms / 1000, 0);
	ev_timer_start(loop, &task->retry);
	workflow_task_waits(task->workflow, task);
}

/* Nothing of the try is left. */
static void task_try_ended(struct scope *scope)
{
	struct task *task = scope->userdata;
	int64_t delay;

	ev_timer_stop(scope->runner->loop, &task->deadline);
	scope_done(scope);
	if (!task->outcome.known)
		outcome_fail(task, TASK_FAILED, "the task was ended");
	if (task->cancelled)
		outcome_fail(task, TASK_CANCELLED, workflow_cancel_reason(task->workflow));
	else if (task->timed_out)
		outcome_fail(task, TASK_TIMED_OUT, task->reason);
	if (task->timed_out && !task->outcome.table)
		task_protected(task, outcome_make, 0);
	task->leaves |= scope->leaves;
	delay = task->timed_out && !ev_is_active(&task->total) && task->total_timeout_ms ? -1
											 : retry_delay(task);
	if (delay >= 0)
		task_retry_later(task, delay);
	else
		task_conclude(task);
}

/* One try. */

static void try_done(struct fiber *fiber, lua_State *L, int status, int results, void *userdata)
{
	struct task *task = userdata;
	bool failed;

	if (status != LUA_OK && !task->outcome.known)
		outcome_fail(task, TASK_FAILED,
			lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "the task was ended");
	failed = !task->outcome.known || !statuses[task->outcome.status].satisfied;
	scope_end(&task->scope, "the task has ended", failed, task->grace_ms, task_try_ended);
}

static void deadline_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct task *task = timer->data;
	char text[32];

	snprintf(task->reason, sizeof(task->reason), "timed out after %s%s",
		duration_format(timer == &task->total ? task->total_timeout_ms : task->timeout_ms, text),
		timer == &task->total ? " (total_timeout)" : "");
	if (!task->scope.runner) {
		/* Between two tries: this was the last. */
		outcome_fail(task, TASK_TIMED_OUT, task->reason);
		ev_timer_stop(loop, &task->retry);
		task_conclude(task);
		return;
	}
	if (task->scope.reason)
		return; /* it is at its end anyway */
	task->timed_out = true;
	scope_end(&task->scope, task->reason, true, task->grace_ms, task_try_ended);
}

static void push_deps(lua_State *L, struct task *task)
{
	lua_newtable(L);
	for (size_t i = 0; i < task->depends_count; i++) {
		struct task *other = &task->workflow->tasks[task->depends[i]];

		if (!other->outcome.outputs)
			continue;
		value_push(L, other->outcome.outputs);
		lua_setfield(L, -2, other->name);
	}
}

/* Of a shell task. What an earlier try left there is not this one's. */
static void open_output(struct task *task)
{
	if (task->output)
		unlink(task->output);
	else if (task->command)
		task->output = output_path(runner_of_task(task)->workdir, task->name);
}

static int start_try(lua_State *L)
{
	struct task *task = lua_touserdata(L, 1);

	task_push_call(L, task, "try");
	if (!task->env && env_read(L, task) < 0)
		return luaL_error(L, "not enough memory");
	task_open_directories(L, task);
	lua_getfield(L, -1, "user");
	if (!task->user && lua_isstring(L, -1))
		task->user = strdup(lua_tostring(L, -1));
	lua_pop(L, 1);
	open_output(task);
	task_scope_open(task);
	task->scope.reports.taken = true; /* by lib/task.lua's try() */
	lua_pushinteger(L, task->try);
	if (task->depends_count)
		push_deps(L, task);
	else
		lua_pushnil(L);
	if (!fiber_start(&runner_of(L)->sched, &task->scope, L, 3, try_done, task))
		return luaL_error(L, "not enough memory");
	return 0;
}

/* Time limits start with the process, not in the queue. */
static void timer_begin(struct task *task, ev_timer *timer, int64_t ms)
{
	struct ev_loop *loop = runner_of_task(task)->loop;

	if (!ms || ev_is_active(timer))
		return;
	ev_now_update(loop);
	ev_timer_set(timer, (ev_tstamp)ms / 1000, 0);
	ev_timer_start(loop, timer);
}

void task_start(struct task *task)
{
	if (!task->try++)
		task->started = ev_time();
	task->status = TASK_RUNNING;
	task->timed_out = false;
	free(task->outcome.error);
	task->outcome.error = NULL;
	task->outcome.known = false;
	FAILPOINT("runner.task");
	task_report(task);
	timer_begin(task, &task->total, task->total_timeout_ms);
	timer_begin(task, &task->deadline, task->timeout_ms);
	if (task_protected(task, start_try, 0) < 0) {
		if (task->scope.runner)
			scope_done(&task->scope);
		task_conclude(task);
	}
}

void task_cancel(struct task *task, int64_t grace_ms)
{
	if (task->status == TASK_RETRY_WAIT) {
		outcome_fail(task, TASK_CANCELLED, workflow_cancel_reason(task->workflow));
		task_finish(task, TASK_CANCELLED);
	} else if (task->scope.runner && task_status_final(task->status)) {
		/* Its result stands; only its hooks end. */
		task_after_cancel(task, grace_ms);
	} else if (task->scope.runner) {
		task->cancelled = true;
		scope_end(&task->scope, "cancelled", true, grace_ms, task_try_ended);
	}
}

void task_init(struct task *task, struct workflow *workflow, int number)
{
	*task = (struct task){ .workflow = workflow, .number = number, .selected = true };
	ev_init(&task->deadline, deadline_over);
	ev_init(&task->total, deadline_over);
	ev_init(&task->retry, retry_due);
	task_after_init(task);
	task->deadline.data = task->total.data = task->retry.data = task;
}

void task_done(struct task *task)
{
	struct ev_loop *loop = runner_of_task(task)->loop;

	ev_timer_stop(loop, &task->deadline);
	ev_timer_stop(loop, &task->total);
	ev_timer_stop(loop, &task->retry);
	task_after_done(task);
	scope_done(&task->scope);
	outcome_reset(task);
	for (char **p = task->env; p && *p; p++)
		free(*p);
	free(task->env);
	free(task->home);
	free(task->workdir);
	free(task->user);
	free(task->output);
	free(task->name);
	free(task->description);
	free(task->command);
	free(task->where);
	free(task->depends);
	free(task->after_failure);
	json_decref(task->tags);
	json_decref(task->delegate);
}
