/* SPDX-License-Identifier: MIT */
/* A JSON value as YAML, by libyaml's emitter. Strings that would read as something else get quotes. */
#include "cli/yaml-out.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

static int emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
	return made && yaml_emitter_emit(emitter, event) ? 0 : -EIO;
}

static int emit_scalar(yaml_emitter_t *emitter, const char *text, size_t size, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return emit(emitter, &event,
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

static int emit_string(yaml_emitter_t *emitter, const char *text, size_t size)
{
	return emit_scalar(emitter, text, size,
		needs_quotes(text, size) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE);
}

static int emit_value(yaml_emitter_t *emitter, const json_t *value);

static int emit_object(yaml_emitter_t *emitter, const json_t *object)
{
	yaml_event_t event;
	const char *key;
	json_t *value;
	int r = emit(emitter, &event,
		yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_MAPPING_STYLE));

	json_object_foreach ((json_t *)object, key, value) {
		r = r < 0 ? r : emit_string(emitter, key, strlen(key));
		r = r < 0 ? r : emit_value(emitter, value);
	}
	return r < 0 ? r : emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static int emit_array(yaml_emitter_t *emitter, const json_t *array)
{
	yaml_event_t event;
	json_t *value;
	size_t i;
	int r = emit(emitter, &event,
		yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_SEQUENCE_STYLE));

	json_array_foreach (array, i, value)
		r = r < 0 ? r : emit_value(emitter, value);
	return r < 0 ? r : emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static int emit_value(yaml_emitter_t *emitter, const json_t *value)
{
	char text[64];
	int n = 0;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return emit_object(emitter, value);
	case JSON_ARRAY:
		return emit_array(emitter, value);
	case JSON_STRING:
		return emit_string(emitter, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		n = snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		n = snprintf(text, sizeof(text), "%.16g", json_real_value(value));
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
	return emit_scalar(emitter, text, (size_t)n, YAML_PLAIN_SCALAR_STYLE);
}

static int emit_document(yaml_emitter_t *emitter, const json_t *value)
{
	yaml_event_t event;
	int r = emit(emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));

	r = r < 0 ? r
		  : emit(emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	r = r < 0 ? r : emit_value(emitter, value);
	r = r < 0 ? r : emit(emitter, &event, yaml_document_end_event_initialize(&event, 1));
	return r < 0 ? r : emit(emitter, &event, yaml_stream_end_event_initialize(&event));
}

int yaml_write(FILE *out, const json_t *value)
{
	yaml_emitter_t emitter;
	int r;

	if (!yaml_emitter_initialize(&emitter))
		return -ENOMEM;
	yaml_emitter_set_output_file(&emitter, out);
	yaml_emitter_set_unicode(&emitter, 1);
	r = emit_document(&emitter, value);
	yaml_emitter_delete(&emitter);
	return r;
}
