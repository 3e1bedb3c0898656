/* SPDX-License-Identifier: MIT */
#pragma once
/* The owner, group and mode that somebody gave to one of the tree's top folders. */
#include <stdint.h>
#include <sys/types.h>

#include "engine/engine.h"
#include "engine/stack.h"

struct folder {
	uid_t uid;
	gid_t gid;
	mode_t mode;
	int64_t updated_ms;
};

/* As somebody made it, else the daemon's user, the group "sloth" where there is one, and 3775. */
int folder_get(struct engine *engine, const char *name, struct folder *ret_folder);
/* updated_ms is set to now. */
int folder_set(struct engine *engine, struct caller *caller, const char *name, const struct folder *folder);

/* Whether the caller may go through the folder to what is in it; NULL: everybody. -EACCES with the sentence.
 */
int folder_pass(struct engine *engine, struct caller *caller, const char *name, struct fault *fault);

/* A stack that a run needs: in the folder `stacks`, by the caller's rights there; the folder's setgid bit
 * counts. */
int folder_make_stack(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	struct fault *fault, struct stack *ret_stack);
