/* SPDX-License-Identifier: MIT */
/*
 * The lock of a run's stack. It is taken when the workflow is loaded. Where another has it, the run is
 * refused, or stands in the lock's queue as long as its submitter or its workflow say; that outlives the
 * daemon, whose successor puts the runs that waited into the queue again, in the order of their numbers.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/lock-table.h"
#include "engine/maintenance.h"
#include "engine/runner-internal.h"

int runner_read_wait(const json_t *options, int64_t *ret_ms, struct fault *fault)
{
	const json_t *wish = json_object_get(options, "wait");
	int64_t ms = RUNNER_WAIT_UNSAID;

	if (json_is_integer(wish) && json_integer_value(wish) >= 0 && json_integer_value(wish) < INT32_MAX)
		ms = json_integer_value(wish) * 1000;
	else if (wish && (!json_is_string(wish) || duration_parse(json_string_value(wish), &ms) < 0))
		return fault_set(fault, EINVAL,
			"how long to wait for the lock must be a duration (30s, 10m, 1h30m), or seconds");
	*ret_ms = ms;
	return 0;
}

/* What the submitter says counts more than what the workflow says. */
static int64_t wait_of(const struct runner *runner, const json_t *plan)
{
	int64_t ms = RUNNER_WAIT_UNSAID;

	runner_read_wait(runner->options, &ms, NULL);
	return ms != RUNNER_WAIT_UNSAID ? ms : json_integer_value(json_object_get(plan, "lock_wait_ms"));
}

bool runner_rolls_back(const json_t *plan)
{
	static const char *const words[] = { "on_failure", "on_task_failure" };
	const json_t *config = json_object_get(plan, "config");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *policy = json_string_value(json_object_get(config, words[i]));

		if (policy && !strcmp(policy, "rollback"))
			return true;
	}
	return false;
}

static int wants_lock(struct engine *engine, int64_t stack_id, const json_t *plan, bool *ret_wanted)
{
	const json_t *wish = json_object_get(json_object_get(plan, "config"), "require_lock");
	struct config config;
	int r = stack_config(engine, stack_id, &config);

	if (r == 0)
		*ret_wanted = runner_rolls_back(plan) ||
			      (json_is_boolean(wish) ? json_is_true(wish) : config.auto_lock);
	return r;
}

static struct lock_request request_of(const struct runner *runner)
{
	struct lock_request request = {
		.kind = LOCK_RUN, .owner = (uint64_t)runner->run_id, .pid = runner->pid, .operation = "run"
	};

	snprintf(request.reason, sizeof(request.reason), "run %lld", (long long)runner->run_id);
	return request;
}

static int take_now(struct runner *runner, const struct stack *stack, const json_t *plan, struct fault *fault)
{
	struct engine *engine = runner->of->engine;
	struct lock_request request = request_of(runner);
	bool wanted;
	int64_t token;
	int r;

	r = maintenance_lift(engine, &runner->submitter, runner->run_id, stack, fault);
	if (r == 0)
		r = stack_may_change(engine, &runner->submitter, stack, fault);
	if (r == 0)
		r = lock_check_automation(engine, stack->id, fault);
	if (r == 0)
		r = wants_lock(engine, stack->id, plan, &wanted);
	if (r < 0)
		return r;
	if (lock_held_by(engine, &runner->submitter, stack->id, &token))
		return run_set_lock(engine, runner->run_id, token, false);
	if (!wanted)
		return 0;
	r = lock_acquire(engine, &runner->submitter, lock_of_stack(stack->id), &request, fault, &token);
	if (r < 0)
		return r;
	runner->own_lock = true;
	return run_set_lock(engine, runner->run_id, token, true);
}

/* It is the run's turn. Whoever had the lock may have changed the stack's values. */
static int store_grant(struct runner *runner, int64_t token, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = runner->of->engine;
	const json_t *plan = runner_plan(runner);
	bool wanted = true;
	struct run run;
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = run_get(engine, runner->run_id, &run);
	if (r == 0)
		r = runner_merge_values(runner, run.stack_id, fault);
	if (r == 0)
		r = wants_lock(engine, run.stack_id, plan, &wanted);
	if (r == 0)
		r = run_set_wait(engine, run.id, run.lock_wait_ms, 0);
	if (r == 0)
		r = run_set_lock(engine, run.id, wanted ? token : 0, wanted);
	if (r == 0 && !wanted)
		r = lock_release_owner(engine, lock_of_stack(run.stack_id), LOCK_RUN, (uint64_t)run.id);
	else if (r == 0 && runner->pid)
		r = lock_set_run_pid(engine, run.stack_id, run.id, runner->pid);
	if (r == 0)
		r = store_change_end(&change);
	runner->own_lock = r == 0 && wanted;
	return r;
}

static void give_up(struct runner *runner, int error, const struct fault *fault)
{
	const char *text = fault && *fault->text ? fault->text : strerror(-error);

	runner->cancels = 2; /* also for one that comes back later */
	runner_send(runner, json_pack("{s:s, s:i}", "op", "cancel", "grace_ms", 0), NULL, 0);
	runner_finish(runner, error == -ETIMEDOUT ? RUN_TIMED_OUT : RUN_FAILED, TASK_CANCELLED, text);
	runner_start_waiting(runner->of);
}

static void wait_over(void *userdata, int result, int64_t token, const struct fault *fault)
{
	struct runner *runner = userdata;
	struct fault kept = { 0 };

	runner->lock_wait = NULL;
	if (result == -ECANCELED || runner->state == RUNNER_FINISHED)
		return; /* the run is over */
	if (fault)
		kept = *fault;
	if (result == 0)
		result = store_grant(runner, token, &kept);
	if (result < 0)
		give_up(runner, result, &kept);
	else
		runner_start_waiting(runner->of);
}

/* Stands in the queue. Where the lock is free, it has it at once. */
static int queue_up(struct runner *runner, int64_t stack_id, int64_t wait_ms, struct fault *fault)
{
	struct engine *engine = runner->of->engine;
	struct lock_request request = request_of(runner);
	int64_t token = 0;
	int r = lock_wait(engine, &runner->submitter, lock_of_stack(stack_id), &request, wait_ms, wait_over,
		runner, fault, &token, &runner->lock_wait);

	if (r < 0)
		runner->lock_wait = NULL;
	return r == 0 && !runner->lock_wait ? store_grant(runner, token, fault) : r;
}

int runner_take_lock(
	struct runner *runner, const struct stack *stack, const json_t *plan, struct fault *fault)
{
	int64_t wait_ms = wait_of(runner, plan);
	struct fault busy = { 0 };
	int r = take_now(runner, stack, plan, &busy);

	if (r == -EBUSY && wait_ms <= 0)
		return fault_set(
			fault, EBUSY, "%s. A run waits for it with: sloth run --wait 10m", busy.text);
	if (r != -EBUSY)
		return r < 0 ? fault_set(fault, -r, "%s", *busy.text ? busy.text : strerror(-r)) : r;
	r = run_set_wait(runner->of->engine, runner->run_id, wait_ms, time_now_ms());
	return r < 0 ? r : queue_up(runner, stack->id, wait_ms, fault);
}

void runner_leave_lock(struct runner *runner)
{
	lock_wait_cancel(TAKE(runner->lock_wait));
}

void runner_recall_lock(struct runner *runner, const struct run *run)
{
	struct fault fault = { 0 };
	int64_t left;
	int r;

	runner->own_lock = run->holds_lock;
	if (run->status != RUN_WAITING || !run->waiting_since_ms || runner->cancels) {
		runner_leave_lock(runner);
		return;
	}
	if (runner->lock_wait)
		return;
	left = run->waiting_since_ms + run->lock_wait_ms - time_now_ms();
	r = queue_up(runner, run->stack_id, left > 0 ? left : 1, &fault);
	if (r < 0) {
		log_warning("run %lld: it can't wait for its lock: %s", (long long)run->id, fault.text);
		give_up(runner, r, &fault);
	}
}

size_t runner_lock_place(const struct runner *runner, size_t *ret_count)
{
	const struct lock_wait *wait = runner->lock_wait;
	const struct lock_place *place;
	size_t n = 0, mine = 0;

	if (wait)
		TAILQ_FOREACH (place, &wait->places[0].queue->places, entry) {
			n++;
			if (place->wait == wait)
				mine = n;
		}
	*ret_count = n;
	return mine;
}

json_t *runner_lock_holder(struct engine *engine, int64_t stack_id)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct lock lock;
	FILE *out = lock_get(engine, lock_of_stack(stack_id), &lock) > 0 ? buffer_stream_open(&text) : NULL;

	if (!out)
		return json_null();
	lock_write_holder(engine, &lock, out);
	if (buffer_stream_close(out, &text) < 0)
		return json_null();
	return json_stringn(text.data, text.size);
}
