/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The graph of tasks, as numbers: cycles, the order of starting, the queue of what may start. Pure: no memory
 * but the caller's arrays and its own, no loop, no Lua.
 */
#include <stdbool.h>
#include <stddef.h>

struct graph_node {
	const int *depends; /* numbers of nodes */
	size_t depends_count;
	int priority; /* higher starts earlier */
};

/* Looks for a cycle. The number of nodes in `ret_path` (room for `count`), each of which depends on the next
 * and the last on the first; 0: there is none; -ENOMEM. */
int graph_find_cycle(const struct graph_node *nodes, size_t count, int *ret_path);

/* Nodes before everything that depends on them; among those without such a bond by definition. Only without
 * cycles, as all that follows. 0 or -ENOMEM. */
int graph_sort(const struct graph_node *nodes, size_t count, int *ret_order);

/* How many nodes the longest way to each has, itself included: 1 for those that depend on none. */
int graph_levels(const struct graph_node *nodes, size_t count, int *ret_level);

/* The order in which nodes that are ready start: by priority, then by the longest path of nodes that wait for
 * it, then by definition. `ret_rank[node]`: 0 starts first. Only without cycles. 0 or -ENOMEM. */
int graph_rank(const struct graph_node *nodes, size_t count, int *ret_rank);

/* A heap of nodes by rank. */
struct graph_queue {
	const int *rank; /* borrowed */
	int *nodes;
	size_t count;
};

int graph_queue_init(struct graph_queue *queue, const int *rank, size_t count);
void graph_queue_done(struct graph_queue *queue);
void graph_queue_push(struct graph_queue *queue, int node);
/* The first node, or -1. */
int graph_queue_pop(struct graph_queue *queue);
