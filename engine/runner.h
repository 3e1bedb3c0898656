/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The conversation with the processes that execute runs (doc/protocol.md, "Runners"): submitting, watching,
 * cancelling, and taking up after a restart of the daemon. One struct runners a daemon, one struct runner for
 * each run that is not over.
 */
#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/caller.h"
#include "engine/engine.h"
#include "engine/run.h"

struct runners;
struct runner;
struct spawner;

struct submission {
	const char *file;  /* "deploy.sloth" */
	int64_t stack_id;  /* 0: see below */
	const char *stack; /* the name of a stack that may have to be made; NULL: the workflow says */
	const char *text;
	size_t size;
	json_t *values;	  /* over the stack's values.yaml; borrowed; NULL: none */
	json_t *options;  /* `tasks`, `delegate_to`, `local`; borrowed; NULL: none */
	json_t *imports;  /* of the run that is tried again, which it gets as they were; borrowed; NULL: none
			   */
	int64_t retry_of; /* a run whose finished tasks are not run again; 0: none */
	/* Called once from the loop when the workflow is loaded (0) or refused (-errno and the sentence). */
	void (*loaded)(void *userdata, int result, const struct fault *fault);
	void *userdata;
};

/* `socket` is the path that runners come back to. Takes up what a former daemon left: see runners_recover().
 * The spawner is borrowed. */
int runners_new(
	struct engine *engine, struct spawner *spawner, const char *socket, struct runners **ret_runners);
void runners_free(struct runners *runners);

/* Runs of a former daemon: those whose process lives are waited for, the others become interrupted, their
 * locks are released and what their tasks left running is ended. */
int runners_recover(struct runners *runners);

/* Starts a run. *ret_run is its id as soon as it is known, even when this fails (a run that was refused is
 * kept as failed). 0: loaded() will be called. */
int runner_submit(struct runners *runners, struct caller *caller, const struct submission *submission,
	struct fault *fault, int64_t *ret_run);
/* Whoever waits for loaded() waits no more; the run goes on. */
void runner_forget(struct runners *runners, int64_t run_id);

/* For the submitter, the stack's owner and root (-EPERM). A second cancel ends the tasks without grace.
 * -EINVAL when the run is over. */
int runner_cancel(struct runners *runners, struct caller *caller, int64_t run_id, struct fault *fault);

/* The same workflow again, with the same values; only_failed: without the tasks that had finished well. */
int runner_retry(struct runners *runners, struct caller *caller, int64_t run_id, bool only_failed,
	struct fault *fault, void (*loaded)(void *userdata, int result, const struct fault *fault),
	void *userdata, int64_t *ret_run);

/* A runner came back after the daemon was restarted. Takes `fd` when it returns 0; -EACCES for a wrong secret
 * or uid. */
int runner_take_up(struct runners *runners, uid_t uid, int64_t run_id, const char *secret, int fd);

/* Called when no run can be started any more, because the process that starts them has died. */
void runners_on_death(struct runners *runners, void (*died)(void *userdata), void *userdata);

/* Removes what the tasks of a run left in its work folder, as its user. For runs that are deleted. */
void runners_remove_work(struct runners *runners, const struct run *run);

/* What a run that has not begun waits for: {for: "lock", "slot", "validation", "process" or "end", text, and
 * more}. NULL: it waits for nothing. A new reference. */
json_t *runner_waiting(struct runners *runners, int64_t run_id);

/* Borrowed. */
struct engine *runners_engine(const struct runners *runners);

/* Runs that are not over. */
size_t runners_count(const struct runners *runners);
