/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A task of the run: its tries, the waits between them, its time limits, its end. What happens within a try
 * is lib/task.lua's; which task starts when is workflow.h's.
 */
#include <ev.h>
#include <jansson.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "lua/scope.h"

struct workflow;

enum { TEXT_TOLD_MAX = 64 << 10 }; /* bytes of an error or a message in a frame */

/* In the words of doc/protocol.md. */
enum task_status {
	TASK_PENDING,
	TASK_RUNNING,
	TASK_RETRY_WAIT,
	TASK_SUCCESS,
	TASK_UNCHANGED,
	TASK_SKIPPED,
	TASK_FAILED,
	TASK_TIMED_OUT,
	TASK_CANCELLED,
	TASK_UPSTREAM_FAILED,
	TASK_STATUS_COUNT,
};

struct task {
	struct workflow *workflow;
	int number;
	char *name, *description, *command, *where;
	int line;
	int spec;		      /* reference of its table in Lua */
	int *depends, *after_failure; /* numbers; of the latter one must fail first */
	size_t depends_count, after_failure_count;
	int priority;
	int64_t timeout_ms, total_timeout_ms, grace_ms; /* 0: no limit */
	bool always, allow_failure, sensitive, selected, undoes;
	json_t *tags, *delegate; /* as they were said */

	enum task_status status;
	size_t waiting; /* dependencies that are not at their end */
	bool released;	/* an always-task whose turn has not come */
	int try;
	bool cancelled, timed_out;
	bool slot;		       /* counts against max_parallel_tasks */
	STAILQ_ENTRY(task) ended_link; /* of the workflow's `ended` */
	struct scope scope;
	char *home;    /* its own directory */
	char *workdir; /* where its commands start; NULL: at home */
	char *user;    /* whose rights its commands have; NULL: ours */
	bool leaves;   /* processes that may be in there */
	char **env;    /* of its commands */
	char *output;  /* its file SLOTH_OUTPUT; NULL: a function's task has none */
	ev_timer deadline, total, retry;
	int64_t retry_ms;	  /* of `retry`, from when it was set */
	ev_tstamp started, ended; /* of the first try, of all; 0: not yet */
	char reason[80];	  /* of a timeout */
	/* task-after.c's: of hooks and undo. */
	ev_timer limit;
	ev_tstamp limit_s;
	void (*after_ended)(struct scope *scope);
	bool after_told;  /* its fiber came to its own end */
	json_t *hooks;	  /* those that failed, with why; NULL: none */
	char *undo_error; /* NULL: it is undone */
	bool has_images;  /* it has changed things, and what they were is kept */
	bool by_images;	  /* it is undone by these */
	int done_order;	  /* the how manieth it was to reach its end */
	/* How the last try went; the table of lib/task.lua is kept for the decision about a retry. */
	struct {
		bool known, aborts;
		enum task_status status;
		char *error, *message;
		json_t *outputs;
		int table; /* reference */
	} outcome;
};

/* What is told of an error, the task's own where it is not sensitive; NULL: there was none. */
const char *task_error_told(const struct task *task);

const char *task_status_name(enum task_status status);
enum task_status task_status_parse(const char *name); /* TASK_STATUS_COUNT: no such */
bool task_status_final(enum task_status status);
/* Whether dependents may start. */
bool task_is_satisfied(const struct task *task);
bool task_has_failed(const struct task *task);

void task_init(struct task *task, struct workflow *workflow, int number);
void task_done(struct task *task);

/* Starts its first or next try. */
void task_start(struct task *task);

/* Ends a running one; again: with another grace. */
void task_cancel(struct task *task, int64_t grace_ms);

/* Gives one that does not run its last status, with a sentence (NULL: none). */
void task_set(struct task *task, enum task_status status, const char *error);

/* For lib/task.lua: outcome(table) at the end of a try. */
int task_outcome(lua_State *L);
