/* SPDX-License-Identifier: MIT */
#pragma once
/* Follows a run until it ends: its log and its tasks, live. */
#include <stdint.h>

#include "cli/command.h"

/* From here on SIGINT and SIGTERM do not end the program: follow_run() passes them on to the run. */
void follow_catch_signals(void);

/* The exit status that the run's end stands for, or -errno. */
int follow_run(struct command *command, int64_t run);

/* The exit status for a final status ("success": 0). */
int follow_exit_status(const char *status);
