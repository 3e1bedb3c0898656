/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The file that SLOTH_OUTPUT names: what a shell task appends to it become the task's outputs. It is not made
 * before somebody writes to it, so that a task which does not costs nothing but one failed open(2).
 */
#include <lua.h>

/* Where it is for a task: beside the tasks' directories, under a name that no task has. malloc'ed, NULL: out
 * of memory. */
char *output_path(const char *workdir, const char *task);

/* For the library: take_output() → the text of the running task's file, which is removed; nothing when there
 * is none; or nil and a sentence. */
int output_take(lua_State *L);
