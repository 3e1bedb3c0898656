/* SPDX-License-Identifier: MIT */
/* Resources as JSON. The states are canonical JSON already: an object is put together without reading them.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
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

/* Both kinds come from one query, and stand in two places of the object. */
struct edge_lists {
	struct buffer text[2]; /* implicit, explicit: members of a list, without its brackets */
};

static void edge_lists_done(struct edge_lists *lists)
{
	buffer_done(&lists->text[0]);
	buffer_done(&lists->text[1]);
}

static int add_edge(void *userdata, const struct resource_edge *edge)
{
	struct edge_lists *lists = userdata;
	struct buffer *text = &lists->text[edge->is_explicit];
	json_auto_t *value = json_sprintf("%s/%s", edge->type, edge->name);
	CLEANUP(cleanup_free) char *quoted = json_dumps(value, JSON_ENCODE_ANY);
	int r = text->size ? buffer_append_text(text, ",") : 0;

	if (r == 0)
		r = quoted ? buffer_append_text(text, quoted) : -ENOMEM;
	return r;
}

void resource_write_json(struct engine *engine, const struct resource *resource, bool states, FILE *out)
{
	CLEANUP(edge_lists_done) struct edge_lists edges = { 0 };

	resource_dependency_each(engine, resource->id, add_edge, &edges);
	fprintf(out, "{\"action\":\"%s\",", resource->action);
	if (states)
		fprintf(out, "\"actual\":%s,\"applied\":%s,", *resource->actual ? resource->actual : "null",
			*resource->applied ? resource->applied : "null");
	fprintf(out, "\"checksum\":\"%s\",\"created\":", resource->checksum);
	write_time(out, resource->created_ms);
	fprintf(out, ",\"dependencies\":[%s],\"error\":", buffer_text(&edges.text[true]));
	write_text(out, resource->error);
	fprintf(out, ",\"implicit\":[%s],\"last_applied\":", buffer_text(&edges.text[false]));
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
