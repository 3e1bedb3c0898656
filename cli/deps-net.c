/* SPDX-License-Identifier: MIT */
/* All stacks and their dependencies, as numbers; and parts of that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/deps.h"
#include "cli/print.h"

void net_done(struct net *net)
{
	graph_done(&net->graph);
	free(net->names);
	free(net->stacks);
	free(net->requires);
	json_decref(net->value);
	*net = (struct net){ 0 };
}

static int compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

int net_find(const struct net *net, const char *name)
{
	const char **found = bsearch(&name, net->names, net->count, sizeof(*net->names), compare_names);

	return found ? (int)(found - net->names) : -1;
}

/* In the order of names, which is how the file has them. */
static int load_nodes(struct net *net)
{
	const char *name;
	json_t *stack;

	net->names = calloc(json_object_size(net->value) + 1, sizeof(*net->names));
	net->stacks = calloc(json_object_size(net->value) + 1, sizeof(*net->stacks));
	if (!net->names || !net->stacks)
		return -ENOMEM;
	json_object_foreach (net->value, name, stack) {
		if (net->count && strcmp(net->names[net->count - 1], name) >= 0)
			return -EPROTO;
		net->names[net->count] = name;
		net->stacks[net->count++] = stack;
	}
	return 0;
}

static int load_edges(struct net *net)
{
	CLEANUP(cleanup_free) struct graph_edge *edges = NULL;
	size_t size = 0, count = 0;
	const char *name;
	json_t *requires;

	for (size_t i = 0; i < net->count; i++)
		size += json_object_size(json_object_get(net->stacks[i], "depends"));
	edges = calloc(size + 1, sizeof(*edges));
	net->requires = calloc(size + 1, sizeof(*net->requires));
	if (!edges || !net->requires)
		return -ENOMEM;
	for (size_t i = 0; i < net->count; i++)
		json_object_foreach (json_object_get(net->stacks[i], "depends"), name, requires) {
			int to = net_find(net, name);

			if (to < 0)
				return -EPROTO;
			net->requires[count] = json_is_string(requires) ? json_string_value(requires) : "";
			edges[count++] = (struct graph_edge){ (int)i, to };
		}
	return graph_init(&net->graph, net->count, edges, count);
}

int net_load(struct command *command, struct net *ret_net)
{
	struct net net = { 0 };
	int r = tree_json(command, "/graph/graph.json", &net.value);

	if (r < 0)
		return r;
	r = load_nodes(&net);
	r = r < 0 ? r : load_edges(&net);
	if (r < 0) {
		net_done(&net);
		return fault_set(&command->fault, -r,
			r == -EPROTO ? "the daemon's graph.json is not what this program knows"
				     : "no memory");
	}
	*ret_net = net;
	return 0;
}

bool net_missing(const struct net *net, int node)
{
	return json_is_true(json_object_get(net->stacks[node], "missing"));
}

int64_t net_run_ms(const struct net *net, int node)
{
	return json_integer_value(json_object_get(net->stacks[node], "run_ms"));
}

int net_find_stack(struct command *command, const struct net *net, const char *name, int *ret_node)
{
	int node = net_find(net, name);

	if (node < 0 || net_missing(net, node))
		return fault_set(&command->fault, ENOENT, "there is no stack \"%s\"", name);
	*ret_node = node;
	return 0;
}

void part_done(struct part *part)
{
	graph_done(&part->graph);
	free(part->nodes);
	free(part->requires);
	*part = (struct part){ 0 };
}

static int part_join(struct part *part, const bool *taken, const int *number)
{
	const struct graph *whole = &part->net->graph;
	CLEANUP(cleanup_free)
	struct graph_edge *edges = calloc(whole->edge_count + 1, sizeof(*edges));
	size_t count = 0;

	part->requires = calloc(whole->edge_count + 1, sizeof(*part->requires));
	if (!edges || !part->requires)
		return -ENOMEM;
	for (size_t n = 0; n < part->count; n++) {
		int node = part->nodes[n];

		for (size_t i = whole->first[node]; i < whole->first[node + 1]; i++)
			if (taken[whole->to[i]]) {
				part->requires[count] = part->net->requires[whole->number[i]];
				edges[count++] = (struct graph_edge){ (int)n, number[whole->to[i]] };
			}
	}
	return graph_init(&part->graph, part->count, edges, count);
}

int part_init(struct part *part, const struct net *net, const bool *taken)
{
	CLEANUP(cleanup_free) int *number = calloc(net->count + 1, sizeof(*number));
	int r = -ENOMEM;

	*part = (struct part){ .net = net, .nodes = calloc(net->count + 1, sizeof(*part->nodes)) };
	for (size_t i = 0; part->nodes && number && i < net->count; i++)
		if (taken[i]) {
			number[i] = (int)part->count;
			part->nodes[part->count++] = (int)i;
		}
	if (part->nodes && number)
		r = part_join(part, taken, number);
	if (r < 0)
		part_done(part);
	return r;
}

const char *part_name(const struct part *part, int node)
{
	return part->net->names[part->nodes[node]];
}

struct cycle_text {
	const struct part *part;
	char *text;
};

static int write_cycle(void *userdata, const struct graph_cycle *cycle)
{
	struct cycle_text *text = userdata;
	size_t size;
	FILE *out = open_memstream(&text->text, &size);

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i <= cycle->count; i++)
		fprintf(out, "%s%s", i ? " → " : "", part_name(text->part, cycle->nodes[i % cycle->count]));
	fclose(out);
	return 0;
}

char *part_cycle(const struct part *part)
{
	CLEANUP(cleanup_free) int64_t *age = calloc(part->graph.edge_count + 1, sizeof(*age));
	struct cycle_text text = { .part = part };

	if (age)
		graph_cycles(&part->graph, age, 1, write_cycle, &text);
	return text.text;
}
