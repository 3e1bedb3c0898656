/* SPDX-License-Identifier: MIT */
#pragma once
/* An engine for each input, in a folder that is like new. */
#include <ev.h>

#include "engine/engine.h"
#include "fs/tree.h"
#include "fs/turn.h"

struct home {
	char path[64];
	char database[96];
	struct ev_loop *loop;
	struct engine *engine;
	struct tree *tree;
};

/* Two stacks, `prod` of user 1001 (0770) and `open` of user 1002 (0777), with a value or two of everything
 * that a stack has. */
void home_new(struct home *home);
/* What else there is in each; set before the first one. NULL: nothing. */
extern void (*home_furnish)(struct home *home);
/* Makes what the homes of this process, and of its children, are copies of; else the first home does. */
void home_prepare(void);
/* Its files alone: no engine yet. */
void home_copy(struct home *home);
void home_begin(struct home *home); /* and with one */
void home_free(struct home *home);
void home_remove(const char *path); /* of one whose process could not */
/* Nothing is damaged, and no row's other half is gone. */
void home_check(struct home *home);
