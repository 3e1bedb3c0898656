/* SPDX-License-Identifier: MIT */
#pragma once
/* What the library in lua/lib/ can do that workflows can't: one table of functions, given to each chunk of it. */
#include <lua.h>

void core_push(lua_State *L);
