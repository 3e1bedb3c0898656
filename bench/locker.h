/* SPDX-License-Identifier: MIT */
#pragma once
/* A client that locks and unlocks a stack of its own through the mount. */
#include "bench/bench.h"

struct locker {
	char *path; /* of the lock file */
	int fd;	    /* for flock(2) */
};

/* Makes the stack. */
void locker_init(struct locker *locker, const char *mount, const char *stack);
void locker_done(struct locker *locker);

/* `echo "a benchmark" > lock; echo unlock > lock`, as a program does it. For struct side. */
void locker_write(void *locker);
/* flock(2), taken and given back. */
void locker_flock(void *locker);
