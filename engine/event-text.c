/* SPDX-License-Identifier: MIT */
/* An event as a line for people. It is made from the JSON alone, so that checking the JSON's hash checks it
 * too. */
#include "engine/event-text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

/* The words that stand in every line. A key of the data that is called like one of them cannot pass for it.
 */
static const char *const fixed[] = { "stack", "run", "user", "uid" };

static bool is_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isascii(*p) || (!isalnum((unsigned char)*p) && !strchr("._/:@%+,-", *p)))
			return false;
	return *text != '\0';
}

static void write_word(const char *text, FILE *out)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p == '\n')
			fputs("\\n", out);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(out, "\\x%02x", *p);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

static void write_value(const json_t *value, FILE *out)
{
	CLEANUP(cleanup_free) char *text = NULL;

	if (json_is_string(value)) {
		write_word(json_string_value(value), out);
		return;
	}
	if (json_is_integer(value)) {
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	}
	text = json_dumps(value, EVENT_JSON_FLAGS | JSON_ENCODE_ANY);
	if (text && (json_is_object(value) || json_is_array(value)))
		write_word(text, out);
	else
		fputs(text ? text : "?", out);
}

static void write_pair(const char *key, const json_t *value, FILE *out)
{
	if (!value)
		return;
	fputc(' ', out);
	write_word(key, out);
	fputc('=', out);
	write_value(value, out);
}

static void write_data(const json_t *data, FILE *out)
{
	CLEANUP(cleanup_free) const char **keys = calloc(json_object_size(data) + 1, sizeof(*keys));
	const char *key;
	json_t *value;
	size_t n = 0;

	if (!keys) {
		memory_failed();
		return;
	}
	json_object_foreach ((json_t *)data, key, value)
		keys[n++] = key;
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && strcmp(keys[j - 1], keys[j]) > 0; j--) {
			const char *other = keys[j];

			keys[j] = keys[j - 1];
			keys[j - 1] = other;
		}
	for (size_t i = 0; i < n; i++) {
		char name[256];
		bool taken = false;

		for (size_t k = 0; k < sizeof(fixed) / sizeof(fixed[0]); k++)
			taken |= !strcmp(fixed[k], keys[i]);
		snprintf(name, sizeof(name), "%s%s", taken ? "data." : "", keys[i]);
		write_pair(name, json_object_get(data, keys[i]), out);
	}
}

static json_t *harmless_text(const char *text)
{
	CLEANUP(cleanup_free) char *copy = text_harmless(text);

	return copy ? json_string(copy) : NULL;
}

static json_t *harmless_object(const json_t *object)
{
	json_t *copy = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		json_auto_t *name = harmless_text(key);

		if (!name || json_object_set_new(copy, json_string_value(name), event_harmless(value)) < 0) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

json_t *event_harmless(const json_t *data)
{
	json_t *copy, *value;
	size_t i;

	if (json_is_string(data))
		return harmless_text(json_string_value(data));
	if (json_is_object(data))
		return harmless_object(data);
	if (!json_is_array(data))
		return json_deep_copy(data);
	copy = json_array();
	json_array_foreach (data, i, value)
		if (json_array_append_new(copy, event_harmless(value)) < 0) {
			json_decref(copy);
			return NULL;
		}
	return copy;
}

void event_write_line(const json_t *event, FILE *out)
{
	const char *time = json_string_value(json_object_get(event, "time"));
	const char *type = json_string_value(json_object_get(event, "type"));

	fprintf(out, "%s %s", time ? time : "?", type ? type : "?");
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		write_pair(fixed[i], json_object_get(event, fixed[i]), out);
	write_data(json_object_get(event, "data"), out);
	fputc('\n', out);
}
