/* SPDX-License-Identifier: MIT */
#pragma once
#include "engine/calls.h"

/* A run of the same person on the same stack: what it kept may be what nobody else may see, and is acted on
 * with the caller's rights. -ENOENT, -EACCES. */
int call_own_run(struct call *call, int64_t id, struct run *ret_run);

/* Keeps what a thing was, before the call changes anything of it. In the call's change. */
int call_image_add(
	struct call *call, const char *type, const char *name, const json_t *given, int64_t *ret_id);
