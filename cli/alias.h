/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Other names for commands: `stack state rollback NAME --version 3` for `stack snapshot restore NAME 3`. An
 * alias has a row among the verbs, for help, completion and its operands, and one in the table of alias.c,
 * which says what it stands for; nothing is done in two places.
 */
#include "cli/command.h"

/* `run` of every verb that is an alias. */
int alias_run(struct command *command);

extern const struct verb stack_state_verbs[];
