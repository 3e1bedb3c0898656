/* SPDX-License-Identifier: MIT */
/* The environment of commands. */
#include "lua/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strcspn(b, "=") == n && !strncmp(a, b, n);
}

/* Takes `string`. */
static int put(struct environment *environment, char *string)
{
	char **strings;

	for (size_t i = 0; i < environment->count; i++) {
		if (same_name(environment->strings[i], string)) {
			free(environment->strings[i]);
			environment->strings[i] = string;
			return 0;
		}
	}
	strings = realloc(environment->strings, (environment->count + 2) * sizeof(*strings));
	if (!strings) {
		free(string);
		return -ENOMEM;
	}
	environment->strings = strings;
	strings[environment->count++] = string;
	strings[environment->count] = NULL;
	return 0;
}

int environment_init(struct environment *environment)
{
	*environment = (struct environment){ 0 };
	for (char **p = environ; *p; p++) {
		char *copy = strdup(*p);
		int r = copy ? put(environment, copy) : -ENOMEM;

		if (r < 0)
			return r;
	}
	return 0;
}

void environment_done(struct environment *environment)
{
	for (size_t i = 0; i < environment->count; i++)
		free(environment->strings[i]);
	free(environment->strings);
	*environment = (struct environment){ 0 };
}

int environment_set(struct environment *environment, const char *name, const char *value)
{
	char *string;

	if (asprintf(&string, "%s=%s", name, value) < 0)
		return -ENOMEM;
	return put(environment, string);
}

static bool is_replaced(const char *string, const char *const *by)
{
	for (; by && *by; by++)
		if (same_name(string, *by))
			return true;
	return false;
}

static size_t count_strings(const char *const *strings)
{
	size_t count = 0;

	while (strings && strings[count])
		count++;
	return count;
}

/* Whether a later layer has the name, too. */
static bool is_covered(const char *string, const char *const *const layers[], size_t from, size_t count)
{
	for (size_t i = from; i < count; i++)
		if (is_replaced(string, layers[i]))
			return true;
	return false;
}

const char **environment_make(const struct environment *environment, const char *const *const layers[],
	size_t layer_count, const char *task, int try, const char *output)
{
	size_t slots = environment->count + 4, n = 0;
	const char **strings;
	char *text;

	for (size_t i = 0; i < layer_count; i++)
		slots += count_strings(layers[i]);
	strings = malloc(
		slots * sizeof(*strings) + 80 + (task ? strlen(task) : 0) + (output ? strlen(output) : 0));
	if (!strings)
		return NULL;
	text = (char *)(strings + slots);
	for (size_t i = 0; i < environment->count; i++)
		if (!is_covered(environment->strings[i], layers, 0, layer_count))
			strings[n++] = environment->strings[i];
	for (size_t i = 0; i < layer_count; i++)
		for (const char *const *p = layers[i]; p && *p; p++)
			if (!is_covered(*p, layers, i + 1, layer_count))
				strings[n++] = *p;
	if (task) {
		strings[n++] = text;
		text += sprintf(text, "SLOTH_TASK=%s", task) + 1;
		strings[n++] = text;
		text += sprintf(text, "SLOTH_TRY=%d", try) + 1;
	}
	if (output) {
		strings[n++] = text;
		sprintf(text, "SLOTH_OUTPUT=%s", output);
	}
	strings[n] = NULL;
	return strings;
}

const char *environment_get(const char *const *strings, const char *name)
{
	size_t n = strlen(name);

	for (; *strings; strings++)
		if (!strncmp(*strings, name, n) && (*strings)[n] == '=')
			return *strings + n + 1;
	return NULL;
}
