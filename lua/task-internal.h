/* SPDX-License-Identifier: MIT */
#pragma once
/* Shared by task.c, task-after.c and task-outcome.c. */
#include "lua/task.h"

/* Pushes lib/task.lua's function `name` and the task's table. */
void task_push_call(lua_State *L, struct task *task, const char *name);

/* A line of its log. */
void task_log(struct task *task, const char *text);

void task_scope_open(struct task *task);

/* Makes its directories, where they are not there. Raises. */
void task_open_directories(lua_State *L, struct task *task);

/* Calls a C function with the task on the main thread; a failure there (memory) is the task's outcome. */
int task_protected(struct task *task, lua_CFunction function, int results);

/* There is none (any more). */
void outcome_reset(struct task *task);

/* Its try ended like this, with a sentence (NULL: none). */
void outcome_fail(struct task *task, enum task_status status, const char *error);

/* For task_protected(): an empty table, where a try was ended before it told anything. */
int outcome_make(lua_State *L);
