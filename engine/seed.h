/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where spawners come from: a process that is forked from the daemon first of all, does nothing, and makes
 * the daemon a new spawner when it asks. What the daemon gives up for good when it has its spawner
 * (harden.h), and what it gets over time, no runner inherits: neither the first, nor one of the spawner that
 * comes when the daemon starts anew. It outlives that, and ends when the daemon does. Should somebody kill
 * it, the spawner makes another one (spawner.h).
 */
#include <stdbool.h>
#include <sys/types.h>

struct seed {
	int fd; /* -1: there is none */
	pid_t pid;
};

/* Forks. Call it first of all. */
int seed_start(struct seed *ret_seed);
/* Of the program that was before this one in this process: "FD:PID". */
int seed_adopt(const char *text, struct seed *ret_seed);
/* Whoever has made one says so: waits for its first packet on `fd`, which is taken. -ENOTCONN: none came. */
int seed_greet(int fd, struct seed *ret_seed);
bool seed_lives(const struct seed *seed);
/* What seed_adopt() takes; the descriptor goes along with execve(2) from now on. -ENOTCONN: it is gone. */
int seed_hand_on(struct seed *seed, char *ret_text, size_t size);
void seed_done(struct seed *seed);

/* A new process, a child of ours, that executes `program` as a spawner, with `fd` (borrowed) as descriptor 3.
 * Its pid, or -errno. Blocks until it is there. */
pid_t seed_spawner(struct seed *seed, const char *program, int fd);
