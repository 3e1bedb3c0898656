/* SPDX-License-Identifier: MIT */
#pragma once
/* Programs started with a clean state of signals: what we ignore or block is ours alone. */
#include <spawn.h>
#include <sys/types.h>

/* posix_spawn(3) with our environment; `flags` are more POSIX_SPAWN_*. 0 or -errno. */
int child_spawn(const char *program, const char *const *argv, const posix_spawn_file_actions_t *actions,
	int flags, pid_t *ret_pid);
