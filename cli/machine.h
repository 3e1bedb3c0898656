/* SPDX-License-Identifier: MIT */
#pragma once
/* What this machine has for us, and how to get what it has not. */
#include <stdbool.h>

#include "base/fault.h"

/* Whether folders can be mounted: -ENODEV, -EACCES, -ENOENT (fusermount3) with what to do. */
int machine_check_fuse(struct fault *fault);

/* Whether a tree of ours is mounted on the path, also a dead one; by /proc/self/mountinfo, without touching
 * it. */
bool machine_is_mounted(const char *path);

/* Whether a program is in $PATH or in the folders of the system's programs. */
bool machine_has_program(const char *name);
