/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a workflow may do to Lua's own functions, and what that does to the library: nothing. A workflow may
 * redefine whatever it sees; the files of lib/ run with copies that were made before.
 */
#include <lua.h>

/* Once, when the globals are made and before a workflow is loaded. */
void sandbox_seal(lua_State *L);

/* The chunk of a library is on the top of the stack: it gets the library's globals, now or when they are
 * sealed. */
void sandbox_enclose(lua_State *L);
