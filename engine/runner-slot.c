/* SPDX-License-Identifier: MIT */
/*
 * Which runs go on: at most max_concurrent_executions at once, of all and of one stack, first come first
 * served. A stack that has its number of them keeps nobody of another waiting.
 *
 * A run that a task of a running run has submitted takes that one's slot, if no other of its children has it:
 * or runs that wait for their children, and fill all slots, would wait for ever.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/runner-internal.h"

/* Also one whose process has yet to come back. */
static bool goes_on(const struct runner *runner)
{
	return runner->slot != SLOT_NONE && runner->state != RUNNER_FINISHED;
}

static bool borrows(struct runners *runners, const struct runner *child)
{
	const struct runner *parent = child->parent ? runner_find(runners, child->parent) : NULL, *other;

	if (!parent || !goes_on(parent))
		return false;
	TAILQ_FOREACH (other, &runners->list, runners)
		if (other->parent == child->parent && other != child && other->slot == SLOT_BORROWED &&
			goes_on(other))
			return false;
	return true;
}

static size_t count_slots(struct runners *runners, int64_t stack_id)
{
	const struct runner *runner;
	size_t count = 0;

	TAILQ_FOREACH (runner, &runners->list, runners)
		count += goes_on(runner) &&
			 (stack_id ? runner->stack_id == stack_id : runner->slot == SLOT_OWN);
	return count;
}

/* Of this stack: what its own settings say; else what holds for all. */
static size_t stack_limit(struct runners *runners, int64_t stack_id)
{
	struct config config;

	if (stack_config(runners->engine, stack_id, &config) < 0)
		config = runners->engine->config;
	return (size_t)config.max_concurrent_executions;
}

static bool is_ready(const struct runner *runner)
{
	return runner->state == RUNNER_WAITING && !runner->lock_wait && !runner->cancels;
}

void runner_recall_slot(struct runner *runner, const struct run *run)
{
	runner->stack_id = run->stack_id;
	runner->parent = run->parent;
	runner->slot = run->status != RUN_RUNNING && run->status != RUN_ROLLING_BACK ? SLOT_NONE
		       : borrows(runner->of, runner)				     ? SLOT_BORROWED
										     : SLOT_OWN;
}

static void begin_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	runner_start_waiting(timer->data);
}

void runners_slots_init(struct runners *runners)
{
	ev_timer_init(&runners->begin_again, begin_again, STALL_SECONDS, 0);
	runners->begin_again.data = runners;
}

/* Wholly or not at all; in the latter case again after a while: nothing else may ever come by. */
static int begin_now(struct runner *runner)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct runners *runners = runner->of;
	size_t frames = json_array_size(runner->after_commit);
	int r = store_change_begin(runners->engine->store, &change);

	if (r == 0)
		r = runner_begin(runner);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		return 0;
	log_warning("run %lld: it can't begin: %s; trying again", (long long)runner->run_id, strerror(-r));
	while (json_array_size(runner->after_commit) > frames)
		json_array_remove(runner->after_commit, frames);
	runner->state = RUNNER_WAITING;
	ev_timer_start(runners->engine->loop, &runners->begin_again);
	return r;
}

void runner_start_waiting(struct runners *runners)
{
	size_t limit = (size_t)runners->engine->config.max_concurrent_executions;
	size_t used = count_slots(runners, 0);
	int64_t full = 0; /* a stack that has its number: those who come behind belong to it mostly */
	struct runner *runner;

	TAILQ_FOREACH (runner, &runners->list, runners) {
		enum slot slot;

		if (!is_ready(runner) || !runner->connected || runner->stack_id == full)
			continue;
		slot = borrows(runners, runner) ? SLOT_BORROWED : SLOT_OWN;
		if (slot == SLOT_OWN && used >= limit)
			continue;
		if (slot == SLOT_OWN &&
			count_slots(runners, runner->stack_id) >= stack_limit(runners, runner->stack_id)) {
			full = runner->stack_id;
			continue;
		}
		if (!runner_is_valid(runner) || begin_now(runner) < 0)
			continue;
		runner->slot = slot;
		used += slot == SLOT_OWN;
	}
}

/* Why it waits. */

static void add_sentence(json_t *waiting, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_sentence(json_t *waiting, const char *format, ...)
{
	char *text;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text)
		return;
	json_object_set_new(waiting, "text", json_string(text));
	free(text);
}

static json_t *for_lock(struct runner *runner, const struct run *run)
{
	struct engine *engine = runner->of->engine;
	size_t count, place = runner_lock_place(runner, &count);
	char since[32], until[32];
	json_t *waiting;

	time_format(run->waiting_since_ms, since);
	time_format(run->waiting_since_ms + run->lock_wait_ms, until);
	waiting = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "for", "lock", "stack", run->stack,
		"since", since, "until", until, "place", (json_int_t)place, "count", (json_int_t)count,
		"holder", runner_lock_holder(engine, run->stack_id));
	add_sentence(waiting, "the lock of stack %s, until %s; place %zu of %zu in its queue; held by %s",
		run->stack, until, place, count,
		json_is_string(json_object_get(waiting, "holder"))
			? json_string_value(json_object_get(waiting, "holder"))
			: "nobody any more");
	return waiting;
}

static json_t *for_slot(struct runner *runner, const struct run *run)
{
	struct runners *runners = runner->of;
	size_t limit = stack_limit(runners, run->stack_id), used = count_slots(runners, run->stack_id);
	bool of_stack = used >= limit;
	const struct runner *other;
	size_t place = 0, count = 0;
	json_t *waiting;

	if (!of_stack) {
		limit = (size_t)runners->engine->config.max_concurrent_executions;
		used = count_slots(runners, 0);
	}
	TAILQ_FOREACH (other, &runners->list, runners) {
		count += is_ready(other) && (!of_stack || other->stack_id == run->stack_id);
		if (other == runner)
			place = count;
	}
	waiting = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "for", "slot", "stack",
		of_stack ? json_string(run->stack) : json_null(), "running", (json_int_t)used, "limit",
		(json_int_t)limit, "place", (json_int_t)place, "count", (json_int_t)count);
	add_sentence(waiting,
		"a slot; place %zu of %zu in the queue; %zu run%s%s%s, and max_concurrent_executions is %zu",
		place, count, used, used == 1 ? " is running" : "s are running", of_stack ? " on stack " : "",
		of_stack ? run->stack : "", limit);
	return waiting;
}

static json_t *for_other(const char *what, const char *text)
{
	return json_pack("{s:s, s:s}", "for", what, "text", text);
}

json_t *runner_waiting(struct runners *runners, int64_t run_id)
{
	struct runner *runner = runners ? runner_find(runners, run_id) : NULL;
	struct run run;

	if (!runner || run_get(runners->engine, run_id, &run) < 0)
		return NULL;
	if (run.status == RUN_QUEUED)
		return runner->state == RUNNER_QUEUED
			       ? for_other("process", "other workflows, which are being loaded")
			       : for_other("process", "its workflow to be loaded");
	if (run.status != RUN_WAITING)
		return NULL;
	if (runner->cancels)
		return for_other("end", "its process to end: it was cancelled");
	if (runner->lock_wait)
		return for_lock(runner, &run);
	if (!runner->connected)
		return for_other("process", "its process to come back");
	return runner->validation ? for_other("validation", "the validation of its stack")
				  : for_slot(runner, &run);
}
