/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a task's code does after its last try: hooks, and in a rollback the undo of what it did. Both change
 * no status, and both have a time limit, so that they can't hold up the run for ever.
 */
#include <stdbool.h>

#include "lua/task.h"

/* Starts the hooks; task_hooks_over() follows when they have ended. False: there are none. */
bool task_hooks_start(struct task *task);
void task_hooks_over(struct task *task);

/* Starts the undo; rollback_task_undone() follows, with the sentence in task->undo_error, NULL: it is undone.
 * -errno: it could not be started, with the sentence. */
int task_undo_start(struct task *task);

void task_after_init(struct task *task);
void task_after_done(struct task *task);
/* What runs after the last try ends. */
void task_after_cancel(struct task *task, int64_t grace_ms);

/* For lib/task.lua: hook_failed(name, text); undo_told(status, try [, error]). */
int task_hook_failed(lua_State *L);
int task_undo_told(lua_State *L);
/* For lib/images.lua: image_taken(): of something that the task is about to change. */
int task_image_taken(lua_State *L);
