/* SPDX-License-Identifier: MIT */
#pragma once
/* What `run` and `workflow plan` are given alike: a workflow, be it a file or a saved one, and the words that
 * go with it. */
#include <jansson.h>

#include "base/buffer.h"
#include "cli/command.h"

/* The workflow that a word names: a file, "-" for standard input, or, where there is no such file, one that
 * is saved in workflows/. `saved`: only the latter. *ret_name has room for NAME_SIZE + 16. */
int submission_read(
	struct command *command, const char *word, bool saved, char *ret_name, struct buffer *ret_text);

/* "deploy.sloth" of "work/deploy.sloth"; ".sloth" is added where the name has no ending that runs. */
int submission_name(struct command *command, const char *word, char *ret_name, size_t size);

/* --task and --skip, as user.sloth.options has them. A new reference. */
json_t *submission_options(struct command *command);
/* The options of a submission, from a row of words each. */
#define SUBMISSION_OPTIONS                                                                                   \
	{ "values", 'f', "FILE", "YAML or JSON over the stack's values; may be repeated" },                  \
		{ "set", 0, "KEY=VALUE", "one value over all others: --set a.b=c; may be repeated" },        \
		{ "task", 't', "NAME", "only this task and what it depends on; may be repeated" },           \
	{                                                                                                    \
		"skip", 'x', "NAME", "not this task; it counts as done; may be repeated"                     \
	}
