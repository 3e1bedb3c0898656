/* SPDX-License-Identifier: MIT */
#pragma once
/* What the files resource*.c share. */
#include "engine/resource.h"

enum { RESOURCE_JSON_FLAGS = JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY };

/* A reference to a resource in a JSON list: { "type", "name" } or "TYPE/NAME", whose name begins after the
 * first slash. 0, or -EINVAL with a sentence. `ret_type` has NAME_SIZE bytes; the name is borrowed. */
int resource_reference(
	const json_t *reference, struct fault *fault, char ret_type[NAME_SIZE], const char **ret_name);

/* What the properties seem to depend on, as a set of "TYPE/NAME". New reference; NULL without memory. */
json_t *resource_hints(const char *type, const char *name, const json_t *properties);

/* The set of explicit dependencies as "TYPE/NAME" → true from what was asked for. */
int resource_dependency_set(const json_t *list, struct fault *fault, json_t **ret_set);
/* … as they are stored. */
int resource_dependency_get(struct engine *engine, int64_t id, json_t **ret_set);
/* Stores both kinds. In a change. */
int resource_dependency_put(
	struct engine *engine, const struct resource *resource, json_t *explicit_set, json_t *hints);
/* -ELOOP with the path if these dependencies of TYPE/NAME would close a cycle. */
int resource_check_cycle(struct engine *engine, int64_t stack_id, const char *type, const char *name,
	json_t *explicit_set, struct fault *fault);
