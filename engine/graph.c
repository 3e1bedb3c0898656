/* SPDX-License-Identifier: MIT */
/* Graphs of who needs whom: levels, reach, the longest way. Cycles are graph-cycle.c's. */
#include "engine/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

int graph_init(struct graph *graph, size_t count, const struct graph_edge *edges, size_t edge_count)
{
	*graph = (struct graph){
		.count = count,
		.edge_count = edge_count,
		.first = calloc(count + 2, sizeof(*graph->first)),
		.to = calloc(edge_count + 1, sizeof(*graph->to)),
		.number = calloc(edge_count + 1, sizeof(*graph->number)),
	};
	if (!graph->first || !graph->to || !graph->number) {
		graph_done(graph);
		return -ENOMEM;
	}
	/* One place further than they will stand: filling moves each to its own. */
	for (size_t i = 0; i < edge_count; i++)
		graph->first[edges[i].from + 2]++;
	for (size_t i = 2; i < count + 2; i++)
		graph->first[i] += graph->first[i - 1];
	for (size_t i = 0; i < edge_count; i++) {
		size_t place = graph->first[edges[i].from + 1]++;

		graph->to[place] = edges[i].to;
		graph->number[place] = (int)i;
	}
	return 0;
}

void graph_done(struct graph *graph)
{
	free(graph->first);
	free(graph->to);
	free(graph->number);
	*graph = (struct graph){ 0 };
}

/* The same with all edges turned round. */
static int reverse(const struct graph *graph, struct graph *ret_reversed)
{
	CLEANUP(cleanup_free)
	struct graph_edge *edges = calloc(graph->edge_count + 1, sizeof(*edges));

	if (!edges)
		return -ENOMEM;
	for (size_t node = 0; node < graph->count; node++)
		for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++)
			edges[i] = (struct graph_edge){ graph->to[i], (int)node };
	return graph_init(ret_reversed, graph->count, edges, graph->edge_count);
}

/* Nodes after all that they need; those in cycles and behind them are missing. How many, or -ENOMEM. */
static int sort(const struct graph *graph, int *ret_order)
{
	CLEANUP(graph_done) struct graph needed_by = { 0 };
	CLEANUP(cleanup_free) size_t *open = calloc(graph->count + 1, sizeof(*open));
	size_t count = 0;

	if (!open || reverse(graph, &needed_by) < 0)
		return -ENOMEM;
	for (size_t node = 0; node < graph->count; node++) {
		open[node] = graph->first[node + 1] - graph->first[node];
		if (!open[node])
			ret_order[count++] = (int)node;
	}
	for (size_t done = 0; done < count; done++) {
		int node = ret_order[done];

		for (size_t i = needed_by.first[node]; i < needed_by.first[node + 1]; i++)
			if (--open[needed_by.to[i]] == 0)
				ret_order[count++] = needed_by.to[i];
	}
	return (int)count;
}

int graph_levels(const struct graph *graph, int *ret_level)
{
	CLEANUP(cleanup_free) int *order = calloc(graph->count + 1, sizeof(*order));
	int levels = 0, count = order ? sort(graph, order) : -ENOMEM;

	if (count < 0)
		return count;
	for (size_t node = 0; node < graph->count; node++)
		ret_level[node] = -1;
	for (int n = 0; n < count; n++) {
		int node = order[n], level = 0;

		for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++)
			if (ret_level[graph->to[i]] >= level)
				level = ret_level[graph->to[i]] + 1;
		ret_level[node] = level;
		if (level >= levels)
			levels = level + 1;
	}
	return levels;
}

int graph_reach(const struct graph *graph, const int *starts, size_t start_count, int *ret_before)
{
	CLEANUP(cleanup_free) int *queue = calloc(graph->count + 1, sizeof(*queue));
	size_t count = 0;

	if (!queue)
		return -ENOMEM;
	for (size_t node = 0; node < graph->count; node++)
		ret_before[node] = -1;
	for (size_t i = 0; i < start_count; i++)
		if (ret_before[starts[i]] < 0) {
			ret_before[starts[i]] = starts[i];
			queue[count++] = starts[i];
		}
	for (size_t done = 0; done < count; done++) {
		int node = queue[done];

		for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++)
			if (ret_before[graph->to[i]] < 0) {
				ret_before[graph->to[i]] = node;
				queue[count++] = graph->to[i];
			}
	}
	return 0;
}

int64_t graph_finish(const struct graph *graph, const int64_t *cost, int64_t *ret_end)
{
	CLEANUP(cleanup_free) int *order = calloc(graph->count + 1, sizeof(*order));
	int count = order ? sort(graph, order) : -ENOMEM;
	int64_t last = 0;

	if (count < 0)
		return count;
	memset(ret_end, 0, graph->count * sizeof(*ret_end));
	for (int n = 0; n < count; n++) {
		int node = order[n];

		for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++)
			if (ret_end[graph->to[i]] > ret_end[node])
				ret_end[node] = ret_end[graph->to[i]];
		ret_end[node] += cost[node];
		if (ret_end[node] > last)
			last = ret_end[node];
	}
	return last;
}
