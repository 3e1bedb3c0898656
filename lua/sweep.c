/* SPDX-License-Identifier: MIT */
/* Processes that descend from a scope's commands. */
#include "lua/sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/process.h"
#include "lua/exec.h"
#include "lua/leaf.h"
#include "lua/runner.h"
#include "lua/scope.h"

struct proc {
	pid_t pid, parent, group;
};

struct procs {
	struct proc *list; /* by pid */
	size_t count;
};

static void cleanup_procs(struct procs *procs)
{
	free(procs->list);
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* False when it is gone, or dead and only waits to be reaped. */
static bool proc_read(pid_t pid, struct proc *ret_proc)
{
	char path[64], text[1024], *end, state;
	int parent, group;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (process_read_file(path, text, sizeof(text)) <= 0 || !(end = strrchr(text, ')')) ||
		sscanf(end + 1, " %c %d %d", &state, &parent, &group) != 3 || state == 'Z' || state == 'X')
		return false;
	*ret_proc = (struct proc){ pid, parent, group };
	return true;
}

static int proc_compare(const void *a, const void *b)
{
	const struct proc *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int procs_scan(struct procs *procs)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir("/proc");
	struct dirent *entry;
	struct proc proc;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		struct proc *list;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
			!proc_read((pid_t)strtol(entry->d_name, NULL, 10), &proc))
			continue;
		list = reallocarray(procs->list, procs->count + 1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		procs->list = list;
		list[procs->count++] = proc;
	}
	qsort(procs->list, procs->count, sizeof(*procs->list), proc_compare);
	return 0;
}

/* The ancestor of `proc` (or itself) that is our own child; NULL: it does not descend from us. */
static const struct proc *proc_root(const struct procs *procs, const struct proc *proc)
{
	for (int depth = 0; proc && depth < 1000; depth++) {
		struct proc key = { .pid = proc->parent };

		if (proc->parent == getpid())
			return proc;
		proc = bsearch(&key, procs->list, procs->count, sizeof(key), proc_compare);
	}
	return NULL;
}

static struct scope *running_scope(struct runner *runner, pid_t pid)
{
	struct scope *scope;
	struct exec *exec;

	LIST_FOREACH (scope, &runner->scopes, link)
		LIST_FOREACH (exec, &scope->execs, link)
			if (exec->pid == pid)
				return scope;
	return NULL;
}

static bool in_groups(const struct scope *scope, pid_t group)
{
	for (size_t i = 0; i < scope->group_count; i++)
		if (scope->groups[i] == group)
			return true;
	return false;
}

static bool may_stay(const struct runner *runner, pid_t pid)
{
	uint64_t start;

	for (size_t i = 0; i < runner->left_count; i++)
		if (runner->left[i].pid == pid)
			return process_start_time(pid, &start) == 0 && runner->left[i].start == start;
	return false;
}

/* 1: of this task; 0: of another; -1: its environment says nothing. */
static int marked_for(pid_t pid, const char *task)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	if (buffer_truncate(&text, 256 << 10) < 0)
		return -1;
	n = process_read_file(path, text.data, text.size);
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(text.data + i) + 1)
		if (!strncmp(text.data + i, "SLOTH_TASK=", 11))
			return task && !strcmp(text.data + i + 11, task);
	return -1;
}

static bool is_only_scope(const struct scope *scope)
{
	return LIST_FIRST(&scope->runner->scopes) == scope && !LIST_NEXT(scope, link);
}

/* Whether `proc`, below our child `root`, belongs to the scope. */
static bool belongs(struct scope *scope, const struct proc *root, const struct proc *proc)
{
	struct scope *owner = running_scope(scope->runner, root->pid);
	int marked;

	if (owner)
		return owner == scope;
	if (may_stay(scope->runner, root->pid) || may_stay(scope->runner, proc->pid))
		return false;
	if (in_groups(scope, root->group) || in_groups(scope, proc->group))
		return true;
	marked = marked_for(proc->pid, scope->task);
	if (marked < 0 && root != proc)
		marked = marked_for(root->pid, scope->task);
	return marked < 0 ? is_only_scope(scope) : marked;
}

/* Our children that are no running commands: mostly none, and one small file tells. -1: can't say. */
static int count_orphans(struct runner *runner)
{
	char text[16 << 10]; /* more children than that are not mostly none */
	int count = 0;
	char *p, *end;
	ssize_t n = process_read_file("/proc/thread-self/children", text, sizeof(text));

	if (n < 0 || n + 1 == (ssize_t)sizeof(text))
		return -1;
	for (p = text;; p = end) {
		struct proc proc;
		pid_t pid = (pid_t)strtol(p, &end, 10);

		if (end == p)
			return count;
		if (!running_scope(runner, pid) && !may_stay(runner, pid) && proc_read(pid, &proc))
			count++;
	}
}

static int sweep_each(struct scope *scope,
	void (*each)(struct scope *scope, const struct proc *proc, int signal), int signal)
{
	CLEANUP(cleanup_procs) struct procs procs = { 0 };
	int count = 0;

	if (LIST_EMPTY(&scope->execs) && count_orphans(scope->runner) == 0)
		return 0;
	if (procs_scan(&procs) < 0)
		return 0;
	for (size_t i = 0; i < procs.count; i++) {
		const struct proc *root = proc_root(&procs, &procs.list[i]);

		if (!root || !belongs(scope, root, &procs.list[i]))
			continue;
		each(scope, &procs.list[i], signal);
		count++;
	}
	return count;
}

/* Whether its group got the signal as a group, because the command at its head still runs. */
static bool was_signalled(const struct scope *scope, const struct proc *proc)
{
	struct exec *exec;

	LIST_FOREACH (exec, &scope->execs, link)
		if (exec->pid && exec->group == proc->group)
			return true;
	return false;
}

static void end_one(struct scope *scope, const struct proc *proc, int signal)
{
	if (!signal || was_signalled(scope, proc))
		return;
	kill(proc->pid, signal);
	if (signal == SIGTERM)
		kill(proc->pid, SIGCONT); /* a stopped one, to end */
}

struct leaf_sweep {
	struct scope *scope;
	int signal;
};

static void end_member(void *userdata, pid_t pid)
{
	struct leaf_sweep *leaf_sweep = userdata;
	struct proc proc = { .pid = pid, .group = getpgid(pid) };

	end_one(leaf_sweep->scope, &proc, leaf_sweep->signal);
}

/* What lives in its cgroup. */
static int sweep_leaf(struct scope *scope, int signal)
{
	struct leaf_sweep leaf_sweep = { scope, signal };

	if (!scope->leaf || !leaf_busy(scope->leaf))
		return 0;
	if (signal == SIGKILL && leaf_kill(scope->leaf) == 0)
		return 1;
	return (int)leaf_each(scope->leaf, end_member, &leaf_sweep);
}

int sweep(struct scope *scope, int signal)
{
	int count = sweep_leaf(scope, signal);

	/* Then whatever moved out of it: it is still a child of ours. */
	return count ? count : sweep_each(scope, end_one, signal);
}

static void leave_one(struct scope *scope, const struct proc *proc, int signal)
{
	struct runner *runner = scope->runner;
	struct left *left = reallocarray(runner->left, runner->left_count + 1, sizeof(*left));
	char command[256], line[400];
	int n;

	if (!left)
		return;
	runner->left = left;
	left[runner->left_count].pid = proc->pid;
	if (process_start_time(proc->pid, &left[runner->left_count].start) < 0)
		return;
	runner->left_count++;
	scope->leaves = true;
	process_command(proc->pid, command, sizeof(command));
	n = snprintf(line, sizeof(line), "left running in the background: %d %s\n", (int)proc->pid, command);
	link_log(&runner->link, scope->task, scope->try, "log", line, (size_t)n);
}

static void leave_member(void *userdata, pid_t pid)
{
	leave_one(userdata, &(struct proc){ .pid = pid }, 0);
}

void sweep_leave(struct scope *scope)
{
	if (!scope->leaf) {
		if (scope->group_count)
			sweep_each(scope, leave_one, 0);
		return;
	}
	if (leaf_busy(scope->leaf) && leaf_each(scope->leaf, leave_member, scope) > 0)
		leaf_leave(scope->leaf);
}
