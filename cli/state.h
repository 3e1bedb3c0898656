/* SPDX-License-Identifier: MIT */
#pragma once
/* What the commands about keys and about their locks share: lines of control files. */
#include "base/buffer.h"
#include "cli/command.h"

/* A word, quoted so that it stays one. -EINVAL with the sentence for one with a line break: that would be a
 * second command. */
int line_add_word(struct command *command, struct buffer *line, const char *text);
/* name=value; nothing where the value is NULL. */
int line_add_option(struct command *command, struct buffer *line, const char *name, const char *value);

extern const struct option state_lock_options[]; /* state-lock.c */
int state_lock_run(struct command *command);
int state_unlock_run(struct command *command);
