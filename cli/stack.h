/* SPDX-License-Identifier: MIT */
#pragma once
/* What the commands about stacks share. */
#include <jansson.h>

#include "cli/command.h"

/* "/stacks/NAME/FILE", malloc'ed; FILE may be "". -EINVAL for what is no name. */
int stack_path(struct command *command, const char *name, const char *file, char **ret_path);
/* A file of JSON of one stack: a new reference. */
int stack_json(struct command *command, const char *name, const char *file, json_t **ret_value);
/* The same file of every stack that we may read, as a list in the order of names; many are asked for at a
 * time. */
int stack_each_json(struct command *command, const char *file, json_t **ret_values);

/* Those that depend on the stack keep it from being destroyed no longer (deps.c). */
int deps_let_go(struct command *command, const char *name);

/* "key = value" lines on a terminal, "key=value" in a pipe. */
void outputs_print(json_t *outputs, const char *indent);
/* The lines about a lock.json: "  Status:  LOCKED" and who, since when, why. */
void lock_print(const json_t *lock);
