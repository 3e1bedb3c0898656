/* SPDX-License-Identifier: MIT */
#pragma once
/* The workflow's own coroutines: Lua's library, but a wait for the loop inside one passes through to its
 * fiber. */
#include <lua.h>

/* Pushes the table. */
void coroutines_push(lua_State *L);
