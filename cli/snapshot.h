/* SPDX-License-Identifier: MIT */
#pragma once
/* What the commands about versions share. */
#include <jansson.h>

#include "cli/command.h"

/* A version as it was given: "v38", "38", "current", a name. -EINVAL for what can't be one: it becomes part
 * of a path. */
int version_word(struct command *command, const char *text);
/* What differs between two versions: a list, see slothfs(5). */
int compare_json(
	struct command *command, const char *stack, const char *from, const char *to, json_t **ret_changes);
/* "  ~ Modified resource: web (replicas: 2 -> 4)" … */
void compare_print(const json_t *changes);
/* The number behind "latest". */
int latest_version(struct command *command, const char *stack, int64_t *ret_number);

int restore_run(struct command *command);
int compare_run(struct command *command);
int undo_run(struct command *command);
int history_run(struct command *command);
int blame_run(struct command *command);
extern const struct option restore_options[], undo_options[], history_options[];
