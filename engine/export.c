/* SPDX-License-Identifier: MIT */
/* A stack as one document. */
#include "engine/export.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/deps.h"
#include "engine/export-internal.h"
#include "engine/kv.h"
#include "engine/output.h"
#include "engine/resource.h"
#include "engine/stack.h"
#include "engine/tag.h"

enum { EXPORT_JSON_FLAGS = JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY };

static const char RESOURCES[] = "resources";

const struct export_text export_texts[] = {
	{ "description", STACK_DESCRIPTION },
	{ "version", STACK_VERSION },
	{ "config", STACK_CONFIG },
	{ "values", STACK_VALUES },
	{ "workflow", STACK_WORKFLOW },
	{ NULL },
};

/* Where an export is put together. */
struct export
{
	struct engine *engine;
	struct caller *caller;
	const struct stack *stack;
	json_t *part;	   /* that is being filled */
	json_t *sensitive; /* names of outputs whose values stay here */
};

/* Workflows may be of any bytes. */
static json_t *base64_json(const struct buffer *text)
{
	size_t size = sodium_base64_ENCODED_LEN(text->size, sodium_base64_VARIANT_ORIGINAL);
	CLEANUP(cleanup_free) char *encoded = malloc(size);

	if (!encoded)
		return NULL;
	sodium_bin2base64(encoded, size, (const unsigned char *)buffer_text(text), text->size,
		sodium_base64_VARIANT_ORIGINAL);
	return json_string(encoded);
}

static int add_text(struct export *export, const struct export_text *row)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	char name[64];
	int r = stack_text(export->engine, export->stack->id, row->which, &text, NULL);

	if (r < 0)
		return r;
	if (text_is_utf8(buffer_text(&text), text.size))
		return json_object_set_new(
			export->part, row->name, json_stringn(buffer_text(&text), text.size));
	snprintf(name, sizeof(name), "%s" EXPORT_BASE64, row->name);
	return json_object_set_new(export->part, name, base64_json(&text));
}

static int add_output(void *userdata, const struct output *output)
{
	struct export *export = userdata;

	/* The value of a sensitive one is "<sensitive>" already. */
	if (output_sensitive(export->engine, output->id) &&
		json_array_append_new(export->sensitive, json_string(output->name)) < 0)
		return -ENOMEM;
	return json_object_set_new(
		export->part, output->name, json_loads(output->value, JSON_DECODE_ANY, NULL));
}

static int export_outputs(struct export *export)
{
	return output_each(export->engine, export->stack->id, add_output, export);
}

static int add_tag(void *userdata, const struct tag *tag)
{
	struct export *export = userdata;

	return json_array_append_new(export->part, json_string(tag->name));
}

static int export_tags(struct export *export)
{
	return tag_each(export->engine, export->stack->id, add_tag, export);
}

static int add_dep(void *userdata, const struct dep *dep)
{
	struct export *export = userdata;

	return json_array_append_new(
		export->part, json_pack("{s:s, s:s}", "name", dep->on, "requires", dep->requires));
}

static int export_depends(struct export *export)
{
	return deps_each(export->engine, export->caller, export->stack->id, add_dep, export);
}

static int add_key(void *userdata, const struct kv *kv, const char *value)
{
	struct export *export = userdata;
	json_t *key = json_pack("{s:o}", "value", json_loads(value, JSON_DECODE_ANY, NULL));

	if (key && kv->expires_ms)
		json_object_set_new(key, "expires_ms", json_integer(kv->expires_ms));
	return json_object_set_new(export->part, kv->name, key);
}

static int export_state(struct export *export)
{
	return kv_each(export->engine, (struct kv_scope){ .stack_id = export->stack->id }, add_key, export);
}

/* Resources may be many, and what is stored of them is JSON already: they are written as they are, a line
 * each, with their members in order. */
struct resource_lines {
	struct export *export;
	FILE *out;
	bool more;
};

static void write_json(FILE *out, const char *before, json_t *value)
{
	fputs(before, out);
	json_dumpf(value, out, EXPORT_JSON_FLAGS);
	json_decref(value);
}

static int add_need(void *userdata, const struct resource_edge *edge)
{
	if (!edge->is_explicit)
		return 0;
	return json_array_append_new(userdata, json_sprintf("%s/%s", edge->type, edge->name));
}

static int write_resource(void *userdata, const struct resource *resource)
{
	struct resource_lines *lines = userdata;
	FILE *out = lines->out;
	json_t *needs = json_array();
	int r = resource_dependency_each(lines->export->engine, resource->id, add_need, needs);

	fprintf(out, "%s{\"actual\":%s,\"applied\":%s", lines->more ? ",\n" : "",
		*resource->actual ? resource->actual : "null",
		*resource->applied ? resource->applied : "null");
	lines->more = true;
	write_json(out, ",\"dependencies\":", needs);
	write_json(out, ",\"error\":", json_string(resource->error));
	fprintf(out, ",\"last_applied_ms\":%" PRId64, resource->applied_ms);
	write_json(out, ",\"module\":", json_string(resource->module));
	write_json(out, ",\"name\":", json_string(resource->name));
	fprintf(out, ",\"properties\":%s,\"protect\":%s,\"status\":\"%s\",\"type\":\"%s\"}",
		resource->desired, resource->protect ? "true" : "false", resource->status, resource->type);
	return r;
}

static int write_resources(struct export *export, FILE *out)
{
	struct resource_lines lines = { .export = export, .out = out };
	int r;

	fputc('[', out);
	r = resource_each(export->engine, export->stack->id, NULL, write_resource, &lines);
	fputc(']', out);
	return r;
}

static const struct {
	const char *name;
	bool list;
	int (*fill)(struct export *export);
} parts[] = {
	{ "outputs", false, export_outputs },
	{ "tags", true, export_tags },
	{ "depends", true, export_depends },
	{ "state", false, export_state },
};

static int fill_parts(struct export *export, json_t *document)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		export->part = parts[i].list ? json_array() : json_object();
		if (json_object_set_new(document, parts[i].name, export->part) < 0)
			return -ENOMEM;
		r = parts[i].fill(export);
	}
	export->part = document;
	for (const struct export_text *row = export_texts; r == 0 && row->name; row++)
		r = add_text(export, row);
	return r == -1 ? -ENOMEM : r; /* -1: jansson's */
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A member a line, in order. */
static int write_members(struct export *export, json_t *document, FILE *out)
{
	const char *names[32], *name;
	size_t count = 0;
	json_t *value;
	int r = 0;

	json_object_foreach (document, name, value)
		if (count < sizeof(names) / sizeof(names[0]))
			names[count++] = name;
	qsort(names, count, sizeof(names[0]), by_name);
	for (size_t i = 0; r == 0 && i < count; i++) {
		fprintf(out, "%s\"%s\":", i ? ",\n" : "{", names[i]);
		if (!strcmp(names[i], RESOURCES))
			r = write_resources(export, out);
		else
			json_dumpf(json_object_get(document, names[i]), out, EXPORT_JSON_FLAGS);
	}
	fputs("}\n", out);
	return r;
}

int stack_export(struct engine *engine, struct caller *caller, int64_t stack_id, FILE *out)
{
	struct stack stack;
	struct export export = { .engine = engine, .caller = caller, .stack = &stack };
	json_auto_t *document = NULL;
	char mode[16];
	int r = stack_get(engine, stack_id, &stack);

	if (r < 0)
		return r;
	snprintf(mode, sizeof(mode), "%04o", (unsigned)stack.mode);
	document = json_pack("{s:s, s:i, s:s, s:s, s:[], s:n}", "format", EXPORT_FORMAT, "format_version",
		EXPORT_VERSION, "name", stack.name, "mode", mode, "sensitive", RESOURCES);
	if (!document)
		return -ENOMEM;
	export.sensitive = json_object_get(document, "sensitive");
	r = fill_parts(&export, document);
	return r < 0 ? r : write_members(&export, document, out);
}
