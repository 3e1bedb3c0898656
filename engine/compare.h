/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What differs between two versions of a stack: a list of JSON objects in the order of kinds and names.
 *
 *     { "op": "+" | "-" | "~", "kind": "resource", "name": "file/motd" }
 *
 * and for "~" of what has parts one object a part, with "attribute" ("properties.mode"), "from" and "to"
 * (null: not there); "+" has "to", "-" has "from". A workflow is compared by the tasks of the runs that
 * brought it (kind "task"), where they are known. What is sealed shows as "<sensitive>".
 */
#include <jansson.h>
#include <stdio.h>

#include "engine/version.h"

int version_compare(struct engine *engine, int64_t stack_id, int64_t from, int64_t to, struct fault *fault,
	json_t **ret_changes);

/* The list as lines: "~ resource file/motd: properties.mode: 0644 -> 0600". */
void compare_show(const json_t *changes, FILE *out);
