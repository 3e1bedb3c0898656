/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Executions of workflows, as `sloth state workflow` shows them: runs, by the names that other tools have for
 * things. An execution is a run: {id, name, stack, version, status, run_status, user, started, finished,
 * duration_ms, error}. Its name is the file's without the suffix, its version the newest version of the stack
 * that it made (null: it changed nothing), its status one of five.
 */
#include <jansson.h>
#include <stdbool.h>

#include "cli/command.h"

struct execution_filter {
	const char *name, *status, *stack; /* NULL: any */
	int64_t limit;			   /* the newest; 0: all */
};

/* 0 or -EINVAL with a sentence. */
int execution_status_check(struct command *command, const char *status);

/* The newest first; a new reference. */
int executions_list(struct command *command, const struct execution_filter *filter, json_t **ret_list);

/* One, by its number, or the newest one of a workflow's name. New reference. */
int execution_find(struct command *command, const char *word, json_t **ret_execution);

/* The versions of the execution's stack that it made; of all executions of the same workflow there, if `all`.
 * The newest first; a new reference. */
int execution_versions(struct command *command, const json_t *execution, bool all, json_t **ret_versions);

/* What it did to resources: [{type, name, action, status}], by type and name; a new reference. */
int execution_resources(struct command *command, const json_t *execution, json_t **ret_resources);
