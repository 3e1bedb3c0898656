/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The directories that tasks start in: TASK below the run's own. Making and removing one costs a journalling
 * file system more than starting a process, so one that its task left empty is renamed for the next task.
 */
#include <stddef.h>

#include "base/fault.h"

struct workdirs {
	char **spares; /* empty, of tasks that are over */
	size_t count;
};

void workdirs_init(struct workdirs *workdirs);

/* Removes the spare ones. */
void workdirs_done(struct workdirs *workdirs);

/* The directory of `task`, below `base`; an old one of that name stays as it is. malloc'ed, or NULL with the
 * sentence. */
char *workdir_open(struct workdirs *workdirs, const char *base, const char *task, struct fault *fault);

/* The task is over, and nothing of it lives on: its directory may go, if it is empty. Takes `path`. */
void workdir_close(struct workdirs *workdirs, char *path);
