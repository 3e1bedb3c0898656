/* SPDX-License-Identifier: MIT */
/* Cycles of a graph: knots (strongly connected components, after Tarjan, with a stack of our own), and in
 * each a short cycle; its newest edge is taken away, and what is left is looked at again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/graph.h"

/* Searches for a short cycle begin at so many nodes of a knot: all of small ones. */
enum { STARTS_MAX = 32 };

struct frame {
	int node;
	size_t next; /* of its edges */
};

struct knots {
	const struct graph *graph;
	const bool *gone; /* by the number of the edge */
	int *index;	  /* of the visit, from 1; 0: not visited */
	int *low;
	int *knot; /* by node, from 0; -1: not known yet */
	int *stack;
	struct frame *frames;
	size_t stacked, depth;
	int visits, count;
};

static void knots_done(struct knots *knots)
{
	free(knots->index);
	free(knots->low);
	free(knots->knot);
	free(knots->stack);
	free(knots->frames);
}

static int knots_init(struct knots *knots, const struct graph *graph, const bool *gone)
{
	size_t n = graph->count + 1;

	*knots = (struct knots){
		.graph = graph,
		.gone = gone,
		.index = calloc(n, sizeof(int)),
		.low = calloc(n, sizeof(int)),
		.knot = calloc(n, sizeof(int)),
		.stack = calloc(n, sizeof(int)),
		.frames = calloc(n, sizeof(struct frame)),
	};
	if (!knots->index || !knots->low || !knots->knot || !knots->stack || !knots->frames)
		return -ENOMEM;
	memset(knots->knot, -1, n * sizeof(int));
	return 0;
}

static void enter(struct knots *knots, int node)
{
	knots->index[node] = knots->low[node] = ++knots->visits;
	knots->stack[knots->stacked++] = node;
	knots->frames[knots->depth++] = (struct frame){ node, knots->graph->first[node] };
}

/* All edges of the node were followed: it is the root of a knot, or belongs to that of who came to it. */
static void leave(struct knots *knots, int node)
{
	knots->depth--;
	if (knots->low[node] == knots->index[node]) {
		int member;

		do {
			member = knots->stack[--knots->stacked];
			knots->knot[member] = knots->count;
		} while (member != node);
		knots->count++;
	}
	if (knots->depth) {
		int before = knots->frames[knots->depth - 1].node;

		if (knots->low[node] < knots->low[before])
			knots->low[before] = knots->low[node];
	}
}

static void step(struct knots *knots)
{
	const struct graph *graph = knots->graph;
	struct frame *frame = &knots->frames[knots->depth - 1];
	int node = frame->node, to;
	size_t edge = frame->next;

	if (edge == graph->first[node + 1]) {
		leave(knots, node);
		return;
	}
	frame->next++;
	to = graph->to[edge];
	if (knots->gone[graph->number[edge]])
		return;
	if (!knots->index[to])
		enter(knots, to);
	else if (knots->knot[to] < 0 && knots->index[to] < knots->low[node])
		knots->low[node] = knots->index[to];
}

static void knots_find(struct knots *knots)
{
	for (size_t node = 0; node < knots->graph->count; node++) {
		if (knots->index[node])
			continue;
		enter(knots, (int)node);
		while (knots->depth)
			step(knots);
	}
}

/* The nodes of one knot that a search goes through: arrays that are used again and again. */
struct hunt {
	const struct knots *knots;
	int *before; /* by node, -1: not reached */
	int *queue;
	size_t reached;
	int *best, *path; /* nodes of the shortest cycle so far, and of another */
	size_t best_count;
};

/* The cycle that ends with the edge from `last` back to where the search began. */
static void take(struct hunt *hunt, int start, int last)
{
	size_t n = 0;

	for (int node = last;; node = hunt->before[node]) {
		hunt->path[n++] = node;
		if (node == start)
			break;
	}
	if (hunt->best_count && n >= hunt->best_count)
		return;
	for (size_t i = 0; i < n; i++)
		hunt->best[i] = hunt->path[n - 1 - i];
	hunt->best_count = n;
}

/* The shortest cycle through one node. */
static void hunt_from(struct hunt *hunt, int start)
{
	const struct knots *knots = hunt->knots;
	const struct graph *graph = knots->graph;
	bool found = false;

	hunt->reached = 0;
	hunt->queue[hunt->reached++] = start;
	hunt->before[start] = start;
	for (size_t done = 0; done < hunt->reached && !found; done++) {
		int node = hunt->queue[done];

		for (size_t i = graph->first[node]; i < graph->first[node + 1] && !found; i++) {
			int to = graph->to[i];

			if (knots->gone[graph->number[i]] || knots->knot[to] != knots->knot[start])
				continue;
			if (to == start) {
				take(hunt, start, node);
				found = true;
			} else if (hunt->before[to] < 0) {
				hunt->before[to] = node;
				hunt->queue[hunt->reached++] = to;
			}
		}
	}
	for (size_t i = 0; i < hunt->reached; i++)
		hunt->before[hunt->queue[i]] = -1;
}

/* The edge between two nodes that is still there and the newest of its kind. */
static int newest_between(
	const struct graph *graph, const bool *gone, const int64_t *age, int from, int to, int64_t *ret_age)
{
	int best = -1;

	for (size_t i = graph->first[from]; i < graph->first[from + 1]; i++) {
		int number = graph->number[i];

		if (graph->to[i] == to && !gone[number] && (best < 0 || age[number] > age[best]))
			best = number;
	}
	*ret_age = best < 0 ? INT64_MIN : age[best];
	return best;
}

/* Names the edge to cut, and takes it away, with those beside it that join the same two nodes. */
static size_t cut(const struct graph *graph, bool *gone, const int64_t *age, const int *nodes, size_t count)
{
	int64_t newest = INT64_MIN, found;
	size_t place = 0;

	for (size_t i = 0; i < count; i++) {
		newest_between(graph, gone, age, nodes[i], nodes[(i + 1) % count], &found);
		if (found > newest) {
			newest = found;
			place = i;
		}
	}
	for (int number; (number = newest_between(
				  graph, gone, age, nodes[place], nodes[(place + 1) % count], &found)) >= 0;)
		gone[number] = true;
	return place;
}

struct cycles {
	const struct graph *graph;
	const int64_t *age;
	bool *gone;
	size_t left; /* that may still be told of */
	int (*each)(void *userdata, const struct graph_cycle *cycle);
	void *userdata;
	struct hunt hunt;
	int *starts; /* by knot: searches so far */
	int *order;  /* nodes, those of a knot together */
};

static int tell(struct cycles *cycles)
{
	struct hunt *hunt = &cycles->hunt;
	struct graph_cycle cycle = { .nodes = hunt->best, .count = hunt->best_count };

	cycle.cut = cut(cycles->graph, cycles->gone, cycles->age, hunt->best, hunt->best_count);
	hunt->best_count = 0;
	cycles->left--;
	return cycles->each(cycles->userdata, &cycle);
}

/* Nodes by knot: counting, as there are no more knots than nodes. */
static int by_knot(const struct knots *knots, int *ret_order)
{
	CLEANUP(cleanup_free) size_t *place = calloc((size_t)knots->count + 2, sizeof(*place));

	if (!place)
		return -ENOMEM;
	for (size_t node = 0; node < knots->graph->count; node++)
		place[knots->knot[node] + 1]++;
	for (int knot = 0; knot < knots->count; knot++)
		place[knot + 1] += place[knot];
	for (size_t node = 0; node < knots->graph->count; node++)
		ret_order[place[knots->knot[node]]++] = (int)node;
	return 0;
}

/* One cycle of each knot. 1: there were some; 0: none is left; or what each() said. */
static int round_of_cycles(struct cycles *cycles)
{
	CLEANUP(knots_done) struct knots knots = { 0 };
	const struct graph *graph = cycles->graph;
	bool some = false;
	int r = knots_init(&knots, graph, cycles->gone);

	if (r < 0)
		return r;
	knots_find(&knots);
	cycles->hunt.knots = &knots;
	r = by_knot(&knots, cycles->order);
	for (size_t i = 0, end; r == 0 && i < graph->count && cycles->left; i = end) {
		int knot = knots.knot[cycles->order[i]];

		for (end = i; end < graph->count && knots.knot[cycles->order[end]] == knot; end++)
			if (end - i < STARTS_MAX)
				hunt_from(&cycles->hunt, cycles->order[end]);
		if (cycles->hunt.best_count) {
			some = true;
			r = tell(cycles);
		}
	}
	return r != 0 ? r : some;
}

static int cycles_init(struct cycles *cycles)
{
	size_t n = cycles->graph->count + 1;
	struct hunt *hunt = &cycles->hunt;

	cycles->gone = calloc(cycles->graph->edge_count + 1, sizeof(bool));
	cycles->order = calloc(n, sizeof(int));
	hunt->before = calloc(n, sizeof(int));
	hunt->queue = calloc(n, sizeof(int));
	hunt->best = calloc(n, sizeof(int));
	hunt->path = calloc(n, sizeof(int));
	if (!cycles->gone || !cycles->order || !hunt->before || !hunt->queue || !hunt->best || !hunt->path)
		return -ENOMEM;
	memset(hunt->before, -1, n * sizeof(int));
	return 0;
}

static void cycles_done(struct cycles *cycles)
{
	free(cycles->gone);
	free(cycles->order);
	free(cycles->hunt.before);
	free(cycles->hunt.queue);
	free(cycles->hunt.best);
	free(cycles->hunt.path);
}

int graph_cycles(const struct graph *graph, const int64_t *age, size_t max,
	int (*each)(void *userdata, const struct graph_cycle *cycle), void *userdata)
{
	CLEANUP(cycles_done)
	struct cycles cycles = {
		.graph = graph, .age = age, .left = max, .each = each, .userdata = userdata
	};
	int r = cycles_init(&cycles);

	if (r == 0)
		r = 1;
	while (r == 1 && cycles.left)
		r = round_of_cycles(&cycles);
	return r == 1 ? 0 : r;
}
