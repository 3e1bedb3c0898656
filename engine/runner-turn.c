/* SPDX-License-Identifier: MIT */
/*
 * Runs and the turns of the loop: what goes with a turn's commit, what leaves after it, and what is taken
 * back when it fails.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "engine/artifact.h"
#include "engine/runner-internal.h"

enum {
	UNSTORED_FRAMES = 64,	    /* that changed nothing, before it is stored that they were applied, */
	UNSTORED_BYTES = 256 << 10, /* … or so many bytes of them */
};

/* What changed nothing may be done again, should the daemon die: it is no reason to write, as long as the
 * process does not keep too much that is not acknowledged. */
static bool may_come_again(const struct runner *runner)
{
	return !store_turn_dirty(runner->of->engine->store) &&
	       runner->last_seq - runner->stored_seq < UNSTORED_FRAMES && runner->unstored < UNSTORED_BYTES;
}

/* Before the commit: where each conversation stands goes with what it changed. */
static void turn_ends(void *userdata)
{
	struct runners *runners = userdata;
	struct runner *runner;

	TAILQ_FOREACH (runner, &runners->list, runners) {
		CLEANUP(store_change_cancel) struct store_change change = { 0 };

		if (runner->last_seq > runner->stored_seq && !may_come_again(runner) &&
			store_change_begin(runners->engine->store, &change) == 0 &&
			run_set_seq(runners->engine, runner->run_id, runner->last_seq) == 0 &&
			store_change_end(&change) == 0)
			runner->turn_seq = runner->last_seq;
	}
}

void runner_step_back(struct runner *runner)
{
	static const enum runner_state states[RUN_STATUS_COUNT] = {
		[RUN_QUEUED] = RUNNER_LOADING,
		[RUN_WAITING] = RUNNER_WAITING,
		[RUN_RUNNING] = RUNNER_RUNNING,
		[RUN_ROLLING_BACK] = RUNNER_RUNNING,
	};
	struct engine *engine = runner->of->engine;
	struct fault fault = { 0 };
	struct run run;
	int r = run_get(engine, runner->run_id, &run);

	if (r == -ENOENT) {
		/* It was submitted in that very turn. */
		fault_set(&fault, -engine->turn_error, "the run could not be stored: %s",
			strerror(-engine->turn_error));
		runner_kill(runner);
		runner_tell_loaded(runner, engine->turn_error, &fault);
		runner_free(runner);
		return;
	}
	runner->lost = r < 0 && (runner->connected || runner->gone);
	if (runner->lost) {
		runner->last_seq = runner->turn_seq = runner->stored_seq;
		runner->stalled = true;
		runner_deadline(runner, STALL_SECONDS);
	}
	if (r < 0)
		return;
	runner->last_seq = runner->stored_seq = runner->turn_seq = run.last_seq;
	runner_mask_free(runner);
	/* Whoever submitted it is told now that it was not stored: it must not go on as if it were. */
	runner->disowned |= runner->told;
	runner->told = false;
	if (runner->state != RUNNER_QUEUED && runner->state != RUNNER_AWAY)
		runner->state = run_status_final(run.status) ? RUNNER_FINISHED : states[run.status];
	runner_recall_slot(runner, &run);
	runner_recall_lock(runner, &run);
	/* One that is not started yet, or not back, has its own deadline, and has said nothing. */
	runner->stalled = runner->connected;
	if (runner->connected || runner->gone)
		runner_deadline(runner, STALL_SECONDS);
}

/* Most runs leave nothing behind; what is left stays as long as the run is remembered. */
static void remove_empty_work(const struct runner *runner)
{
	char work[4200];

	snprintf(work, sizeof(work), "%s/%lld", runner->of->work, (long long)runner->run_id);
	rmdir(work);
}

/* What is on disk is acknowledged, and what waited for that leaves. */
static void go_on(struct runner *runner)
{
	json_t *frame;
	size_t i;

	runner->answered = 0; /* from now on they count as what is not sent */
	runner->told = false;
	if (json_array_size(runner->after_commit))
		FAILPOINT("run.begin.send");
	json_array_foreach (runner->after_commit, i, frame)
		runner_send(runner, json_incref(frame), NULL, 0);
	json_array_clear(runner->after_commit);
	if (runner->turn_seq > runner->stored_seq) {
		FAILPOINT("run.ack");
		runner->stored_seq = runner->turn_seq;
		runner->unstored = 0;
		runner_send(runner,
			json_pack("{s:s, s:I}", "op", "ack", "seq", (json_int_t)runner->stored_seq), NULL, 0);
	}
	if (runner->gone && runner->state == RUNNER_FINISHED) {
		FAILPOINT("run.over");
		remove_empty_work(runner);
		runner_drop_group(runner);
		FAILPOINT("run.cleared");
		if (runner->artifacts)
			artifact_collect(runner->of->engine, runner->run_id);
		runner_free(runner);
	}
}

/* Runs that were deleted in this turn; when it failed they are still there. */
static void collect_removed(struct runners *runners, bool failed)
{
	json_t *id;
	size_t i;

	if (!failed)
		json_array_foreach (runners->removed, i, id)
			artifact_collect(runners->engine, json_integer_value(id));
	json_array_clear(runners->removed);
}

/* After the commit, or after it failed. */
static void turn_ended(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct runners *runners = prepare->data;
	bool failed = runners->failed_turns != runners->engine->failed_turns;
	struct runner *runner, *next;

	if (runners->engine->patient)
		return; /* the turn goes on */
	runners->failed_turns = runners->engine->failed_turns;
	collect_removed(runners, failed);
	for (runner = TAILQ_FIRST(&runners->list); runner; runner = next) {
		next = TAILQ_NEXT(runner, runners);
		if (failed) {
			json_array_clear(runner->after_commit);
			runner->answered = 0;
			runner_step_back(runner);
		} else if (!runner->lost) {
			go_on(runner);
		}
	}
}

void runners_turns_start(struct runners *runners)
{
	struct engine *engine = runners->engine;

	engine->turn_ends = turn_ends;
	engine->turn_userdata = runners;
	ev_prepare_init(&runners->after, turn_ended);
	runners->after.data = runners;
	ev_set_priority(&runners->after, -1);
	ev_prepare_start(engine->loop, &runners->after);
	ev_unref(engine->loop);
}

void runners_turns_end(struct runners *runners)
{
	runners->engine->turn_ends = NULL;
	ev_ref(runners->engine->loop);
	ev_prepare_stop(runners->engine->loop, &runners->after);
}
