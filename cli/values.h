/* SPDX-License-Identifier: MIT */
#pragma once
/* The values that are given on the command line: --set a.b=c. */
#include <jansson.h>

#include "cli/command.h"

/* Puts one "a.b=c" into the object. 0 or -EINVAL with a sentence. A value is what JSON takes it for (numbers,
 * true, false, null, [...], {...}, "...") as long as it would be written the same way: 1.10 and 007 stay
 * text. */
int values_set(json_t *object, const char *assignment, struct fault *fault);

/* All --set of a command as JSON text, malloc'ed; NULL when there is none. */
int values_set_text(struct command *command, char **ret_text);
