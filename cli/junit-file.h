/* SPDX-License-Identifier: MIT */
#pragma once
/* Writes a run's test report into a file. */
#include "cli/command.h"

/* Whole, or not at all: it takes the place of what stood there. 0, or -errno with a sentence. */
int junit_file_write(struct command *command, int64_t run, const char *file);
