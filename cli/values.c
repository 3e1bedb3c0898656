/* SPDX-License-Identifier: MIT */
/* The values that are given on the command line. */
#include "cli/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { REAL_DIGITS = 15 }; /* all of them can be trusted: 0.1 is written as 0.1 again */

/* A new reference, NULL without memory or when it is no UTF-8. */
static json_t *value_of(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	CLEANUP(cleanup_free) char *again = NULL;

	if (!value)
		return json_string(text);
	if (json_is_real(value)) {
		again = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS));
		if (!again || strcmp(again, text)) {
			json_decref(value);
			return json_string(text);
		}
	}
	return value;
}

int values_set(json_t *object, const char *assignment, struct fault *fault)
{
	const char *equals = strchr(assignment, '='), *key = assignment;
	json_t *value;

	if (!equals || equals == assignment)
		return fault_set(fault, EINVAL, "--set %s: it must be KEY=VALUE", assignment);
	for (;;) {
		size_t n = strcspn(key, ".=");
		CLEANUP(cleanup_free) char *part = strndup(key, n);
		json_t *below;

		if (!part)
			return fault_set(fault, ENOMEM, "no memory");
		if (n == 0)
			return fault_set(fault, EINVAL, "--set %s: a part of the key is empty", assignment);
		key += n + 1;
		if (key > equals) {
			value = value_of(equals + 1);
			if (!value || json_object_set_new(object, part, value) < 0)
				return fault_set(
					fault, EINVAL, "--set %s: it must be valid UTF-8", assignment);
			return 0;
		}
		below = json_object_get(object, part);
		if (!below) {
			below = json_object();
			if (!below || json_object_set_new(object, part, below) < 0)
				return fault_set(
					fault, EINVAL, "--set %s: it must be valid UTF-8", assignment);
		}
		if (!json_is_object(below))
			return fault_set(fault, EINVAL, "--set %s: \"%s\" was set to a plain value before",
				assignment, part);
		object = below;
	}
}

int values_set_text(struct command *command, char **ret_text)
{
	json_t *object = json_object();
	const char *assignment;
	int position = 0, r = 0;

	if (!object)
		return fault_set(&command->fault, ENOMEM, "no memory");
	while (r == 0 && (assignment = command_next(command, "set", &position)))
		r = values_set(object, assignment, &command->fault);
	if (r == 0 && json_object_size(object)) {
		*ret_text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
		if (!*ret_text)
			r = fault_set(&command->fault, ENOMEM, "no memory");
	}
	json_decref(object);
	return r;
}
