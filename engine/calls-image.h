/* SPDX-License-Identifier: MIT */
#pragma once
#include "engine/calls.h"

/* Keeps what a thing was, before the call changes anything of it. In the call's change. */
int call_image_add(
	struct call *call, const char *type, const char *name, const json_t *given, int64_t *ret_id);
