/* SPDX-License-Identifier: MIT */
#pragma once
/* The plan of a loaded workflow: its tasks with all words that matter before it runs, in which order they
 * start, what holds them up. The frame `loaded` is made of it, and the answer to a check that asks for it. */
#include <jansson.h>

struct workflow;

/* A new reference (doc/protocol.md, `loaded`); NULL: no memory. */
json_t *plan_json(struct workflow *workflow);
