/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Blame within a resource: for each attribute of what is desired (its path as in a comparison:
 * "properties.mode") the version since which it is as it is. What was removed and registered anew is as old
 * as that; versions that were deleted since are not seen, and what changed in them is as old as the next one
 * that is left.
 */
#include <jansson.h>
#include <stdio.h>

#include "engine/resource.h"

/* It looks back over so many changes, and so many bytes of them, at most: what is older seems to be as old as
 * the last that was looked at. */
enum { BLAME_CHANGES_MAX = 1000, BLAME_BYTES_MAX = 4 << 20 };

/* A list of objects: "attribute", "version", "time", "user", "uid", "run". New reference. -EBADMSG. */
int resource_blame_json(
	struct engine *engine, const struct resource *resource, struct fault *fault, json_t **ret_list);
/* The same as lines. */
int resource_blame_show(
	struct engine *engine, const struct resource *resource, struct fault *fault, FILE *out);
