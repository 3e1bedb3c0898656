/* SPDX-License-Identifier: MIT */
#pragma once
/* The seed's own side (seed.h): what it is asked, and what it does. It is linked into sloth-runner, too,
 * because a spawner makes a new seed when the first one is gone. */
#include "engine/spawner-serve.h"

/* One packet. Along with it goes the descriptor that the spawner will serve; the answer is a pid_t. */
struct seed_order {
	char program[PATH_SIZE];
};

/* Greets with its pid, and serves `fd` until the daemon is gone. */
void seed_serve(int fd) __attribute__((noreturn));

/* As fork(2), but the child is our parent's, who waits for it. */
pid_t fork_sibling(void);
