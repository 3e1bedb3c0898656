/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Runs and their tasks as rows: what is stored, which transitions are allowed. The conversation with the
 * process that executes a run is runner.h's.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"
#include "engine/stack.h"

enum run_status {
	RUN_QUEUED,
	RUN_WAITING,
	RUN_RUNNING,
	RUN_SUCCESS,
	RUN_FAILED,
	RUN_CANCELLED,
	RUN_TIMED_OUT,
	RUN_INTERRUPTED,
	RUN_ROLLING_BACK,
	RUN_ROLLED_BACK,
	RUN_ROLLBACK_FAILED,
	RUN_STATUS_COUNT,
};

enum task_status {
	TASK_PENDING,
	TASK_READY,
	TASK_RUNNING,
	TASK_RETRY_WAIT,
	TASK_SUCCESS,
	TASK_UNCHANGED,
	TASK_SKIPPED,
	TASK_FAILED,
	TASK_TIMED_OUT,
	TASK_CANCELLED,
	TASK_UPSTREAM_FAILED,
	TASK_LOST,
	TASK_STATUS_COUNT,
};

const char *run_status_name(enum run_status status);
int run_status_parse(const char *name); /* or -EINVAL */
bool run_status_final(enum run_status status);
const char *task_status_name(enum task_status status);
int task_status_parse(const char *name);
bool task_status_final(enum task_status status);
/* The tables of transitions. */
bool run_status_follows(enum run_status from, enum run_status to);
bool task_status_follows(enum task_status from, enum task_status to);

enum run_text {
	RUN_WORKFLOW,
	RUN_VALUES,
	RUN_PLAN,
	RUN_RESULT,
	RUN_ERROR,
	RUN_OUTPUTS,
	RUN_CONFIG,
	RUN_TEXT_COUNT
};

struct run {
	int64_t id;
	int64_t stack_id;	  /* 0: not known yet, or destroyed */
	char stack[NAME_SIZE];	  /* its name then; "" : not known yet */
	char file[NAME_SIZE + 8]; /* "deploy.sloth": as it was written */
	uid_t uid;		  /* submitter */
	gid_t gid;
	/* Who may see it: the stack's while there is one, else what was kept of it, else the submitter alone.
	 */
	uid_t owner_uid;
	gid_t owner_gid;
	mode_t mode;
	enum run_status status;
	int64_t created_ms, started_ms, finished_ms, updated_ms; /* 0: not yet */
	int64_t lock_token;					 /* 0: runs without a lock */
	bool holds_lock;  /* the run's own, to be released at its end */
	int64_t retry_of; /* id of the run that this one retries, 0: none */
	int depth;	  /* 0; one more than the run whose task submitted it */
	/* The process that executes it. */
	pid_t pid;
	uint64_t pid_start;
	char boot_id[37];
	char secret[65];  /* hex; the runner proves with it that it is the one */
	char cgroup[512]; /* its group's folder; "": none */
	int64_t last_seq; /* of the runner's frames: what was applied */
	int64_t log_size; /* bytes of the run's log file */
	int64_t log_json_size;
	int64_t lock_wait_ms;	  /* how long it waits for its stack's lock; 0: not at all */
	int64_t waiting_since_ms; /* since when it waits for that lock; 0: it does not */
	int64_t parent;		  /* the run whose task submitted it; 0: none */
};

struct task {
	int64_t id, run_id;
	int position; /* definition order, from 0 */
	char name[NAME_SIZE];
	enum task_status status;
	int tries;
	int64_t started_ms, finished_ms, updated_ms;
	int64_t log_size; /* bytes of the task's log file */
	int64_t log_json_size;
};

/* A new run, queued, owned by the caller. `stack_id` 0: the workflow will say. */
int run_create(struct engine *engine, struct caller *caller, const char *file, int64_t stack_id,
	const char *workflow, size_t size, struct run *ret_run);
int run_get(struct engine *engine, int64_t id, struct run *ret_run);
/* Newest first; stack_id 0: of all stacks, -1: only those without one. Until `each` returns non-zero.
 * `before` 0: from the newest. There may be very many: of each run only its id, its stack's, and who may see
 * it (uid, owner_uid, owner_gid, mode). */
int run_each(struct engine *engine, int64_t stack_id, int64_t before,
	int (*each)(void *userdata, const struct run *run), void *userdata);
/* Runs whose status is not final, oldest first. */
int run_each_unfinished(
	struct engine *engine, int (*each)(void *userdata, const struct run *run), void *userdata);
int run_count_unfinished(struct engine *engine, int64_t stack_id, int64_t *ret_count);

/* The run that it retries; the run whose task submitted it, and how many runs are above it. */
/* The version of its stack that a rollback goes back to; 0: there is none. */
int run_set_before(struct engine *engine, int64_t id, int64_t version);
int run_before(struct engine *engine, int64_t id, int64_t *ret_version);

/* How often its end was asked for, and what its error will say, "": that it was cancelled. A daemon that dies
 * before the process was told leaves it to the next one. In a change. */
int run_set_cancels(struct engine *engine, int64_t id, unsigned cancels, const char *why);
int run_cancels(struct engine *engine, int64_t id, unsigned *ret_cancels, char *ret_why, size_t size);
/* What a rollback that was cut short has left: the names of tasks, ", " between them, the last one first. */
int run_not_undone(struct engine *engine, int64_t id, struct buffer *ret_names);
int run_set_retry(struct engine *engine, int64_t id, int64_t retry_of);
int run_set_parent(struct engine *engine, int64_t id, int64_t parent, int depth);
/* What was submitted with it (NULL: nothing), for a retry and for when its stack's values have changed. */
int run_set_options(
	struct engine *engine, int64_t id, const json_t *options, const json_t *values, const char *stack);
/* What its workflow imported while it was loaded: see doc/protocol.md. The latter: a new reference, NULL:
 * nothing. */
int run_set_imports(struct engine *engine, int64_t id, const json_t *imports);
json_t *run_imports(struct engine *engine, int64_t id);
/* "options", "values" or "stack" (the name of one that may have to be made) as submitted: a new reference,
 * NULL: there were none. */
json_t *run_options(struct engine *engine, int64_t id, const char *which);
/* How long it waits for its stack's lock, and since when (0: it does not, or not any more). */
int run_set_wait(struct engine *engine, int64_t id, int64_t wait_ms, int64_t since_ms);
/* Binds it to its stack, once. */
int run_set_stack(struct engine *engine, int64_t id, int64_t stack_id);
int run_set_process(struct engine *engine, int64_t id, pid_t pid, const char *secret, const char *cgroup);
int run_set_lock(struct engine *engine, int64_t id, int64_t token, bool own);
int run_set_seq(struct engine *engine, int64_t id, int64_t seq);
/* Answers to the runner's calls that changed something, kept until the runner has them, so that a call which
 * is sent again after the daemon's restart is answered and not done twice. -ENOENT: none was kept. */
int run_keep_answer(struct engine *engine, int64_t id, int64_t seq, const char *answer);
int run_find_answer(struct engine *engine, int64_t id, int64_t seq, struct buffer *ret_answer);
int run_drop_answers(struct engine *engine, int64_t id, int64_t below_seq);
/* Checks the table of transitions (-EINVAL); keeps times; adds the event (stack.execution.started and so on)
 * and the stack's status. `error` NULL: none. */
int run_set_status(struct engine *engine, int64_t id, enum run_status status, const char *error);
int run_text(struct engine *engine, int64_t id, enum run_text which, struct buffer *ret_text);
/* Its bytes, or -errno. */
int64_t run_text_size(struct engine *engine, int64_t id, enum run_text which);
int run_set_text(struct engine *engine, int64_t id, enum run_text which, const char *text, size_t size);
/* Only finished ones (-EBUSY). The run, its tasks and its log. */
int run_delete(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault);

int task_add(struct engine *engine, int64_t run_id, int position, const char *name, int64_t *ret_id);
int task_get(struct engine *engine, int64_t id, struct task *ret_task);
int task_find(struct engine *engine, int64_t run_id, const char *name, struct task *ret_task);
int task_each(struct engine *engine, int64_t run_id, int (*each)(void *userdata, const struct task *task),
	void *userdata);
/* Checks the table of transitions; `tries` is the number of the try that this is about (0: keep). error and
 * output (JSON) may be NULL: keep. */
int task_set_status(struct engine *engine, int64_t id, enum task_status status, int tries, const char *error,
	const char *output);
/* The same, by who knows more of it. */
struct task_moment {
	int64_t time_ms;  /* when it happened, as its process says; 0: now */
	int64_t until_ms; /* retry_wait: when the next try is due; 0: not known */
};
int task_set_status_at(struct engine *engine, int64_t id, enum task_status status, int tries,
	const char *error, const char *output, const struct task_moment *moment);
/* "error" or "output" of a task. */
int task_error(struct engine *engine, int64_t id, struct buffer *ret_text);
int task_output(struct engine *engine, int64_t id, struct buffer *ret_text);
/* One row a try: number, status, started, finished, error; as the content of the file `attempts`. */
void task_show_attempts(struct engine *engine, int64_t id, FILE *out);
/* Every task that is not final becomes `status`: what the end of a runner leaves behind. */
int task_finish_all(struct engine *engine, int64_t run_id, enum task_status status);

/* Who said something. task_id 0: the run itself. */
struct log_origin {
	int64_t task_id;
	int try;	    /* 0: none, or not known */
	const char *stream; /* "out", "err": a process; else "log": the workflow */
	int64_t time_ms;
};

/* Appends whole lines (or a last part of one) to the log: as they are to the task's, and with "HH:MM:SS.mmm
 * [task] " before each line to the run's, where what the run itself says has "HH:MM:SS.mmm ". Above
 * config.max_log_size the rest is dropped with one line that says so. */
int log_append(struct engine *engine, int64_t run_id, const struct log_origin *origin, const char *text,
	size_t size);
/* Bytes read at an offset of the run's log (task_id 0) or of the task's; 0 at the end; -errno. */
ssize_t log_read(
	struct engine *engine, int64_t run_id, int64_t task_id, int64_t offset, char *ret_data, size_t size);
/* The same of log.json: log-json.c. */
ssize_t log_json_read(
	struct engine *engine, int64_t run_id, int64_t task_id, int64_t offset, char *ret_data, size_t size);

/* runs/NAME.sloth: the text last submitted under that name, in the top folder (stack_id 0) or a stack's. */
struct workflow_file {
	int64_t id, stack_id, run_id;
	char name[NAME_SIZE + 8];
	uid_t uid;
	int64_t updated_ms;
};
int workflow_file_set(struct engine *engine, int64_t stack_id, const char *name, int64_t run_id);
int workflow_file_find(struct engine *engine, int64_t stack_id, const char *name, struct workflow_file *ret);
int workflow_file_get(struct engine *engine, int64_t id, struct workflow_file *ret);
int workflow_file_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct workflow_file *file), void *userdata);
int workflow_file_delete(struct engine *engine, int64_t id);
