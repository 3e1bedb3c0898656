/* SPDX-License-Identifier: MIT */
#pragma once
/* How metrics may be called: metric.c's own. */
#include "engine/metric.h"

enum { METRIC_FAMILY_SIZE = METRIC_NAME_MAX + sizeof("_seconds") };

/* -EINVAL with the sentence. */
int metric_name_check(const char *name, struct fault *fault);

/* The tags as JSON text, sorted, for the caller to free. -EINVAL with the sentence. */
int metric_tags_text(json_t *tags, struct fault *fault, char **ret_text);

/* -EEXIST: the stack has that name with another type. */
int metric_type_check(
	struct engine *engine, int64_t stack_id, const char *type, const char *name, struct fault *fault);

/* The name that Prometheus sees. -EEXIST when something else has it. */
int metric_family(struct engine *engine, const char *type, const char *name, struct fault *fault,
	char ret_family[METRIC_FAMILY_SIZE]);
