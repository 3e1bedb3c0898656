/* SPDX-License-Identifier: MIT */
/*
 * The life of a run: queued → its process loads the workflow → waits for a slot → runs → ends.
 *
 * Frames of the process are applied once, in order; `ack` follows the commit. When a commit or a frame fails
 * (no room), the process is asked to send again from the last frame that is on disk.
 */
#include "engine/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/process.h"
#include "engine/artifact.h"
#include "engine/calls.h"
#include "engine/check.h"
#include "engine/detect.h"
#include "engine/lock.h"
#include "engine/maintenance.h"
#include "engine/runner-internal.h"
#include "engine/spawner.h"
#include "engine/validate.h"
#include "engine/watch.h"

enum { UNSENT_MAX = 64 << 20 }; /* bytes for a process that does not read */

struct runner *runner_find(struct runners *runners, int64_t run_id)
{
	struct runner *runner;

	TAILQ_FOREACH (runner, &runners->list, runners)
		if (runner->run_id == run_id)
			return runner;
	return NULL;
}

/* A process that asks for more than it reads would fill our memory, and one that can't be told something
 * would wait for it for ever. It is killed, and told nothing more. */
static void runner_drown(struct runner *runner, const char *why)
{
	if (runner->drowned)
		return;
	runner->drowned = why;
	log_error("run %lld: %s: ending its process", (long long)runner->run_id, why);
	runner_kill(runner);
}

static const char reading_nothing[] = "its process does not read what it is sent";

static bool reads_nothing(const struct runner *runner)
{
	return runner->connected && conn_pending(&runner->conn) + runner->answered > UNSENT_MAX;
}

bool runner_answers(struct runner *runner, size_t size)
{
	runner->answered += size;
	if (reads_nothing(runner))
		runner_drown(runner, reading_nothing);
	return !runner->drowned;
}

int runner_send(struct runner *runner, json_t *head, const char *body, size_t size)
{
	CLEANUP(cleanup_free) char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	int r = -ENOMEM;

	json_decref(head);
	if (reads_nothing(runner))
		runner_drown(runner, reading_nothing);
	if (!runner->connected || runner->drowned)
		return -ENOTCONN;
	if (text)
		r = conn_send(&runner->conn, text, strlen(text), body, size);
	if (r == -ENOMEM)
		runner_drown(runner, "there was no memory for what its process must be told");
	return r;
}

int runner_new(struct runners *runners, struct runner **ret_runner)
{
	struct runner *runner = calloc(1, sizeof(*runner));

	if (!runner)
		return -ENOMEM;
	runner->of = runners;
	runner->pidfd = runner->exit_status = -1;
	runner->after_commit = json_array();
	runner->outputs = json_object();
	runner->limits = json_object();
	if (!runner->after_commit || !runner->outputs || !runner->limits) {
		json_decref(runner->after_commit);
		json_decref(runner->outputs);
		json_decref(runner->limits);
		free(runner);
		return -ENOMEM;
	}
	TAILQ_INIT(&runner->call_waits);
	SLIST_INIT(&runner->held);
	ev_timer_init(&runner->deadline, runner_deadline_over, 0, 0);
	runner->deadline.data = runner;
	runner_limits_init(runner);
	TAILQ_INSERT_TAIL(&runners->list, runner, runners);
	*ret_runner = runner;
	return 0;
}

static void watch_stop(struct runner *runner)
{
	if (runner->pidfd < 0)
		return;
	ev_io_stop(runner->of->engine->loop, &runner->death);
	close(runner->pidfd);
	runner->pidfd = -1;
}

void runner_free(struct runner *runner)
{
	struct runners *runners = runner->of;

	TAILQ_REMOVE(&runners->list, runner, runners);
	lock_calls_done(runner);
	runner_leave_lock(runner);
	ev_timer_stop(runners->engine->loop, &runner->deadline);
	runner_limits_done(runner);
	watch_stop(runner);
	if (runner->connected)
		conn_done(&runner->conn);
	if (runner->validation)
		validate_cancel(runner->validation);
	caller_done(&runner->submitter);
	runner_mask_free(runner);
	runner_drift_done(runner);
	json_decref(runner->after_commit);
	json_decref(runner->outputs);
	json_decref(runner->plan);
	json_decref(runner->options);
	free(runner);
}

void runner_tell_loaded(struct runner *runner, int result, const struct fault *fault)
{
	void (*loaded)(void *, int, const struct fault *) = TAKE(runner->loaded);

	runner->told = loaded && result == 0;
	if (loaded)
		loaded(runner->userdata, result, fault);
}

static int release_locks(struct runner *runner, const struct run *run)
{
	int r = lock_release_run(runner->of->engine, run->id);

	return r < 0 || !run->holds_lock ? r
					 : run_set_lock(runner->of->engine, run->id, run->lock_token, false);
}

/* Its process is gone while it was rolled back: what that has not undone is named. */
static int cut_short(
	struct runner *runner, enum run_status *ret_status, const char *error, struct buffer *ret_text)
{
	CLEANUP(buffer_done) struct buffer names = { 0 };
	int r = run_not_undone(runner->of->engine, runner->run_id, &names);

	if (r == 0)
		r = buffer_append_text(ret_text, "the rollback was cut short: ");
	if (r == 0)
		r = buffer_append_text(ret_text, *runner->why ? runner->why : error ? error : "cancelled");
	if (r == 0)
		r = buffer_append_text(
			ret_text, names.size ? "; not undone: " : "; the stack may not be as before");
	if (r == 0 && names.size)
		r = buffer_append_text(ret_text, buffer_text(&names));
	*ret_status = RUN_ROLLBACK_FAILED;
	return r;
}

/* The one way in which a run ends: its tasks, its status, its lock, in one change. */
int runner_finish(
	struct runner *runner, enum run_status status, enum task_status task_status, const char *error)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct engine *engine = runner->of->engine;
	struct run run;
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = run_get(engine, runner->run_id, &run);
	if (r == 0 && !run_status_final(run.status)) {
		r = runner_log_end(runner, NULL);
		if (r == 0)
			r = task_finish_all(engine, runner->run_id, task_status);
		if (r == 0 && run.status == RUN_ROLLING_BACK && status != RUN_ROLLED_BACK &&
			status != RUN_ROLLBACK_FAILED)
			r = cut_short(runner, &status, error, &text);
		if (r == 0)
			r = run_set_status(engine, runner->run_id, status,
				text.size      ? buffer_text(&text)
				: *runner->why ? runner->why
					       : error);
		FAILPOINT("run.end");
		if (r == 0)
			r = release_locks(runner, &run);
		FAILPOINT("run.released");
		if (r == 0)
			r = maintenance_begin(engine, &run, status);
		if (r == 0)
			r = runner_forget_secrets(runner);
		if (r == 0 && runner->artifacts)
			r = artifact_drop_all(engine, runner->run_id);
	}
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0) {
		log_error(
			"run %lld: its end could not be stored: %s", (long long)runner->run_id, strerror(-r));
		return r;
	}
	runner->state = RUNNER_FINISHED;
	return 0;
}

void runner_deadline(struct runner *runner, double seconds)
{
	ev_timer_stop(runner->of->engine->loop, &runner->deadline);
	ev_timer_set(&runner->deadline, seconds, 0);
	ev_timer_start(runner->of->engine->loop, &runner->deadline);
}

/* A frame that could not be applied, or whose turn has failed. What the deadline was for begins anew. */
static void ask_again(struct runner *runner)
{
	runner->stalled = false;
	runner_send(runner, json_pack("{s:s, s:I}", "op", "taken_up", "seq", (json_int_t)runner->last_seq),
		NULL, 0);
	if (runner->cancels)
		runner_deadline(runner, AFTER_GRACE_SECONDS);
	else if (runner->state == RUNNER_LOADING)
		runner_deadline(runner, LOADING_SECONDS);
}

void runner_deadline_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct runner *runner = timer->data;
	struct fault fault = { 0 };

	if (runner->lost) {
		runner_step_back(runner);
		return;
	}
	if (runner->gone) {
		runner_dead(runner);
		return;
	}
	if (runner->stalled) {
		ask_again(runner);
		return;
	}
	switch (runner->state) {
	case RUNNER_LOADING:
		fault_set(
			&fault, ETIMEDOUT, "the workflow was not loaded within %d seconds", LOADING_SECONDS);
		runner_kill(runner);
		runner_finish(
			runner, runner->cancels ? RUN_CANCELLED : RUN_FAILED, TASK_CANCELLED, fault.text);
		runner_tell_loaded(runner, -ETIMEDOUT, &fault);
		break;
	case RUNNER_AWAY:
		runner_kill(runner);
		runner_finish(runner, RUN_INTERRUPTED, TASK_LOST,
			"its process did not come back after the daemon's restart");
		break;
	default:
		if (!runner->cancels) {
			ask_again(runner);
			return;
		}
		/* What runs in any case may last; but the process has to live. */
		if (runner->cancels == 1 && runner_ask(runner)) {
			runner_deadline(runner, AFTER_GRACE_SECONDS);
			return;
		}
		runner_kill(runner);
		runner_finish(
			runner, RUN_CANCELLED, TASK_CANCELLED, "cancelled; its process had to be killed");
	}
}

static void process_died(struct ev_loop *loop, ev_io *io, int revents)
{
	struct runner *runner = io->data;

	watch_stop(runner);
	runner_check_gone(runner);
}

void runner_watch(struct runner *runner, pid_t pid)
{
	runner->pid = pid;
	runner->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (runner->pidfd < 0)
		return;
	ev_io_init(&runner->death, process_died, runner->pidfd, EV_READ);
	runner->death.data = runner;
	ev_io_start(runner->of->engine->loop, &runner->death);
}

static const char *death_text(const struct runner *runner, char *text, size_t size)
{
	if (runner->drowned)
		snprintf(text, size, "%s: the daemon ended it (pid %d)", runner->drowned, (int)runner->pid);
	else if (runner->exit_status != -1 && WIFSIGNALED(runner->exit_status))
		snprintf(text, size, "its process (pid %d) was killed by signal %d (%s)", (int)runner->pid,
			WTERMSIG(runner->exit_status), strsignal(WTERMSIG(runner->exit_status)));
	else if (runner->exit_status != -1)
		snprintf(text, size, "its process (pid %d) ended with status %d before the run was over",
			(int)runner->pid, WEXITSTATUS(runner->exit_status));
	else
		snprintf(text, size, "its process (pid %d) died", (int)runner->pid);
	return text;
}

void runner_check_gone(struct runner *runner)
{
	/* Its last frames may still be in the socket. */
	if (!runner->connected && runner->pidfd < 0 && (!runner->child || runner->exit_status != -1))
		runner_dead(runner);
}

void runner_dead(struct runner *runner)
{
	struct runners *runners = runner->of;
	enum runner_state state = runner->state;
	struct fault fault = { 0 };
	char text[256];

	runner->gone = true;
	if (state != RUNNER_FINISHED) {
		FAILPOINT("run.died");
		runner_kill(runner);
		FAILPOINT("run.killed");
		fault_set(&fault, EIO, "run %lld: %s", (long long)runner->run_id,
			death_text(runner, text, sizeof(text)));
		if (runner->cancels)
			runner_finish(runner, RUN_CANCELLED, TASK_CANCELLED, "cancelled");
		else
			runner_finish(
				runner, RUN_INTERRUPTED, TASK_LOST, death_text(runner, text, sizeof(text)));
		runner_tell_loaded(runner, -EIO, &fault);
	}
	/* It is freed when its end is on disk; until then it is tried again. */
	if (runner->state != RUNNER_FINISHED)
		runner_deadline(runner, STALL_SECONDS);
	runner_start_queued(runners);
}

size_t runner_count(struct runners *runners, enum runner_state state)
{
	struct runner *runner;
	size_t count = 0;

	TAILQ_FOREACH (runner, &runners->list, runners)
		count += runner->state == state;
	return count;
}

int runners_new(
	struct engine *engine, struct spawner *spawner, const char *socket, struct runners **ret_runners)
{
	struct runners *runners = calloc(1, sizeof(*runners));

	if (runners)
		runners->removed = json_array();
	if (!runners || !runners->removed) {
		free(runners);
		return -ENOMEM;
	}
	runners->engine = engine;
	runners->spawner = spawner;
	TAILQ_INIT(&runners->list);
	TAILQ_INIT(&runners->checks);
	TAILQ_INIT(&runners->detections);
	runners_tidy_start(runners);
	runners_slots_init(runners);
	snprintf(runners->socket, sizeof(runners->socket), "%s", socket);
	snprintf(runners->work, sizeof(runners->work), "%.4000s/work", engine->home);
	spawner_find_program(runners->program, sizeof(runners->program));
	/* Users pass through it to their own runs' folders. */
	if (mkdir(runners->work, 0711) < 0 && errno != EEXIST) {
		free(runners);
		return -errno;
	}
	spawner_attach(spawner, engine->loop, &runner_spawner_callbacks, runners);
	engine->end_run = runner_end;
	engine->end_userdata = runners;
	runners_turns_start(runners);
	runners->watches = watches_new(runners);
	if (!runners->watches) {
		runners_free(runners);
		return -ENOMEM;
	}
	*ret_runners = runners;
	return 0;
}

void runners_free(struct runners *runners)
{
	if (!runners)
		return;
	/* What they have told so far is kept; the processes go on, and come back to the next daemon. */
	engine_turn_end(runners->engine);
	runners_turns_end(runners);
	runners->engine->end_run = NULL;
	while (!TAILQ_EMPTY(&runners->list))
		runner_free(TAILQ_FIRST(&runners->list));
	checks_free(runners);
	detections_free(runners);
	watches_free(runners->watches);
	runners_tidy_end(runners);
	ev_timer_stop(runners->engine->loop, &runners->begin_again);
	json_decref(runners->removed);
	free(runners);
}

void runners_on_death(struct runners *runners, void (*died)(void *userdata), void *userdata)
{
	runners->died = died;
	runners->userdata = userdata;
}

void runners_remove_work(struct runners *runners, const struct run *run)
{
	char work[4200];

	snprintf(work, sizeof(work), "%s/%lld", runners->work, (long long)run->id);
	/* Whatever is in it is the user's, and so may be links: only with his rights. The folder itself goes
	 * with ours. */
	if (rmdir(work) < 0 && errno == ENOTEMPTY)
		spawner_remove(runners->spawner, work, run->uid, run->gid);
	json_array_append_new(runners->removed, json_integer(run->id));
}

struct engine *runners_engine(const struct runners *runners)
{
	return runners->engine;
}

size_t runners_count(const struct runners *runners)
{
	const struct runner *runner;
	size_t count = 0;

	TAILQ_FOREACH (runner, &runners->list, runners)
		count += runner->state != RUNNER_FINISHED;
	return count;
}
