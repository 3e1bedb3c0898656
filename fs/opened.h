/* SPDX-License-Identifier: MIT */
#pragma once
/* Which processes have a file of the mounted tree open. */
#include <stdint.h>
#include <sys/types.h>

/* How many descriptors of a process are the file of a lock, through a mount; -1 where that can't be known.
 * For struct engine; `userdata` is not used. */
int opened_locks(void *userdata, pid_t pid, int64_t stack_id, int64_t name_id);
