/* SPDX-License-Identifier: MIT */
/* A JSON value as YAML, by libyaml's emitter. Strings that would read as something else get quotes. */
#include "engine/yaml-out.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"

struct writer {
	yaml_emitter_t yaml;
	bool sorted;
};

static int emit(struct writer *writer, yaml_event_t *event, int made)
{
	return made && yaml_emitter_emit(&writer->yaml, event) ? 0 : -EIO;
}

static int emit_scalar(struct writer *writer, const char *text, size_t size, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return emit(writer, &event,
		yaml_scalar_event_initialize(
			&event, NULL, NULL, (const yaml_char_t *)text, (int)size, 1, 1, style));
}

/* Whether a reader would take the bare word for a number, a boolean, null or syntax. Quotes too many do no
 * harm. */
static bool needs_quotes(const char *text, size_t size)
{
	static const char *const words[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n",
		"~" };

	if (size == 0 || strchr("0123456789+-.=<", text[0]))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(words[i], text))
			return true;
	return false;
}

static int emit_key(struct writer *writer, const char *text)
{
	size_t size = strlen(text);

	return emit_scalar(writer, text, size,
		needs_quotes(text, size) || strchr(text, '\n') ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
							       : YAML_ANY_SCALAR_STYLE);
}

/* A block of lines where it can be read back byte by byte: libyaml takes a carriage return, and the line ends
 * of other alphabets, for ends of lines. */
static bool is_block(const char *text, size_t size)
{
	return memchr(text, '\n', size) && text[0] != '\n' && text[0] != ' ' && !memchr(text, '\r', size) &&
	       !strstr(text, "\xc2\x85") && !strstr(text, "\xe2\x80\xa8") && !strstr(text, "\xe2\x80\xa9");
}

static int emit_string(struct writer *writer, const char *text, size_t size)
{
	yaml_scalar_style_t style = is_block(text, size) ? YAML_LITERAL_SCALAR_STYLE
				    : needs_quotes(text, size) || memchr(text, '\n', size)
					    ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
					    : YAML_ANY_SCALAR_STYLE;

	return emit_scalar(writer, text, size, style);
}

static int emit_value(struct writer *writer, const json_t *value);

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int emit_entries(struct writer *writer, const json_t *object)
{
	size_t count = json_object_size(object), n = 0;
	CLEANUP(cleanup_free) const char **keys = calloc(count + 1, sizeof(*keys));
	const char *key;
	json_t *value;
	int r = keys ? 0 : -ENOMEM;

	json_object_foreach ((json_t *)object, key, value)
		if (r == 0)
			keys[n++] = key;
	if (writer->sorted && r == 0)
		qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < n; i++) {
		r = r < 0 ? r : emit_key(writer, keys[i]);
		r = r < 0 ? r : emit_value(writer, json_object_get(object, keys[i]));
	}
	return r;
}

static int emit_object(struct writer *writer, const json_t *object)
{
	yaml_event_t event;
	int r = emit(writer, &event,
		yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_MAPPING_STYLE));

	r = r < 0 ? r : emit_entries(writer, object);
	return r < 0 ? r : emit(writer, &event, yaml_mapping_end_event_initialize(&event));
}

static int emit_array(struct writer *writer, const json_t *array)
{
	yaml_event_t event;
	json_t *value;
	size_t i;
	int r = emit(writer, &event,
		yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_SEQUENCE_STYLE));

	json_array_foreach (array, i, value)
		r = r < 0 ? r : emit_value(writer, value);
	return r < 0 ? r : emit(writer, &event, yaml_sequence_end_event_initialize(&event));
}

/* The shortest that reads as the same number, and as one with a fraction. */
static int print_real(char *text, size_t room, double real)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, room, "%.*g", digits, real);
		if (strtod(text, NULL) == real)
			break;
	}
	if (!strpbrk(text, ".e"))
		strcat(text, ".0");
	return (int)strlen(text);
}

static int emit_value(struct writer *writer, const json_t *value)
{
	char text[64];
	int n = 0;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return emit_object(writer, value);
	case JSON_ARRAY:
		return emit_array(writer, value);
	case JSON_STRING:
		return emit_string(writer, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		n = snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		n = print_real(text, sizeof(text), json_real_value(value));
		break;
	case JSON_TRUE:
		n = snprintf(text, sizeof(text), "true");
		break;
	case JSON_FALSE:
		n = snprintf(text, sizeof(text), "false");
		break;
	case JSON_NULL:
		n = snprintf(text, sizeof(text), "null");
		break;
	}
	return emit_scalar(writer, text, (size_t)n, YAML_PLAIN_SCALAR_STYLE);
}

static int emit_document(struct writer *writer, const json_t *value)
{
	yaml_event_t event;
	int r = emit(writer, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));

	r = r < 0 ? r
		  : emit(writer, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	r = r < 0 ? r : emit_value(writer, value);
	r = r < 0 ? r : emit(writer, &event, yaml_document_end_event_initialize(&event, 1));
	return r < 0 ? r : emit(writer, &event, yaml_stream_end_event_initialize(&event));
}

static int write_document(FILE *out, const json_t *value, bool sorted)
{
	struct writer writer = { .sorted = sorted };
	int r;

	if (!yaml_emitter_initialize(&writer.yaml))
		return -ENOMEM;
	yaml_emitter_set_output_file(&writer.yaml, out);
	yaml_emitter_set_unicode(&writer.yaml, 1);
	yaml_emitter_set_width(&writer.yaml, -1);
	r = emit_document(&writer, value);
	yaml_emitter_delete(&writer.yaml);
	return r;
}

int yaml_write(FILE *out, const json_t *value)
{
	return write_document(out, value, false);
}

int yaml_write_sorted(FILE *out, const json_t *value)
{
	return write_document(out, value, true);
}
