/* SPDX-License-Identifier: MIT */
#pragma once
/* The environment of commands: the submitter's login environment, the run's variables, the task's, the
 * command's. */
#include <stddef.h>

struct environment {
	char **strings; /* "NAME=value", NULL at the end; owned */
	size_t count;
};

/* Copies the process's own. 0 or -ENOMEM. */
int environment_init(struct environment *environment);
void environment_done(struct environment *environment);

/* 0 or -ENOMEM. */
int environment_set(struct environment *environment, const char *name, const char *value);

/* One array for execve(2), to be freed with free(3); its strings are borrowed or part of it. The layers
 * (NULL: nothing) replace and add, later ones last; `task` and `output` NULL: none. NULL: out of memory. */
const char **environment_make(const struct environment *environment, const char *const *const layers[],
	size_t layer_count, const char *task, int try, const char *output);

/* A value in such an array, or NULL. */
const char *environment_get(const char *const *strings, const char *name);
