/* SPDX-License-Identifier: MIT */
#pragma once
/* Follows a run until it ends: its log and its tasks, live. */
#include <jansson.h>
#include <stdint.h>

#include "cli/command.h"

/* The options of who follows; see progress.h. */
#define FOLLOW_OPTIONS                                                                                       \
	{ "quiet", 'q', NULL, "print nothing but errors" },                                                  \
		{ "verbose", 'v', NULL,                                                                      \
			"show on a terminal, too, what tasks print; with --json as lines of their own" },    \
		{ "timestamps", 0, NULL, "the time before each line" },                                      \
	{                                                                                                    \
		"junit", 0, "FILE", "when it is over, write a test report there"                             \
	}

/* From here on SIGINT and SIGTERM do not end the program: follow_run() passes them on to the run. */
void follow_catch_signals(void);

/* The exit status that the run's end stands for, or -errno. */
int follow_run(struct command *command, int64_t run);
/* The same without a word, for who tells himself what came of it: 0, and the run's summary.json, a new
 * reference. */
int follow_silently(struct command *command, int64_t run, json_t **ret_summary);

/* For those with the option --detach: what does not go with it is refused; the new run is followed, or its
 * number printed. */
int detach_check(struct command *command);
int follow_or_detach(struct command *command, int64_t run);

/* The exit status for a final status ("success": 0). */
int follow_exit_status(const char *status);
