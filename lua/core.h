/* SPDX-License-Identifier: MIT */
#pragma once
/* What the library in lua/lib/ can do that workflows can't: one table of functions, given to each chunk of
 * it. */
#include <lauxlib.h>
#include <lua.h>

/* Its parts, a file each. */
extern const luaL_Reg core_wait[], core_calls[], core_commands[], core_files[], core_text[], core_web[],
	core_artifacts[];

void core_push(lua_State *L);
