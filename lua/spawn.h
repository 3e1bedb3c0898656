/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Starting a process as cheaply as the kernel can: the child shares our memory until it executes the program
 * (as posix_spawn(3) does it, which takes some hundred and fifty system calls more, and knows neither users
 * nor cgroups).
 *
 * One thread: there is one stack for children.
 */
#include <signal.h>
#include <sys/types.h>

/* Who it is to be; only root may ask. */
struct spawn_user {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
};

struct spawn {
	const char *file; /* no search in PATH */
	char *const *argv, *const *envp;
	const char *workdir;	       /* NULL: ours */
	int fds[3];		       /* become 0, 1, 2; close on exec */
	int cgroup;		       /* a descriptor of its folder; -1: ours */
	const struct spawn_user *user; /* NULL: ourselves */
};

/* Lets us have as many descriptors as we may; programs get the limit that we had, because some of them look
 * at each number below it. */
void spawn_raise_files(void);

enum spawn_step { SPAWN_BIRTH, SPAWN_USER, SPAWN_WORKDIR, SPAWN_PROGRAM };

/* In a process group of its own, with no signal blocked or handled, and SIGPIPE not ignored (the only one
 * that a runner ignores). 0, or -errno of the step that failed; the program is being executed when this
 * returns. */
int spawn(const struct spawn *spawn, pid_t *ret_pid, enum spawn_step *ret_step);
