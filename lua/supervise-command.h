/* SPDX-License-Identifier: MIT */
#pragma once
/* The command of a supervisor as a process, and what descends from it. */
#include <jansson.h>
#include <sys/types.h>

/* Starts what the spec says, in a session of its own, with a login environment of whose rights it has. 0, or
 * -errno with the sentence. */
int supervise_spawn(const json_t *spec, int log, pid_t *ret_pid, char *ret_text, size_t size);

/* SIGKILL to all that is left of it, until nothing is: whatever lost its parent is a child of this process.
 */
void supervise_sweep(void);
