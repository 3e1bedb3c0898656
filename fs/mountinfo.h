/* SPDX-License-Identifier: MIT */
#pragma once
/* What is mounted where, by /proc/self/mountinfo (proc(5)), without touching any mount. */
#include <stdbool.h>

/* 1: a mount of type fuse.sloth is at exactly this place; 0: none; -errno. */
int mountinfo_is_sloth(const char *directory);

/* Whether somebody serves it: asked by a child with a time limit of one second, because a daemon can hang. */
bool mountinfo_alive(const char *directory);

/* Who waits for an answer of a daemon that died and could not end (notifier.c) has a failure. For root. */
void mountinfo_break_off(const char *directory);

/* Detaches it lazily: umount2(2) for root, fusermount3 for others. */
int mountinfo_detach(const char *directory);

/* Root may let others use its mounts; users where /etc/fuse.conf has user_allow_other. */
bool mountinfo_may_allow_other(void);
