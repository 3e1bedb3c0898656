/* SPDX-License-Identifier: MIT */
#pragma once
/* What the commands about dependencies share: all stacks and what they depend on, as /graph/graph.json has
 * it. */
#include <jansson.h>
#include <stddef.h>

#include "base/buffer.h"
#include "cli/command.h"
#include "engine/graph.h"

/* Nodes are numbers, in the order of names. */
struct net {
	json_t *value; /* owns all below */
	size_t count;
	const char **names;
	json_t **stacks;       /* their objects */
	struct graph graph;    /* an edge leads to what is depended on */
	const char **requires; /* by the number of an edge */
};

/* 0 or -errno with the fault set. */
int net_load(struct command *command, struct net *ret_net);
void net_done(struct net *net);
/* -1: no stack, and no dependency on one, is called so. */
int net_find(const struct net *net, const char *name);
/* The same, but -ENOENT with a sentence also for what is only missed. */
int net_find_stack(struct command *command, const struct net *net, const char *name, int *ret_node);
/* Whether there is no stack of this name: others only depend on it. */
bool net_missing(const struct net *net, int node);
int64_t net_run_ms(const struct net *net, int node); /* 0: not known */

/* A part of a net, with numbers of its own that keep the order. */
struct part {
	const struct net *net;
	size_t count;
	int *nodes; /* of the net */
	struct graph graph;
	const char **requires; /* by the number of an edge */
};

/* The nodes with taken[node], and the edges between them. 0 or -ENOMEM. */
int part_init(struct part *part, const struct net *net, const bool *taken);
void part_done(struct part *part);
const char *part_name(const struct part *part, int node);
/* "a → b → a" of the first cycle, malloc'ed; NULL: there is none, or no memory. */
char *part_cycle(const struct part *part);

int deps_order_run(struct command *command); /* deps-order.c */
extern const struct option deps_order_options[];
int deps_graph_run(struct command *command); /* deps-graph.c */
extern const struct option deps_graph_options[];

/* How a part looks; what is shown beside the names is asked for by `versions`. */
struct drawing {
	const struct part *part;
	bool versions;
	int root; /* of the tree; -1: all that nobody depends on */
};
void draw_dot(const struct drawing *drawing, FILE *out); /* deps-draw.c */
void draw_mermaid(const struct drawing *drawing, FILE *out);
int draw_tree(const struct drawing *drawing, FILE *out);
json_t *draw_json(const struct drawing *drawing);

/* Has Graphviz's library make a picture ("svg", "png") of a text in its language. It is loaded here, when it
 * is needed: -ENOSYS with the name of the package where there is none. */
int graphviz_render(const char *dot, const char *format, struct fault *fault, struct buffer *ret_picture);
