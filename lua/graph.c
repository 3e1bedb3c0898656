/* SPDX-License-Identifier: MIT */
/* The graph of tasks. */
#include "lua/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct step {
	int node;
	size_t next; /* of its dependencies */
};

int graph_find_cycle(const struct graph_node *nodes, size_t count, int *ret_path)
{
	/* 0: new; 1: on the path; 2: done */
	CLEANUP(cleanup_free) char *seen = calloc(count + 1, 1);
	CLEANUP(cleanup_free) struct step *path = calloc(count + 1, sizeof(*path));

	if (!seen || !path)
		return -ENOMEM;
	for (size_t start = 0; start < count; start++) {
		size_t depth = 0;

		if (seen[start])
			continue;
		path[depth++] = (struct step){ .node = (int)start };
		seen[start] = 1;
		while (depth) {
			struct step *step = &path[depth - 1];
			const struct graph_node *node = &nodes[step->node];
			int next;

			if (step->next == node->depends_count) {
				seen[step->node] = 2;
				depth--;
				continue;
			}
			next = node->depends[step->next++];
			if (seen[next] == 1) {
				size_t first = 0, n = 0;

				while (path[first].node != next)
					first++;
				while (first < depth)
					ret_path[n++] = path[first++].node;
				return (int)n;
			}
			if (seen[next] == 0) {
				seen[next] = 1;
				path[depth++] = (struct step){ .node = next };
			}
		}
	}
	return 0;
}

struct place {
	int node, priority, length;
};

static int place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? 1 : -1;
	if (x->length != y->length)
		return x->length < y->length ? 1 : -1;
	return (x->node > y->node) - (x->node < y->node);
}

int graph_sort(const struct graph_node *nodes, size_t count, int *ret_order)
{
	CLEANUP(cleanup_free) size_t *next = calloc(count + 1, sizeof(*next));
	CLEANUP(cleanup_free) char *seen = calloc(count + 1, 1);
	CLEANUP(cleanup_free) int *path = calloc(count + 1, sizeof(*path));
	size_t n = 0;

	if (!next || !seen || !path)
		return -ENOMEM;
	for (size_t start = 0; start < count; start++) {
		size_t depth = 0;

		if (seen[start])
			continue;
		seen[start] = 1;
		path[depth++] = (int)start;
		while (depth) {
			int node = path[depth - 1];

			if (next[node] == nodes[node].depends_count) {
				ret_order[n++] = node;
				depth--;
			} else {
				int below = nodes[node].depends[next[node]++];

				if (seen[below])
					continue;
				seen[below] = 1;
				path[depth++] = below;
			}
		}
	}
	return 0;
}

int graph_levels(const struct graph_node *nodes, size_t count, int *ret_level)
{
	CLEANUP(cleanup_free) int *order = calloc(count + 1, sizeof(*order));

	if (!order || graph_sort(nodes, count, order) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct graph_node *node = &nodes[order[i]];
		int level = 0;

		for (size_t j = 0; j < node->depends_count; j++)
			if (ret_level[node->depends[j]] > level)
				level = ret_level[node->depends[j]];
		ret_level[order[i]] = level + 1;
	}
	return 0;
}

int graph_rank(const struct graph_node *nodes, size_t count, int *ret_rank)
{
	CLEANUP(cleanup_free) struct place *places = calloc(count + 1, sizeof(*places));
	CLEANUP(cleanup_free) int *order = calloc(count + 1, sizeof(*order));

	if (!places || !order || graph_sort(nodes, count, order) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		places[i] = (struct place){ .node = (int)i, .priority = nodes[i].priority };
	/* Dependents come first in this direction, so their lengths are known. */
	for (size_t i = count; i-- > 0;) {
		const struct graph_node *node = &nodes[order[i]];

		for (size_t j = 0; j < node->depends_count; j++) {
			struct place *below = &places[node->depends[j]];

			if (below->length < places[order[i]].length + 1)
				below->length = places[order[i]].length + 1;
		}
	}
	qsort(places, count, sizeof(*places), place_compare);
	for (size_t i = 0; i < count; i++)
		ret_rank[places[i].node] = (int)i;
	return 0;
}

int graph_queue_init(struct graph_queue *queue, const int *rank, size_t count)
{
	*queue = (struct graph_queue){ .rank = rank, .nodes = calloc(count + 1, sizeof(int)) };
	return queue->nodes ? 0 : -ENOMEM;
}

void graph_queue_done(struct graph_queue *queue)
{
	free(queue->nodes);
	*queue = (struct graph_queue){ 0 };
}

static bool before(const struct graph_queue *queue, size_t a, size_t b)
{
	return queue->rank[queue->nodes[a]] < queue->rank[queue->nodes[b]];
}

static void swap(struct graph_queue *queue, size_t a, size_t b)
{
	int node = queue->nodes[a];

	queue->nodes[a] = queue->nodes[b];
	queue->nodes[b] = node;
}

void graph_queue_push(struct graph_queue *queue, int node)
{
	size_t i = queue->count++;

	queue->nodes[i] = node;
	for (; i && before(queue, i, (i - 1) / 2); i = (i - 1) / 2)
		swap(queue, i, (i - 1) / 2);
}

int graph_queue_pop(struct graph_queue *queue)
{
	size_t i = 0, child;
	int node;

	if (!queue->count)
		return -1;
	node = queue->nodes[0];
	queue->nodes[0] = queue->nodes[--queue->count];
	while ((child = 2 * i + 1) < queue->count) {
		if (child + 1 < queue->count && before(queue, child + 1, child))
			child++;
		if (!before(queue, child, i))
			break;
		swap(queue, i, child);
		i = child;
	}
	return node;
}
