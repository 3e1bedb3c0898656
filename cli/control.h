/* SPDX-License-Identifier: MIT */
#pragma once
/* Lines for control files. */
#include "base/buffer.h"
#include "cli/command.h"

/* Adds KEY="VALUE", quoted as in a shell. A line break would be a second command: -EINVAL. value NULL:
 * nothing.
 */
int control_word(struct command *command, struct buffer *line, const char *key, const char *value);
/* Writes the line into a file of a stack. */
int control_write(struct command *command, const char *stack, const char *file, const char *line);
