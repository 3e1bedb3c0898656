/* SPDX-License-Identifier: MIT */
#pragma once
#include "cli/command.h"

/* stack undo NAME --run ID. */
int undo_run_of_stack(struct command *command);
