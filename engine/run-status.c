/* SPDX-License-Identifier: MIT */
/* The states of runs and tasks: names, and what may follow on what. */
#include <errno.h>
#include <string.h>

#include "engine/run.h"

#define BIT(status) (1u << (status))

static const struct {
	const char *name;
	bool final;
	unsigned next; /* BIT()s of what may follow */
} runs[RUN_STATUS_COUNT] = {
	[RUN_QUEUED] = { "queued", false,
		BIT(RUN_WAITING) | BIT(RUN_RUNNING) | BIT(RUN_FAILED) | BIT(RUN_CANCELLED) |
			BIT(RUN_INTERRUPTED) },
	[RUN_WAITING] = { "waiting", false,
		BIT(RUN_RUNNING) | BIT(RUN_FAILED) | BIT(RUN_CANCELLED) | BIT(RUN_TIMED_OUT) |
			BIT(RUN_INTERRUPTED) },
	[RUN_RUNNING] = { "running", false,
		BIT(RUN_SUCCESS) | BIT(RUN_FAILED) | BIT(RUN_CANCELLED) | BIT(RUN_TIMED_OUT) |
			BIT(RUN_INTERRUPTED) | BIT(RUN_ROLLING_BACK) },
	[RUN_SUCCESS] = { "success", true },
	[RUN_FAILED] = { "failed", true, BIT(RUN_ROLLING_BACK) },
	[RUN_CANCELLED] = { "cancelled", true },
	[RUN_TIMED_OUT] = { "timed_out", true },
	[RUN_INTERRUPTED] = { "interrupted", true },
	[RUN_ROLLING_BACK] = { "rolling_back", false,
		BIT(RUN_ROLLED_BACK) | BIT(RUN_ROLLBACK_FAILED) | BIT(RUN_INTERRUPTED) },
	[RUN_ROLLED_BACK] = { "rolled_back", true },
	[RUN_ROLLBACK_FAILED] = { "rollback_failed", true },
};

#define TASK_NEVER_RAN	(BIT(TASK_SKIPPED) | BIT(TASK_UPSTREAM_FAILED))
#define TASK_BROKEN_OFF (BIT(TASK_FAILED) | BIT(TASK_TIMED_OUT) | BIT(TASK_CANCELLED) | BIT(TASK_LOST))
#define TASK_DONE	(BIT(TASK_SUCCESS) | BIT(TASK_UNCHANGED))

static const struct {
	const char *name;
	bool final;
	unsigned next;
} tasks[TASK_STATUS_COUNT] = {
	/* A retry of a run takes over what had finished: done without running. */
	[TASK_PENDING] = { "pending", false,
		BIT(TASK_READY) | BIT(TASK_RUNNING) | TASK_NEVER_RAN | TASK_BROKEN_OFF | TASK_DONE },
	[TASK_READY] = { "ready", false, BIT(TASK_RUNNING) | TASK_NEVER_RAN | TASK_BROKEN_OFF },
	/* run_if is a part of the try: a task that runs may turn out to be skipped. */
	[TASK_RUNNING] = { "running", false,
		BIT(TASK_RETRY_WAIT) | BIT(TASK_SKIPPED) | TASK_BROKEN_OFF | TASK_DONE },
	[TASK_RETRY_WAIT] = { "retry_wait", false, BIT(TASK_RUNNING) | TASK_BROKEN_OFF },
	[TASK_SUCCESS] = { "success", true },
	[TASK_UNCHANGED] = { "unchanged", true },
	[TASK_SKIPPED] = { "skipped", true },
	[TASK_FAILED] = { "failed", true },
	[TASK_TIMED_OUT] = { "timed_out", true },
	[TASK_CANCELLED] = { "cancelled", true },
	[TASK_UPSTREAM_FAILED] = { "upstream_failed", true },
	[TASK_LOST] = { "lost", true },
};

const char *run_status_name(enum run_status status)
{
	return runs[status].name;
}

int run_status_parse(const char *name)
{
	for (int i = 0; i < RUN_STATUS_COUNT; i++)
		if (!strcmp(runs[i].name, name))
			return i;
	return -EINVAL;
}

bool run_status_final(enum run_status status)
{
	return runs[status].final;
}

bool run_status_follows(enum run_status from, enum run_status to)
{
	return runs[from].next & BIT(to);
}

const char *task_status_name(enum task_status status)
{
	return tasks[status].name;
}

int task_status_parse(const char *name)
{
	for (int i = 0; i < TASK_STATUS_COUNT; i++)
		if (!strcmp(tasks[i].name, name))
			return i;
	return -EINVAL;
}

bool task_status_final(enum task_status status)
{
	return tasks[status].final;
}

bool task_status_follows(enum task_status from, enum task_status to)
{
	return tasks[from].next & BIT(to);
}
