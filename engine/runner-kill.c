/* SPDX-License-Identifier: MIT */
/*
 * The end of what a run has started: by its cgroup where it has one, and by the mark in the environment. What
 * tasks left running when they had succeeded is spared.
 */
#include "engine/runner-internal.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"

/* Seconds between looks at groups that somebody still lives in: the dying are gone at once, servers stay. */
static const double TIDY_FIRST = 0.1, TIDY_LAST = 60;

/* A group that is to be removed when it is empty. */
struct group {
	SLIST_ENTRY(group) link;
	char path[];
};

static bool is_left(void *userdata, pid_t pid)
{
	struct runner *runner = userdata;
	char name[NAME_SIZE];
	const struct process_variable variable = { "SLOTH_TASK", name, sizeof(name) };
	struct task task;

	return process_variables(pid, &variable, 1) == 0 && *name &&
	       task_find(runner->of->engine, runner->run_id, name, &task) == 0 &&
	       (task.status == TASK_SUCCESS || task.status == TASK_UNCHANGED);
}

void runner_kill(struct runner *runner)
{
	if (runner->pid > 0 && runner->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, runner->pidfd, SIGKILL, NULL, 0);
	cgroup_kill_tasks(runner->cgroup);
	/* What is born while we look is seen in the next round. */
	for (int i = 0; i < 10 && process_signal_marked(runner->mark, SIGKILL, is_left, runner) > 0; i++)
		;
}

/* Where the run's group shall be. */
void runner_name_group(struct runner *runner)
{
	struct runners *runners = runner->of;

	*runner->cgroup = '\0';
	if (!runners->engine->config.cgroups)
		return;
	if (!runners->base_known)
		cgroup_base(runners->base);
	runners->base_known = true;
	if (*runners->base)
		snprintf(runner->cgroup, sizeof(runner->cgroup), "%.440s/run-%lld-%s", runners->base,
			(long long)runner->run_id, strchr(runner->mark, '=') + 1);
}

/* Removal. */

static void tidy_later(struct runners *runners, double seconds)
{
	ev_timer_stop(runners->engine->loop, &runners->tidy);
	ev_timer_set(&runners->tidy, seconds, 0);
	ev_timer_start(runners->engine->loop, &runners->tidy);
}

static void tidy(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct runners *runners = timer->data;
	struct group *group, *next;

	for (group = SLIST_FIRST(&runners->groups); group; group = next) {
		next = SLIST_NEXT(group, link);
		if (cgroup_remove(group->path) < 0)
			continue;
		SLIST_REMOVE(&runners->groups, group, group, link);
		free(group);
	}
	runners->tidy_wait *= 2;
	if (runners->tidy_wait > TIDY_LAST)
		runners->tidy_wait = TIDY_LAST;
	if (!SLIST_EMPTY(&runners->groups))
		tidy_later(runners, runners->tidy_wait);
}

static void drop_group(struct runners *runners, const char *path)
{
	size_t size = strlen(path) + 1;
	struct group *group;

	if (!*path || cgroup_remove(path) == 0)
		return;
	group = malloc(sizeof(*group) + size);
	if (!group)
		return;
	memcpy(group->path, path, size);
	SLIST_INSERT_HEAD(&runners->groups, group, link);
	runners->tidy_wait = TIDY_FIRST;
	tidy_later(runners, TIDY_FIRST);
}

void runner_drop_group(struct runner *runner)
{
	drop_group(runner->of, runner->cgroup);
}

/* A group of a run of ours that is over, or of a daemon that will not come back. */
static void drop_old(void *userdata, const char *path, int64_t run_id)
{
	struct runners *runners = userdata;
	struct run run;

	if (run_get(runners->engine, run_id, &run) == 0 && !strcmp(run.cgroup, path)) {
		if (!runner_find(runners, run_id))
			drop_group(runners, path);
	} else if (cgroup_is_deserted(path)) {
		cgroup_remove(path);
	}
}

void runners_tidy_start(struct runners *runners)
{
	SLIST_INIT(&runners->groups);
	ev_init(&runners->tidy, tidy);
	runners->tidy.data = runners;
}

void runners_tidy_old(struct runners *runners)
{
	if (!runners->engine->config.cgroups)
		return;
	cgroup_base(runners->base);
	runners->base_known = true;
	cgroup_each(runners->base, drop_old, runners);
}

void runners_tidy_end(struct runners *runners)
{
	struct group *group;

	ev_timer_stop(runners->engine->loop, &runners->tidy);
	while ((group = SLIST_FIRST(&runners->groups))) {
		SLIST_REMOVE_HEAD(&runners->groups, link);
		free(group);
	}
}
