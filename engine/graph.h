/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Graphs of who needs whom, as numbers: in which order to go, what can be reached, which cycles there are.
 * Pure: no memory but the caller's and its own, no store, no recursion (a chain may be as long as there are
 * nodes). An edge leads from who needs to who is needed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graph_edge {
	int from, to;
};

struct graph {
	size_t count, edge_count;
	/* The edges of a node are first[node] … first[node + 1], in the order in which they were given. */
	size_t *first;
	int *to;
	int *number; /* of the edge, as given */
};

/* The edges are copied. 0 or -ENOMEM. */
int graph_init(struct graph *graph, size_t count, const struct graph_edge *edges, size_t edge_count);
void graph_done(struct graph *graph);

/* ret_level[node]: 0 needs nobody, else one more than the greatest of those it needs: nodes of one level can
 * go at the same time. -1: in a cycle, or behind one. The number of levels, or -ENOMEM. */
int graph_levels(const struct graph *graph, int *ret_level);

/* What can be reached from `starts`: ret_before[node] is the node before it on a shortest way, the node
 * itself for a start, -1 where no way leads. 0 or -ENOMEM. */
int graph_reach(const struct graph *graph, const int *starts, size_t start_count, int *ret_before);

/* ret_end[node]: when it ends if each begins as soon as all that it needs have ended, and takes `cost`. Nodes
 * in cycles and behind them are left at 0. The greatest, or -ENOMEM. */
int64_t graph_finish(const struct graph *graph, const int64_t *cost, int64_t *ret_end);

/* A cycle: each node needs the next, the last the first. Without the edges that are named as `cut`, no cycle
 * is left. Borrowed while `each` runs. */
struct graph_cycle {
	const int *nodes;
	size_t count;
	size_t cut; /* the edge from nodes[cut] to the next */
};

/* Cycles, short ones first where they hang together, up to `max` of them. The edge to cut is the newest of
 * its cycle: that with the greatest age[number]. 0, -ENOMEM, or the -errno with which `each` has ended it. */
int graph_cycles(const struct graph *graph, const int64_t *age, size_t max,
	int (*each)(void *userdata, const struct graph_cycle *cycle), void *userdata);

/* A graph that is too large to be looked at whole: neighbours are asked for. */
struct graph_search;
struct graph_source {
	/* Tells graph_search_add() of all that `node` needs, or, backward, of all that need it. 0 or -errno.
	 */
	int (*neighbours)(void *userdata, int64_t node, bool backward, struct graph_search *search);
	void *userdata;
};
void graph_search_add(struct graph_search *search, int64_t node);

/* A way from one node to another, searched from both ends by turns, so that a small end is enough: its nodes
 * with both ends, malloc'ed; *ret_count 0: there is none. 0, -ENOMEM, or what neighbours() gave. */
int graph_path(
	const struct graph_source *source, int64_t from, int64_t to, int64_t **ret_path, size_t *ret_count);
