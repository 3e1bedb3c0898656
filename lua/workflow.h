/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The workflow of the run: loading its text, its graph, which task starts when, what a failure means for the
 * others, cancel, the end.
 */
#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/fault.h"
#include "lua/graph.h"
#include "lua/scope.h"
#include "lua/task.h"

struct runner;

enum policy { POLICY_STOP, POLICY_CONTINUE, POLICY_CANCEL, POLICY_ROLLBACK };

enum phase {
	PHASE_LOADED,	/* waits for the daemon's start */
	PHASE_STARTING, /* on_start */
	PHASE_TASKS,
	PHASE_ROLLBACK,
	PHASE_ALWAYS,	  /* the tasks that run in any case */
	PHASE_COMPLETING, /* on_complete */
	PHASE_FINISHED,
};

struct workflow {
	struct runner *runner;
	char *name, *description, *version, *stack;
	json_t *config, *imports; /* the latter: see doc/protocol.md; NULL: none */
	int table;		  /* reference of lib/flow.lua's result */
	struct task *tasks;
	size_t count;
	struct graph_node *nodes;
	int *rank;
	int *dependents, *dependents_start; /* of task n: dependents[start[n] … start[n + 1]) */
	struct graph_queue ready;	    /* start while nothing has failed */
	struct graph_queue urgent; /* start in any case: retries, what runs after a failure, always-tasks */
	int max_parallel;
	int64_t timeout_ms, lock_wait_ms;
	enum policy policy;
	enum phase phase;
	size_t running, unfinished, unfinished_always;
	STAILQ_HEAD(, task) ended; /* whose dependents have not heard of it */
	bool telling;		   /* them, just now */
	bool changed;		   /* workflow_turn() has something to do */
	bool cancelled, timed_out, vetoed, rolls_back;
	struct rollback *rollback; /* NULL: none */
	int done_count;		   /* tasks that reached their end */
	int cancels;
	char *error;	    /* the first failure */
	struct scope scope; /* of its hooks */
	ev_timer timeout;
	ev_tstamp started;
};

/* Loads the text and checks the graph. 0, or -errno with the sentence: -EINVAL, -ELOOP, -ENOMEM. */
int workflow_new(struct runner *runner, const char *text, size_t size, struct workflow **ret_workflow,
	struct fault *fault);
void workflow_free(struct workflow *workflow);

/* The frame `loaded`. 0, or -errno with the sentence: -EFBIG, -ENOMEM. */
int workflow_report(struct workflow *workflow, struct fault *fault);

/* The daemon's start came. */
void workflow_start(struct workflow *workflow);

/* Whether a task that does not run now may run later, whatever those do that run. */
bool workflow_may_start(const struct workflow *workflow);

/* Starts what can start. */
void workflow_turn(struct workflow *workflow);
/* Whether there may be something: then the loop must not sleep. */
bool workflow_has_turn(const struct workflow *workflow);

/* The second one ends also what runs in any case. */
void workflow_cancel(struct workflow *workflow, int64_t grace_ms);

/* The rollback is over, with a sentence (NULL: out of memory) for the run's error. */
void workflow_rolled_back(struct workflow *workflow, const char *text);

/* From tasks. */
void workflow_task_ended(struct workflow *workflow, struct task *task);
void workflow_task_waits(struct workflow *workflow, struct task *task);
void workflow_task_again(struct workflow *workflow, struct task *task);
const char *workflow_cancel_reason(const struct workflow *workflow);
