/* SPDX-License-Identifier: MIT */
#pragma once
/* What the files about dependencies share. */
#include "engine/deps.h"

/* Who shows it: the dependency, and both stacks. */
void deps_note(struct engine *engine, const struct dep *dep);

/* -ELOOP with the way round, if `stack` cannot depend on `on`. */
int deps_check_cycle(
	struct engine *engine, const struct stack *stack, const struct stack *on, struct fault *fault);
