/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Globs of artifacts: "*", "?" and "[…]" within a name (none of which means a leading dot), "**" for any
 * number of folders that are no links. One that names a folder means all that is below it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/fault.h"

enum {
	GLOB_PATH_MAX = 1024,	 /* bytes with the NUL */
	GLOB_FILES_MAX = 10000,	 /* that may be found */
	GLOB_LOOKS_MAX = 200000, /* names that are looked at */
};

struct glob_file {
	char *path; /* relative */
	off_t size;
	mode_t mode; /* permission bits */
};

struct globbed {
	int root; /* the directory; owned; -1: none */
	struct glob_file *files;
	size_t count;
	size_t looks;
};

void globbed_done(struct globbed *globbed);

/* Opens what stands below `root`, without ever leaving it: -EXDEV where a link leads out of it. */
int glob_open(int root, const char *path, int flags, mode_t mode);

/* Adds the files that `glob` means below globbed->root. What is no plain file that lies there is refused by
 * name. 0 or -errno; -ENOENT: there is none. */
int glob_find(struct globbed *globbed, const char *glob, struct fault *fault);
/* By path, each once. */
void globbed_sort(struct globbed *globbed);

/* Whether a path is meant, without a look at the disk. */
bool glob_matches(const char *glob, const char *path);
