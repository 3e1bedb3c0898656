/* SPDX-License-Identifier: MIT */
#pragma once
/* Asking before something is lost. */
#include "cli/command.h"

/* Nothing is asked with --force or --yes, which the command must know. Else `word` has to be typed:
 * -ECANCELED when it is not; -EPERM where nobody can be asked. `question` is a sentence without its full
 * stop. */
int confirm_word(struct command *command, const char *question, const char *word);
/* The same with "yes" or "y". */
int confirm(struct command *command, const char *question);
/* The name of what is to be destroyed: a `what`, "stack" or so. */
int confirm_name(struct command *command, const char *what, const char *name);

/* Options for it. */
#define CONFIRM_OPTIONS                                                                                      \
	{ "force", 'f', NULL, "do not ask" },                                                                \
	{                                                                                                    \
		"yes", 'y', NULL, "do not ask"                                                               \
	}
