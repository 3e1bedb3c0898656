/* SPDX-License-Identifier: MIT */
/*
 * Time limits that the process of a run keeps by itself, and the last word where it can't: code that stays in
 * one function of C for ever (a pattern without end) never comes back to its loop. When a limit and the grace
 * after it are over, the process is asked whether it lives; one that does not answer is killed.
 */
#include "engine/runner-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/try.h"

enum { ANSWER_SECONDS = 5, TASK_GRACE_MS = 10000 };

static const int64_t PLANNED_MS_MAX = INT64_MAX / 8;

static void limits_arm(struct runner *runner, double seconds)
{
	ev_timer_stop(runner->of->engine->loop, &runner->limit);
	ev_timer_set(&runner->limit, seconds > 0 ? seconds : 0, 0);
	ev_timer_start(runner->of->engine->loop, &runner->limit);
}

/* The limit that is over next: its task ("": the run), and when; NULL: there is none. */
static const char *limits_next(struct runner *runner, int64_t *ret_due_ms)
{
	const char *task, *next = NULL;
	json_t *due;

	json_object_foreach (runner->limits, task, due) {
		if (next && json_integer_value(json_array_get(due, 0)) >= *ret_due_ms)
			continue;
		next = task;
		*ret_due_ms = json_integer_value(json_array_get(due, 0));
	}
	return next;
}

static void limits_wait(struct runner *runner)
{
	int64_t due;

	if (limits_next(runner, &due))
		limits_arm(runner, (double)(due - time_now_ms()) / 1000);
	else
		ev_timer_stop(runner->of->engine->loop, &runner->limit);
}

static void ask(struct runner *runner)
{
	runner->asked = true;
	runner_send(runner, json_pack("{s:s}", "op", "ping"), NULL, 0);
}

/* The task's end, where one has gone beyond its limit; the run's. */
static int store_end(struct runner *runner, const char *name, const char *text)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = runner->of->engine;
	char error[512];
	struct task task;
	int r = store_change_begin(engine->store, &change);

	snprintf(error, sizeof(error), *name ? "task %s: %s" : "%s%s", name, text);
	if (r == 0 && *name)
		r = task_find(engine, runner->run_id, name, &task);
	if (r == 0 && *name)
		r = task_set_status(engine, task.id, TASK_TIMED_OUT, task.tries, text, NULL);
	if (r == 0)
		r = runner_finish(runner, *name ? RUN_FAILED : RUN_TIMED_OUT, TASK_CANCELLED, error);
	return r == 0 ? store_change_end(&change) : r;
}

static void kill_stuck(struct runner *runner)
{
	int64_t due;
	const char *name = limits_next(runner, &due);
	char duration[32], text[256];

	duration_format(
		json_integer_value(json_array_get(json_object_get(runner->limits, name), 1)), duration);
	snprintf(text, sizeof(text),
		"%stimed out after %s, and its code could not be interrupted: the run's process was killed",
		*name ? "" : "the workflow ", duration);
	log_warning("run %lld: %s%s%s", (long long)runner->run_id, name, *name ? ": " : "", text);
	runner_kill(runner);
	if (store_end(runner, name, text) < 0)
		log_error("run %lld: its end could not be stored", (long long)runner->run_id);
}

/* It did not answer, or is to be asked. */
static void limit_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct runner *runner = timer->data;
	int64_t due;

	if ((runner->state != RUNNER_RUNNING && runner->state != RUNNER_AWAY) || !limits_next(runner, &due))
		return;
	if (runner->state == RUNNER_AWAY) {
		kill_stuck(runner); /* who comes back from its loop does so at once */
	} else if (!runner->connected) {
		limits_arm(runner, ANSWER_SECONDS);
	} else if (!runner->asked) {
		ask(runner);
		limits_arm(runner, ANSWER_SECONDS);
	} else {
		kill_stuck(runner);
	}
}

void runner_limits_init(struct runner *runner)
{
	ev_timer_init(&runner->limit, limit_over, 0, 0);
	runner->limit.data = runner;
}

void runner_limits_done(struct runner *runner)
{
	ev_timer_stop(runner->of->engine->loop, &runner->limit);
	json_decref(runner->limits);
	runner->limits = NULL;
}

void runner_limit(struct runner *runner, const char *task, int64_t timeout_ms, int64_t within_ms)
{
	if (timeout_ms > 0 && within_ms > 0 && within_ms < INT64_MAX / 2)
		json_object_set_new(runner->limits, task,
			json_pack("[I, I]", (json_int_t)(time_now_ms() + within_ms), (json_int_t)timeout_ms));
	else
		json_object_del(runner->limits, task);
	if (!runner->asked)
		limits_wait(runner);
}

/* Those of a former daemon's run. */

struct recall {
	struct runner *runner;
	json_t *planned;   /* name → the task in the plan */
	int64_t grace_max; /* of all tasks: what the run's own end may take */
};

static void limit_recall(struct recall *recall, const char *task, int64_t timeout_ms, int64_t due_ms)
{
	if (timeout_ms > 0)
		json_object_set_new(recall->runner->limits, task,
			json_pack("[I, I]", (json_int_t)due_ms, (json_int_t)timeout_ms));
}

/* What a process said, who knows what: within bounds that sums of it stay in. */
static int64_t planned_ms(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(object, key);
	int64_t ms = json_is_integer(value) ? json_integer_value(value) : otherwise;

	return ms < 0 ? 0 : ms < PLANNED_MS_MAX ? ms : PLANNED_MS_MAX;
}

/* A try that was going on: the plan says how long it may, its row since when it does. */
static int recall_task(void *userdata, const struct task *task)
{
	struct recall *recall = userdata;
	const json_t *planned = json_object_get(recall->planned, task->name);
	int64_t timeout = planned_ms(planned, "timeout_ms", 0);
	int64_t total = planned_ms(planned, "total_timeout_ms", 0);
	int64_t grace = planned_ms(planned, "grace_ms", TASK_GRACE_MS), started = task->started_ms;
	struct try try;

	if (grace > recall->grace_max)
		recall->grace_max = grace;
	if (task->status != TASK_RUNNING)
		return 0;
	if (try_get(recall->runner->of->engine, task->id, task->tries, &try) == 0)
		started = try.started_ms;
	/* What is left of the total is the limit of this try. */
	if (total && (!timeout || task->started_ms + total < started + timeout))
		timeout = task->started_ms + total - started;
	limit_recall(recall, task->name, timeout, started + timeout + grace);
	return 0;
}

static json_t *plan_tasks(const json_t *plan)
{
	json_t *planned = json_object(), *task;
	size_t i;

	json_array_foreach (json_object_get(plan, "tasks"), i, task) {
		const char *name = json_string_value(json_object_get(task, "name"));

		if (name)
			json_object_set(planned, name, task);
	}
	return planned;
}

void runner_recall_limits(struct runner *runner, const struct run *run)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *plan = NULL, *planned = NULL;
	struct recall recall = { .runner = runner };
	struct engine *engine = runner->of->engine;
	int64_t timeout, due;

	if (!run->started_ms || run_text(engine, run->id, RUN_PLAN, &text) < 0)
		return;
	plan = json_loadb(buffer_text(&text), text.size, 0, NULL);
	recall.planned = planned = plan_tasks(plan);
	if (!planned || task_each(engine, run->id, recall_task, &recall) < 0)
		return;
	timeout = planned_ms(json_object_get(plan, "limits"), "timeout_ms", 0);
	limit_recall(&recall, "", timeout, run->started_ms + timeout + recall.grace_max);
	if (!limits_next(runner, &due))
		return;
	due -= time_now_ms();
	limits_arm(runner, due > ANSWER_SECONDS * 1000 ? (double)due / 1000 : ANSWER_SECONDS);
}

void runner_limits_go_on(struct runner *runner)
{
	runner->asked = false;
	limits_wait(runner);
}

bool runner_ask(struct runner *runner)
{
	if (runner->asked || !runner->connected)
		return false;
	ask(runner);
	return true;
}

/* It lives, and sees to its limits; until they are gone it is asked again and again. */
void runner_answered(struct runner *runner)
{
	int64_t due;

	/* Who says so unasked would put off its end for ever. */
	if (!runner->asked)
		return;
	runner->asked = false;
	if (runner->cancels == 1)
		runner_deadline(runner, AFTER_GRACE_SECONDS);
	if (limits_next(runner, &due) && due > time_now_ms())
		limits_wait(runner);
	else if (json_object_size(runner->limits))
		limits_arm(runner, ANSWER_SECONDS);
}
