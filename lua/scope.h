/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A scope is what a try of a task owns: its fibers and its commands. It ends as a whole: whatever is left
 * gets an error at its waiting point, its processes SIGTERM, after a grace SIGKILL; and only when nothing is
 * left is it over.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "lua/report.h"

struct exec;
struct fiber;
struct leaf;
struct runner;

struct scope {
	LIST_ENTRY(scope) link; /* of the runner's open scopes */
	struct runner *runner;
	const char *task; /* borrowed; NULL: the run itself */
	int try;
	const char *workdir;	/* borrowed: where its commands start */
	const char *const *env; /* borrowed: "NAME=value" for its commands, NULL at the end; or NULL */
	const char *output;	/* borrowed: the file SLOTH_OUTPUT, NULL: none */
	TAILQ_HEAD(, fiber) fibers;
	LIST_HEAD(, exec) execs;
	struct leaf *leaf; /* where its commands live; NULL: nowhere of their own */
	bool has_run;	   /* commands: it has a leaf since, or none at all */
	struct reports reports;
	const char *user; /* borrowed: whose rights its commands have; NULL: ours */
	pid_t *groups;	  /* process groups that its commands had */
	size_t group_count;
	const char *reason; /* set: it ends, and this is raised where somebody waits */
	bool sweep;	    /* what descends from it ends too, also what was left in the background */
	bool killed;	    /* the grace is over */
	bool checking;
	bool leaves; /* processes in the background */
	ev_timer grace;
	ev_timer look; /* whether the swept processes are gone */
	void (*ended)(struct scope *scope);
	void *userdata;
};

void scope_init(struct scope *scope, struct runner *runner, const char *task, int try, void *userdata);

/* After `ended`, or when it was never used. */
void scope_done(struct scope *scope);

/* Ends it. `reason` is static text. `sweep`: background processes too (the try failed). `ended` is called
 * when nothing is left: from a later turn of the loop, or at once. A second call can only shorten the grace.
 */
void scope_end(
	struct scope *scope, const char *reason, bool sweep, int64_t grace_ms, void (*ended)(struct scope *));

/* Something in it has ended. */
void scope_check(struct scope *scope);

/* Before its first command. */
void scope_take_leaf(struct scope *scope);

/* A command's process group, for the sweep. */
void scope_add_group(struct scope *scope, pid_t group);
