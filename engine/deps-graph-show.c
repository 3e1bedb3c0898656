/* SPDX-License-Identifier: MIT */
/* The files of graph/: all dependencies, the order in which to go, the cycles; as far as the reader may see
 * them. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/deps-graph.h"
#include "engine/deps.h"
#include "engine/graph.h"

enum { CYCLES_MAX = 100 };

/* What one caller sees of the whole. */
struct part {
	const struct deps_graph *whole;
	bool *seen; /* by node: whether its own dependencies and version are */
	int *links; /* by the number of an edge */
	struct graph graph;
};

static void part_done(struct part *part)
{
	free(part->seen);
	free(part->links);
	graph_done(&part->graph);
}

static int part_join(struct part *part)
{
	const struct deps_graph *whole = part->whole;
	CLEANUP(cleanup_free)
	struct graph_edge *edges = calloc(whole->link_count + 1, sizeof(*edges));
	size_t count = 0;

	part->links = calloc(whole->link_count + 1, sizeof(*part->links));
	if (!edges || !part->links)
		return -ENOMEM;
	for (size_t i = 0; i < whole->link_count; i++)
		if (part->seen[whole->links[i].from]) {
			part->links[count] = (int)i;
			edges[count++] = (struct graph_edge){ whole->links[i].from, whole->links[i].to };
		}
	return graph_init(&part->graph, whole->count, edges, count);
}

static int part_get(struct engine *engine, struct caller *caller, struct part *ret_part)
{
	struct part part = { 0 };
	int r = deps_graph_get(engine, &part.whole);

	if (r < 0)
		return r;
	part.seen = calloc(part.whole->count + 1, sizeof(*part.seen));
	if (!part.seen)
		return -ENOMEM;
	for (size_t i = 0; i < part.whole->count; i++)
		part.seen[i] = deps_graph_sees(caller, &part.whole->nodes[i]);
	r = part_join(&part);
	if (r < 0)
		part_done(&part);
	else
		*ret_part = part;
	return r;
}

/* Names and constraints need no escapes; versions may. */
static void write_text(const char *text, FILE *out)
{
	json_auto_t *value = NULL;

	if (strspn(text, "0123456789.vrcabeht-+") == strlen(text)) {
		fprintf(out, "\"%s\"", text);
		return;
	}
	value = json_string(text);
	if (!value || json_dumpf(value, out, JSON_ENCODE_ANY) < 0)
		fputs("\"\"", out);
}

static void write_depends(const struct part *part, size_t node, FILE *out)
{
	const struct deps_graph *whole = part->whole;

	if (part->graph.first[node] == part->graph.first[node + 1])
		return;
	fputs("\"depends\":{", out);
	for (size_t i = part->graph.first[node]; i < part->graph.first[node + 1]; i++)
		fprintf(out, "%s\"%s\":\"%s\"", i > part->graph.first[node] ? "," : "",
			whole->nodes[part->graph.to[i]].name,
			whole->links[part->links[part->graph.number[i]]].requires);
	fputs("},", out);
}

static void write_problem(const struct part *part, size_t edge, bool first, FILE *out)
{
	const struct deps_link *link = &part->whole->links[part->links[part->graph.number[edge]]];
	const struct deps_node *on = &part->whole->nodes[link->to];
	struct dep dep = { .state = on->id ? DEPS_UNMET : DEPS_MISSING, .visible = part->seen[link->to] };
	char text[NAME_SIZE + CONSTRAINT_SIZE + DEPS_VERSION_SIZE + 64];

	snprintf(dep.on, sizeof(dep.on), "%s", on->name);
	snprintf(dep.requires, sizeof(dep.requires), "%s", link->requires);
	snprintf(dep.version, sizeof(dep.version), "%s", on->version);
	deps_problem(&dep, text, sizeof(text));
	fprintf(out, "%s\"%s\":", first ? "\"problems\":{" : ",", on->name);
	write_text(text, out);
}

static void write_problems(const struct part *part, size_t node, FILE *out)
{
	bool first = true;

	for (size_t i = part->graph.first[node]; i < part->graph.first[node + 1]; i++) {
		const struct deps_link *link = &part->whole->links[part->links[part->graph.number[i]]];

		if (!link->unmet && part->whole->nodes[link->to].id)
			continue;
		write_problem(part, i, first, out);
		first = false;
	}
	if (!first)
		fputs("},", out);
}

/* Sorted keys, by hand: a tree of values of the whole would take longer than all the rest. */
int deps_graph_show_json(struct engine *engine, struct caller *caller, FILE *out)
{
	CLEANUP(part_done) struct part part = { 0 };
	int r = part_get(engine, caller, &part);

	if (r < 0)
		return r;
	fputc('{', out);
	for (size_t i = 0; i < part.whole->count; i++) {
		const struct deps_node *node = &part.whole->nodes[i];

		fprintf(out, "%s\n\"%s\":{", i ? "," : "", node->name);
		write_depends(&part, i, out);
		fprintf(out, "\"missing\":%s", node->id ? "false," : "true,");
		write_problems(&part, i, out);
		fprintf(out, "\"run_ms\":%lld,\"version\":", part.seen[i] ? (long long)node->run_ms : 0);
		write_text(part.seen[i] ? node->version : "", out);
		fputc('}', out);
	}
	fputs("\n}\n", out);
	return 0;
}

int deps_graph_show_order(struct engine *engine, struct caller *caller, FILE *out)
{
	CLEANUP(cleanup_free) int *level = NULL;
	CLEANUP(cleanup_free) size_t *place = NULL;
	CLEANUP(cleanup_free) int *order = NULL;
	CLEANUP(part_done) struct part part = { 0 };
	int levels, r = part_get(engine, caller, &part);

	if (r < 0)
		return r;
	level = calloc(part.whole->count + 1, sizeof(*level));
	place = calloc(part.whole->count + 3, sizeof(*place));
	order = calloc(part.whole->count + 1, sizeof(*order));
	levels = level && place && order ? graph_levels(&part.graph, level) : -ENOMEM;
	if (levels < 0)
		return levels;
	/* By level, and within each by name, which is the order that they are in. Those that cannot go, whose
	 * level is -1, come last. */
	for (size_t i = 0; i < part.whole->count; i++)
		place[(level[i] < 0 ? levels : level[i]) + 1]++;
	for (int i = 0; i <= levels; i++)
		place[i + 1] += place[i];
	for (size_t i = 0; i < part.whole->count; i++)
		order[place[level[i] < 0 ? levels : level[i]]++] = (int)i;
	for (size_t i = 0; i < part.whole->count; i++) {
		const struct deps_node *node = &part.whole->nodes[order[i]];

		if (!node->id)
			continue;
		if (level[order[i]] < 0)
			fprintf(out, "-  %s\n", node->name);
		else
			fprintf(out, "%d  %s\n", level[order[i]] + 1, node->name);
	}
	return 0;
}

struct cycles {
	const struct part *part;
	FILE *out;
	json_t *list;
};

static int each_cycle(struct engine *engine, struct caller *caller, struct cycles *cycles,
	int (*each)(void *userdata, const struct graph_cycle *cycle))
{
	CLEANUP(part_done) struct part part = { 0 };
	CLEANUP(cleanup_free) int64_t *age = NULL;
	int r = part_get(engine, caller, &part);

	if (r < 0)
		return r;
	age = calloc(part.graph.edge_count + 1, sizeof(*age));
	if (!age)
		return -ENOMEM;
	for (size_t i = 0; i < part.graph.edge_count; i++)
		age[i] = part.whole->links[part.links[i]].id;
	cycles->part = &part;
	return graph_cycles(&part.graph, age, CYCLES_MAX, each, cycles);
}

static const char *cycle_name(const struct cycles *cycles, const struct graph_cycle *cycle, size_t i)
{
	return cycles->part->whole->nodes[cycle->nodes[i % cycle->count]].name;
}

static int print_cycle(void *userdata, const struct graph_cycle *cycle)
{
	const struct cycles *cycles = userdata;

	for (size_t i = 0; i <= cycle->count; i++)
		fprintf(cycles->out, "%s%s", i ? " → " : "", cycle_name(cycles, cycle, i));
	fprintf(cycles->out, "  cut %s → %s\n", cycle_name(cycles, cycle, cycle->cut),
		cycle_name(cycles, cycle, cycle->cut + 1));
	return 0;
}

int deps_graph_show_cycles(struct engine *engine, struct caller *caller, FILE *out)
{
	struct cycles cycles = { .out = out };

	return each_cycle(engine, caller, &cycles, print_cycle);
}

static int add_cycle(void *userdata, const struct graph_cycle *cycle)
{
	const struct cycles *cycles = userdata;
	json_t *names = json_array();

	for (size_t i = 0; i < cycle->count; i++)
		json_array_append_new(names, json_string(cycle_name(cycles, cycle, i)));
	return json_array_append_new(
		       cycles->list, json_pack("{s:[ss], s:o}", "cut", cycle_name(cycles, cycle, cycle->cut),
					     cycle_name(cycles, cycle, cycle->cut + 1), "stacks", names)) < 0
		       ? -ENOMEM
		       : 0;
}

int deps_graph_show_cycles_json(struct engine *engine, struct caller *caller, FILE *out)
{
	json_auto_t *list = json_array();
	struct cycles cycles = { .list = list };
	int r = each_cycle(engine, caller, &cycles, add_cycle);

	if (r == 0 && json_dumpf(list, out, JSON_SORT_KEYS | JSON_INDENT(2)) < 0)
		r = -EIO;
	if (r == 0)
		fputc('\n', out);
	return r;
}
