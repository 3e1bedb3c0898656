/* SPDX-License-Identifier: MIT */
#pragma once
/* Where a workflow comes from and where its tasks run, as `user.sloth.options` has it. */
#include <jansson.h>

#include "base/buffer.h"
#include "cli/command.h"

/* --delegate-to and --local. */
#define ORIGIN_OPTIONS                                                                                       \
	{ "delegate-to", 0, "NAME", "run tasks that name no agent themselves on this one" },                 \
	{                                                                                                    \
		"local", 0, NULL, "run all tasks here, whatever they say"                                    \
	}

/* Adds what those say. */
void origin_add_host(struct command *command, json_t *options);

/* Adds the folder of `file` when the workflow's text imports files: paths are relative to it. NULL, "-" and
 * what is no file have none. */
void origin_add_folder(const char *file, const struct buffer *workflow, json_t *options);
