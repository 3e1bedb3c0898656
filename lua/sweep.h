/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Processes that descend from a scope's commands but are none of ours to wait for: the runner is a subreaper
 * (prctl(2)), so whatever lost its parent is a child of the runner now. Whose it is, its process group or its
 * environment (SLOTH_TASK) tells; one that hides both belongs to the last scope that is open.
 */
#include <stdint.h>
#include <sys/types.h>

struct runner;
struct scope;

/* A background process of a try that succeeded: it may stay. */
struct left {
	pid_t pid;
	uint64_t start; /* process_start_time() */
};

/* Sends `signal` (0: none) to all of them; with SIGTERM not to the process groups that have it already. Their
 * number. */
int sweep(struct scope *scope, int signal);

/* The scope has ended well: they may stay, and the log names them. */
void sweep_leave(struct scope *scope);
