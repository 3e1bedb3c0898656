/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Rolling back, when a run with on_failure = "rollback" has failed: the undo of every task that it has done,
 * in reverse order of completion, one at a time; then the stack goes back to what it was before the run. What
 * can't be undone is named.
 */
#include <stdbool.h>

#include "lua/task.h"

struct workflow;
struct rollback;
struct scope;

/* workflow_rolled_back() follows. */
void rollback_begin(struct workflow *workflow);
void rollback_free(struct rollback *rollback);

/* From task-after.c. */
void rollback_task_undone(struct workflow *workflow, struct task *task);

/* Of the workflow's own scope, while the stack goes back. */
void rollback_scope_ended(struct scope *scope);

/* For the frame `finished`. rollback NULL, result NULL: there was none. */
const char *rollback_status(const struct rollback *rollback);
json_t *rollback_result(const struct rollback *rollback);
/* One sentence for the run's error: malloc'ed. */
char *rollback_text(const struct rollback *rollback);
