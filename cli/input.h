/* SPDX-License-Identifier: MIT */
#pragma once
/* What is given in a file or on standard input. */
#include "base/buffer.h"
#include "cli/command.h"

/* Appends the whole of a file, "-": standard input. 0 or -errno with the fault set; -EFBIG above 64 MiB. */
int input_read(struct command *command, const char *path, struct buffer *content);
