/* SPDX-License-Identifier: MIT */
#pragma once
/* What the file `lock` of a stack and those in locks/ have in common. */
#include "fs/handle.h"

int lock_node_show(struct view *view, FILE *out);
int lock_node_show_json(struct view *view, FILE *out);
int64_t lock_node_stamp(struct view *view);
int lock_node_write(struct view *view, const char *line, size_t size);
/* unlink(2) releases it; the name stays. */
int lock_node_remove(struct view *view);
