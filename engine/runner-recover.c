/* SPDX-License-Identifier: MIT */
/* Taking up the runs that a former daemon left. */
#include "engine/runner-internal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/process.h"
#include "engine/artifact.h"

enum {
	AWAY_SECONDS = 20, /* for a process to come back */
};

int runner_take_up(struct runners *runners, uid_t uid, int64_t run_id, const char *secret, int fd)
{
	struct runner *runner = runner_find(runners, run_id);
	struct run run;

	if (!runner || run_get(runners->engine, run_id, &run) < 0)
		return -ESTALE;
	if (uid != run.uid || strlen(secret) != strlen(run.secret) ||
		sodium_memcmp(secret, run.secret, strlen(run.secret)) != 0)
		return -EACCES;
	if (runner->connected)
		return -EBUSY;
	ev_timer_stop(runners->engine->loop, &runner->deadline);
	conn_init(&runner->conn, runners->engine->loop, fd, &runner_conn_callbacks, runner);
	conn_share(&runner->conn, runners->engine->fair, run.uid);
	FAILPOINT("recover.back");
	runner->connected = true;
	runner->stalled = false; /* what it told last is asked for here */
	if (runner->state == RUNNER_AWAY)
		runner->state = run.status == RUN_QUEUED    ? RUNNER_LOADING
				: run.status == RUN_WAITING ? RUNNER_WAITING
							    : RUNNER_RUNNING;
	log_info("run %lld: its process (pid %d) is back", (long long)run_id, (int)runner->pid);
	runner_send(runner, json_pack("{s:s, s:I}", "op", "taken_up", "seq", (json_int_t)runner->last_seq),
		NULL, 0);
	if (runner->state == RUNNER_RUNNING) {
		runner_start_again(runner);
		runner_limits_go_on(runner);
	}
	if (runner->cancels)
		runner_ask_to_end(runner); /* that was said while it was away */
	else if (runner->state == RUNNER_LOADING)
		runner_deadline(runner, LOADING_SECONDS);
	runner_start_waiting(runners);
	return 0;
}

static bool process_lives(const struct run *run)
{
	char boot_id[37];
	uint64_t start;

	return run->pid > 0 && process_boot_id(boot_id) == 0 && !strcmp(boot_id, run->boot_id) &&
	       process_start_time(run->pid, &start) == 0 && start == run->pid_start;
}

static int recover_one(void *userdata, const struct run *run)
{
	CLEANUP(buffer_done) struct buffer outputs = { 0 };
	struct runners *runners = userdata;
	json_auto_t *stack = NULL;
	struct runner *runner;
	int r = runner_new(runners, &runner);

	if (r < 0)
		return r;
	runner->run_id = run->id;
	runner->state = RUNNER_AWAY;
	runner->own_lock = run->holds_lock;
	runner->artifacts = true; /* or not: it has forgotten */
	runner->retry_of = run->retry_of;
	runner->options = run_options(runners->engine, run->id, "options");
	stack = run_options(runners->engine, run->id, "stack");
	if (json_is_string(stack))
		snprintf(runner->stack, sizeof(runner->stack), "%s", json_string_value(stack));
	runner->last_seq = runner->stored_seq = runner->turn_seq = run->last_seq;
	runner->submitter = (struct caller){ .uid = run->uid, .gid = run->gid, .pid = run->pid };
	if (run_text(runners->engine, run->id, RUN_OUTPUTS, &outputs) == 0 && outputs.size) {
		json_decref(runner->outputs);
		runner->outputs = json_loadb(outputs.data, outputs.size, 0, NULL);
	}
	runner_mark_of(run->secret, runner->mark);
	snprintf(runner->cgroup, sizeof(runner->cgroup), "%s", run->cgroup);
	return run_cancels(runners->engine, run->id, &runner->cancels, runner->why, sizeof(runner->why));
}

int runners_recover(struct runners *runners)
{
	struct runner *runner, *next;
	struct run run;
	int r = run_each_unfinished(runners->engine, recover_one, runners);

	if (r < 0)
		return r;
	FAILPOINT("recover.read");
	runners_tidy_old(runners);
	artifact_collect_all(runners->engine);
	FAILPOINT("recover.tidied");
	for (runner = TAILQ_FIRST(&runners->list); runner; runner = next) {
		next = TAILQ_NEXT(runner, runners);
		if (run_get(runners->engine, runner->run_id, &run) < 0)
			continue;
		FAILPOINT("recover.run");
		runner_recall_slot(runner, &run);
		if (process_lives(&run)) {
			process_groups(run.pid, &runner->submitter.groups, &runner->submitter.group_count);
			runner->submitter.groups_known = true;
			runner_watch(runner, run.pid);
			runner_deadline(runner, AWAY_SECONDS);
			log_info("run %lld: waiting for its process (pid %d)", (long long)run.id,
				(int)run.pid);
			runner_recall_lock(runner, &run);
			runner_recall_limits(runner, &run);
			continue;
		}
		log_warning("run %lld: its process died with the former daemon", (long long)run.id);
		runner->pid = run.pid;
		FAILPOINT("recover.dead");
		runner_dead(runner);
	}
	return 0;
}
