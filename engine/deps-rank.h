/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Ranks of stacks: each is greater than those of all that the stack depends on. So a search for a way from
 * one to another can leave out whoever has a rank that no such way has, and mostly ends at once.
 *
 * They are made when a search was long, and kept in memory as long as they hold: a dependency that goes
 * changes nothing, one that comes may raise some. deps.c's, under its check for cycles.
 */
#include <stdint.h>

#include "engine/engine.h"

/* Whether there are some, that hold. */
bool deps_ranks_known(struct engine *engine);
/* Makes them, from the whole graph. Afterwards there may be none still: where there are cycles. */
int deps_ranks_make(struct engine *engine);
/* Of a stack that came later: 0. */
int deps_rank(const struct engine *engine, int64_t stack_id);
/* A dependency comes, and makes no cycle. */
int deps_ranks_add(struct engine *engine, int64_t stack_id, int64_t on_id);
void deps_ranks_free(struct engine *engine);
