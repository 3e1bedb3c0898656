/* SPDX-License-Identifier: MIT */
#pragma once
/* The paths that a pattern of glob(7) means, with {a,b}, and with ** for any folders, none of them included.
 * Links to folders are not followed there, and what begins with a dot has to be named. */
#include <stddef.h>

enum { FIND_FOLDERS_MAX = 100000 }; /* that one ** may look into */

struct paths {
	char **list;
	size_t count;
};

/* Sorted, each once. 0 or -errno; -E2BIG: too many folders. Done in any case. */
int find_paths(const char *pattern, struct paths *ret_paths);
void paths_done(struct paths *paths);
