/* SPDX-License-Identifier: MIT */
#pragma once
/* Runs by what people call them. */
#include "cli/command.h"

/* By its number, "latest", or the name of a workflow: the newest run of it. NULL: the newest of all. 0, or
 * -errno with a sentence. */
int run_find(struct command *command, const char *word, int64_t *ret_run);
/* The first operand of the command, so. */
int run_find_operand(struct command *command, int64_t *ret_run);
