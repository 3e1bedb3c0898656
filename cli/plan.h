/* SPDX-License-Identifier: MIT */
#pragma once
/* Plans: what a workflow would do. */
#include <jansson.h>

#include "base/buffer.h"
#include "cli/command.h"

/* Asks for the plan with the command's --stack, --values and --set. `format`: text, json or dot; `options`
 * (NULL: none) is borrowed. 0 or -errno: as a run would be refused. */
int plan_ask(struct command *command, const char *name, const struct buffer *workflow, const json_t *options,
	const char *format, struct buffer *ret_plan);

/* … and prints it; `format` may be svg, too, and NULL: text, or JSON where that was asked for. */
int plan_print(struct command *command, const char *name, const struct buffer *workflow,
	const json_t *options, const char *format);

/* Shows the tasks and asks which to run: puts them into the options, as `tasks`. -EPERM without a terminal;
 * -ECANCELED when none is named. */
int plan_pick(struct command *command, const char *name, const struct buffer *workflow, json_t *options);
