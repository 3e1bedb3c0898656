/* SPDX-License-Identifier: MIT */
#pragma once
/* Whole directories: making with parents, emptying, removing. Symbolic links are never followed below the
 * top. */
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/fault.h"

/* Like mkdir -p. 1: made; 0: was there; -errno. */
int tree_make(const char *path, mode_t mode, struct fault *fault);

/* Like rm -rf; not "/", "." and "..". 1: removed; 0: there was nothing; -errno. */
int tree_remove(const char *path, struct fault *fault);

/* The same, up to `budget` entries: -EAGAIN, and no sentence, says that there is more. */
int tree_remove_some(const char *path, int budget, struct fault *fault);

struct tree_owner {
	uid_t uid; /* -1: whoever it is */
	gid_t gid;
	bool change; /* else it is only looked */
};

struct tree_owned {
	int count;	      /* of those that were another's */
	char first[PATH_MAX]; /* one of them, below the top */
};

/* Everything below a directory, but not itself. -E2BIG, and other -errno, with the sentence. */
int tree_own(
	const char *path, const struct tree_owner *owner, struct tree_owned *ret_owned, struct fault *fault);
