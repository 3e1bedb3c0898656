/* SPDX-License-Identifier: MIT */
#pragma once
/* What the library in lua/lib/ can do that workflows can't: one table of functions, given to each chunk of
 * it. */
#include <lauxlib.h>
#include <lua.h>

/* Its parts, a file each. */
extern const luaL_Reg core_wait[], core_calls[], core_commands[], core_processes[], core_files[],
	core_letters[], core_text[], core_web[], core_artifacts[], core_words[], core_anchors[],
	core_supervision[], core_bytes[], core_failpoints[];

extern const luaL_Reg core_machine[];

void core_push(lua_State *L);

/* core-exec.c: the words of a command in the table at index 1; what they point to stays on the stack. */
struct command;
struct exec;
struct scope;
void core_read_command(lua_State *L, const struct scope *scope, struct command *ret_command);
/* Pushes what came of a command. */
int core_push_result(lua_State *L, const struct exec *exec);

/* core-import.c */
extern const luaL_Reg core_import[];
