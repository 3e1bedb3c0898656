/* SPDX-License-Identifier: MIT */
/* Resources as JSON. The states are canonical JSON already: an object is put together without reading them.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/resource-internal.h"

static void write_text(FILE *out, const char *text)
{
	json_auto_t *value = json_string(text);

	json_dumpf(value, out, JSON_ENCODE_ANY);
}

static void write_time(FILE *out, int64_t ms)
{
	char text[32];

	if (ms)
		fprintf(out, "\"%s\"", time_format(ms, text));
	else
		fputs("null", out);
}

struct edge_list {
	FILE *out;
	bool is_explicit, more;
};

static int write_edge(void *userdata, const struct resource_edge *edge)
{
	struct edge_list *list = userdata;
	json_auto_t *text = NULL;

	if (edge->is_explicit != list->is_explicit)
		return 0;
	text = json_sprintf("%s/%s", edge->type, edge->name);
	if (list->more)
		fputc(',', list->out);
	list->more = true;
	json_dumpf(text, list->out, JSON_ENCODE_ANY);
	return 0;
}

static void write_edges(struct engine *engine, const struct resource *resource, bool is_explicit, FILE *out)
{
	struct edge_list list = { .out = out, .is_explicit = is_explicit };

	fputc('[', out);
	resource_dependency_each(engine, resource->id, write_edge, &list);
	fputc(']', out);
}

void resource_write_json(struct engine *engine, const struct resource *resource, bool states, FILE *out)
{
	fprintf(out, "{\"action\":\"%s\",", resource->action);
	if (states)
		fprintf(out, "\"actual\":%s,\"applied\":%s,", *resource->actual ? resource->actual : "null",
			*resource->applied ? resource->applied : "null");
	fprintf(out, "\"checksum\":\"%s\",\"created\":", resource->checksum);
	write_time(out, resource->created_ms);
	fputs(",\"dependencies\":", out);
	write_edges(engine, resource, true, out);
	fputs(",\"error\":", out);
	write_text(out, resource->error);
	fputs(",\"implicit\":", out);
	write_edges(engine, resource, false, out);
	fputs(",\"last_applied\":", out);
	write_time(out, resource->applied_ms);
	fputs(",\"module\":", out);
	write_text(out, resource->module);
	fputs(",\"name\":", out);
	write_text(out, resource->name);
	fputs(",\"path\":", out);
	fprintf(out, "\"%s/%s\",\"properties\":%s,\"protect\":%s,\"run\":", resource->type, resource->entry,
		resource->desired, resource->protect ? "true" : "false");
	if (resource->run_id)
		fprintf(out, "%" PRId64, resource->run_id);
	else
		fputs("null", out);
	fprintf(out, ",\"status\":\"%s\",\"type\":\"%s\",\"updated\":", resource->status, resource->type);
	write_time(out, resource->updated_ms);
	fputc('}', out);
}

struct resource_list {
	struct engine *engine;
	FILE *out;
	bool more;
};

static int write_member(void *userdata, const struct resource *resource)
{
	struct resource_list *list = userdata;

	fputs(list->more ? ",\n" : "", list->out);
	list->more = true;
	resource_write_json(list->engine, resource, false, list->out);
	return 0;
}

int resource_write_list(struct engine *engine, int64_t stack_id, FILE *out)
{
	struct resource_list list = { .engine = engine, .out = out };
	int r;

	fputc('[', out);
	r = resource_each(engine, stack_id, NULL, write_member, &list);
	fputs("]\n", out);
	return r;
}
