/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * All stacks and their dependencies at once, in memory: for what looks at the whole. Loaded when it is asked
 * for, and kept until something in it changes. One stack's dependencies alone are deps.h's.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "engine/caller.h"
#include "engine/engine.h"

struct deps_node {
	int64_t id;	  /* of the stack; 0: it is missing */
	const char *name; /* the graph's, as all texts here */
	const char *version;
	int64_t run_ms; /* how long its runs take, 0: not known */
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/* Those of one stack stand together, in the order of names. */
struct deps_link {
	int64_t id; /* rises with time */
	int from, to;
	const char *requires;
	bool unmet;
};

struct deps_graph {
	struct deps_node *nodes; /* in the order of names */
	size_t count;
	struct deps_link *links;
	size_t link_count;
	int64_t generation; /* the engine's, when it was loaded */
	uint64_t undo_count;
	struct deps_texts *texts;
};

/* Borrowed until the next change of anything. 0 or -errno. */
int deps_graph_get(struct engine *engine, const struct deps_graph **ret_graph);
void deps_graph_free(struct deps_graph *graph);

/* Whether the caller may look into the stack: only then its dependencies and its version are for him. */
bool deps_graph_sees(struct caller *caller, const struct deps_node *node);

/* The files of graph/, for this caller. */
int deps_graph_show_json(struct engine *engine, struct caller *caller, FILE *out);
int deps_graph_show_order(struct engine *engine, struct caller *caller, FILE *out);
int deps_graph_show_cycles(struct engine *engine, struct caller *caller, FILE *out);
int deps_graph_show_cycles_json(struct engine *engine, struct caller *caller, FILE *out);
