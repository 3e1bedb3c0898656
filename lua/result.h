/* SPDX-License-Identifier: MIT */
#pragma once
/* How a run ended: for the daemon, and for its on_complete. */
#include <jansson.h>
#include <lua.h>

struct workflow;

/* In the words of doc/protocol.md. */
const char *result_status(const struct workflow *workflow);

/* `finished`. New reference, or NULL. */
json_t *result_frame(const struct workflow *workflow);

/* Pushes a list with a record for each task. */
void result_push_records(lua_State *L, const struct workflow *workflow);
