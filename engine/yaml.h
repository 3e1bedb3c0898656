/* SPDX-License-Identifier: MIT */
#pragma once
/* YAML to JSON values (libyaml events; core schema scalars; anchors and aliases bounded; no tags). */
#include <jansson.h>
#include <stddef.h>

#include "base/fault.h"

/* An empty text gives an empty object. -EINVAL with "file:line:column: …": syntax (also tabs), duplicate
 * keys, keys that are no scalars, more than one document, depth over 64, more than 100,000 nodes, bytes that
 * are no UTF-8. Whole numbers become integers. The result is owned by the caller. */
int yaml_parse(const char *file, const char *text, size_t size, struct fault *fault, json_t **ret_value);

/* Also gives where things stand: of an object, for each key [line, column, marks of its value]; of a list,
 * the same for each item; null of other values. */
int yaml_parse_marks(const char *file, const char *text, size_t size, struct fault *fault, json_t **ret_value,
	json_t **ret_marks);

/* Also gives where keys stand: an object "stacks.auto_lock" → line, for messages about what they mean. */
int yaml_parse_lines(const char *file, const char *text, size_t size, struct fault *fault, json_t **ret_value,
	json_t **ret_lines);
