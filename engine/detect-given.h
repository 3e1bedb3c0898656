/* SPDX-License-Identifier: MIT */
#pragma once
/* What a process that looks for drift is given with a resource, because only the daemon knows it: of the type
 * `output`, what another stack gives now. */
#include <jansson.h>

#include "engine/caller.h"
#include "engine/engine.h"
#include "engine/resource.h"

/* `owner` is who it is read for: he gets what he may read, and a sentence instead of what he may not. NULL:
 * for this type there is nothing; or out of memory, after which the process says that it can't ask. */
json_t *detect_given(struct engine *engine, struct caller *owner, const struct resource *resource);
