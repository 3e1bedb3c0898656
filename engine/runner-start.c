/* SPDX-License-Identifier: MIT */
/* Starting the process of a run: at most so many at once, the others wait in the order in which they came. */
#include "engine/runner-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/frame.h"
#include "base/process.h"
#include "engine/check.h"
#include "engine/detect.h"
#include "engine/lock.h"
#include "engine/spawner.h"
#include "engine/watch.h"

enum {
	LOADING_MAX = 8, /* processes that read workflows at once */
};

void runner_mark_of(const char *secret, char ret_mark[RUNNER_MARK_SIZE])
{
	unsigned char hash[crypto_generichash_BYTES];
	char hex[33];

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)secret, strlen(secret), NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, 16);
	snprintf(ret_mark, RUNNER_MARK_SIZE, "SLOTH_MARK=%s", hex);
}

void runner_secret_make(char ret_secret[RUNNER_SECRET_SIZE], char ret_mark[RUNNER_MARK_SIZE])
{
	unsigned char random[(RUNNER_SECRET_SIZE - 1) / 2];

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(ret_secret, RUNNER_SECRET_SIZE, random, sizeof(random));
	runner_mark_of(ret_secret, ret_mark);
}

static int add_told(void *userdata, const struct task *task)
{
	static const bool told[TASK_STATUS_COUNT] = {
		[TASK_SUCCESS] = true, [TASK_UNCHANGED] = true, [TASK_LOST] = true
	};

	if (told[task->status])
		json_object_set_new(
			userdata, task->name, json_pack("{s:s}", "status", task_status_name(task->status)));
	return 0;
}

/* What a retry need not do again: the tasks that had finished well, with their outputs. And which were lost:
 * they may have been done. */
static json_t *resume_json(struct runner *runner)
{
	struct engine *engine = runner->of->engine;
	json_t *tasks = json_object(), *row;
	const char *name;

	task_each(engine, runner->retry_of, add_told, tasks);
	json_object_foreach (tasks, name, row) {
		CLEANUP(buffer_done) struct buffer text = { 0 };
		struct task task;
		json_t *outputs = NULL;

		if (task_find(engine, runner->retry_of, name, &task) == 0 &&
			task_output(engine, task.id, &text) == 0 && text.size)
			outputs = json_loadb(text.data, text.size, JSON_DECODE_ANY, NULL);
		json_object_set_new(row, "outputs", outputs ? outputs : json_object());
	}
	return json_pack("{s:o}", "tasks", tasks);
}

static int send_workflow(struct runner *runner, const struct run *run, const char *secret, const char *work)
{
	struct engine *engine = runner->of->engine;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(buffer_done) struct buffer values = { 0 };
	json_auto_t *imports = run_imports(engine, run->id);
	json_t *head;
	json_t *resume = runner->retry_of ? resume_json(runner) : json_null();
	int r = run_text(engine, run->id, RUN_WORKFLOW, &text);

	if (r == 0)
		r = run_text(engine, run->id, RUN_VALUES, &values);
	if (r < 0) {
		json_decref(resume);
		return r;
	}
	head = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s?, s:o, s:O?, s:s, s:s?, s:{s:i, s:I, s:i, s:I, s:I, "
			 "s:I}, s:s, s:o}",
		"op", "run", "run", (json_int_t)run->id, "secret", secret, "socket", runner->of->socket,
		"file", run->file, "stack", *run->stack ? run->stack : NULL, "values",
		json_loads(values.size ? values.data : "{}", 0, NULL), "options", runner->options, "workdir",
		work, "cgroup", *runner->cgroup ? runner->cgroup : NULL, "limits", "max_parallel_tasks",
		2 * process_cpus(), "memory_bytes", (json_int_t)engine->config.max_run_memory, "loading_ms",
		LOADING_MS, "max_before_image", (json_int_t)engine->config.max_before_image,
		"max_unpacked_size", (json_int_t)engine->config.max_unpacked_size, "max_unpacked_files",
		(json_int_t)engine->config.max_unpacked_files, "local_agents", engine->config.local_agents,
		"resume", resume);
	if (imports)
		json_object_set(head, "imports", imports);
	return runner_send(runner, head, text.data, text.size);
}

static int start_process(struct runner *runner)
{
	struct runners *runners = runner->of;
	CLEANUP(cleanup_fd) int theirs = -1;
	char work[4200], secret[RUNNER_SECRET_SIZE];
	struct run run;
	int fds[2], r;

	r = run_get(runners->engine, runner->run_id, &run);
	if (r < 0)
		return r;
	runner_secret_make(secret, runner->mark);
	runner_name_group(runner);
	snprintf(work, sizeof(work), "%s/%lld", runners->work, (long long)run.id);
	r = run_set_process(runners->engine, run.id, 0, secret, runner->cgroup);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	theirs = fds[1];
	conn_init(&runner->conn, runners->engine->loop, fds[0], &runner_conn_callbacks, runner);
	conn_share(&runner->conn, runners->engine->fair, run.uid);
	/* The spawner's word of the process comes by another socket; what the process says is heard after it,
	 * so that nobody is told of a run that a next daemon could not find the process of. */
	conn_pause(&runner->conn);
	runner->connected = true;
	runner->state = RUNNER_LOADING;
	runner->ticket = ++runners->last_ticket;
	runner_deadline(runner, LOADING_SECONDS);
	r = send_workflow(runner, &run, secret, work);
	if (r < 0)
		return r;
	/* It may load the workflow while this turn is being committed: that changes nothing. */
	conn_flush(&runner->conn);
	FAILPOINT("submit.spawn");
	return spawner_spawn(runners->spawner, &(struct spawn){ .ticket = runner->ticket,
						       .uid = runner->submitter.uid,
						       .gid = runner->submitter.gid,
						       .groups = runner->submitter.groups,
						       .group_count = runner->submitter.group_count,
						       .program = runners->program,
						       .work = work,
						       .mark = runner->mark,
						       .cgroup = runner->cgroup,
						       .fd = theirs });
}

static void could_not_start(struct runner *runner, int error)
{
	struct fault fault = { 0 };

	if (error == -EMSGSIZE)
		fault_set(&fault, EFBIG,
			"what the run is handed (values, imported files, and for 'retry failed' the outputs "
			"of the tasks "
			"that had finished) has more than %d MiB%s",
			FRAME_HEAD_MAX >> 20, runner->retry_of ? "; 'retry' does all tasks again" : "");
	else
		fault_set(&fault, -error, "%s can't be started: %s", runner->of->program, strerror(-error));
	runner_finish(runner, RUN_FAILED, TASK_CANCELLED, fault.text);
	runner_tell_loaded(runner, -fault.code, &fault);
	if (runner->connected)
		conn_done(&runner->conn);
	runner->connected = false;
	runner_dead(runner);
}

void runner_start_queued(struct runners *runners)
{
	struct runner *runner, *next;

	for (runner = TAILQ_FIRST(&runners->list); runner; runner = next) {
		CLEANUP(store_change_cancel) struct store_change change = { 0 };
		int r;

		next = TAILQ_NEXT(runner, runners);
		if (runner->state != RUNNER_QUEUED)
			continue;
		if (runner_count(runners, RUNNER_LOADING) >= LOADING_MAX)
			return;
		r = store_change_begin(runners->engine->store, &change);
		if (r == 0)
			r = start_process(runner);
		if (r == 0)
			r = store_change_end(&change);
		if (r < 0) {
			store_change_cancel(&change);
			could_not_start(runner, r);
			return; /* that one began here again */
		}
	}
}

/* Not by the run's number, which is given again when a turn fails. */
static struct runner *find_ticket(struct runners *runners, int64_t ticket)
{
	struct runner *runner;

	TAILQ_FOREACH (runner, &runners->list, runners)
		if (runner->ticket == ticket)
			return runner;
	return NULL;
}

static void process_started(void *userdata, int64_t ticket, pid_t pid)
{
	struct runners *runners = userdata;
	struct runner *runner = find_ticket(runners, ticket);
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = runners->engine;
	bool patient = engine->patient || !store_turn_dirty(engine->store);
	struct run run;

	if (ticket < 0) {
		checks_started(runners, ticket, pid);
		detections_started(runners, ticket, pid);
		watches_started(runners->watches, ticket, pid);
	}
	if (!runner)
		return;
	if (pid < 0) {
		could_not_start(runner, pid);
		return;
	}
	FAILPOINT("submit.spawned");
	runner->child = true;
	runner_watch(runner, pid);
	conn_resume(&runner->conn);
	if (store_change_begin(engine->store, &change) < 0 || run_get(engine, runner->run_id, &run) < 0 ||
		run_set_process(engine, run.id, pid, run.secret, run.cgroup) < 0)
		return;
	if (runner->own_lock)
		lock_set_run_pid(engine, run.stack_id, run.id, pid);
	/* The next commit has it, which what the process says will bring: until then it does nothing that a
	 * crash would have to know of. */
	if (store_change_end(&change) == 0)
		engine->patient = patient;
}

static void process_exited(void *userdata, pid_t pid, int status)
{
	struct runners *runners = userdata;
	struct runner *runner;

	TAILQ_FOREACH (runner, &runners->list, runners)
		if (runner->child && runner->pid == pid && runner->exit_status == -1) {
			FAILPOINT("run.process.exited");
			runner->exit_status = status;
			runner_check_gone(runner);
			return;
		}
}

static void spawner_died(void *userdata)
{
	struct runners *runners = userdata;

	if (runners->died)
		runners->died(runners->userdata);
}

const struct spawner_callbacks runner_spawner_callbacks = { process_started, process_exited, spawner_died };
