/* SPDX-License-Identifier: MIT */
#pragma once
#include "engine/calls.h"

/* A run of the same person on the same stack: what it kept may be what nobody else may see, and is acted on
 * with the caller's rights. -ENOENT, -EACCES. */
int call_own_run(struct call *call, int64_t id, struct run *ret_run);

/* What the stack says of a thing before the call changes anything of it, null: nothing. A new reference. */
int call_image_row(struct call *call, const char *type, const char *name, json_t **ret_row);
/* Keeps what a thing was, with that. In the call's change. */
int call_image_add(struct call *call, const char *type, const char *name, const json_t *given, json_t *row,
	int64_t *ret_id);
