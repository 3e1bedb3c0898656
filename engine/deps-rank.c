/* SPDX-License-Identifier: MIT */
/* Ranks of stacks. */
#include "engine/deps-rank.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/deps-graph.h"
#include "engine/graph.h"

/* By id, as far as ids go; where they go further, there are no ranks. And so many steps are gone to raise
 * some: beyond, it is cheaper to make them anew. */
enum { IDS_MAX = 1 << 24, STEPS_MAX = 1 << 16 };

struct deps_ranks {
	uint64_t undo_count; /* a dependency that went, and is back, might not agree with them */
	int64_t count;
	int rank[];
};

void deps_ranks_free(struct engine *engine)
{
	free(engine->deps_ranks);
	engine->deps_ranks = NULL;
}

bool deps_ranks_known(struct engine *engine)
{
	if (engine->deps_ranks && engine->deps_ranks->undo_count != store_undo_count(engine->store))
		deps_ranks_free(engine);
	return engine->deps_ranks != NULL;
}

int deps_rank(const struct engine *engine, int64_t stack_id)
{
	return stack_id < engine->deps_ranks->count ? engine->deps_ranks->rank[stack_id] : 0;
}

static int levels_get(const struct deps_graph *whole, int *ret_level)
{
	CLEANUP(cleanup_free)
	struct graph_edge *edges = calloc(whole->link_count + 1, sizeof(*edges));
	CLEANUP(graph_done) struct graph graph = { 0 };

	if (!edges)
		return -ENOMEM;
	for (size_t i = 0; i < whole->link_count; i++)
		edges[i] = (struct graph_edge){ whole->links[i].from, whole->links[i].to };
	if (graph_init(&graph, whole->count, edges, whole->link_count) < 0)
		return -ENOMEM;
	return graph_levels(&graph, ret_level);
}

int deps_ranks_make(struct engine *engine)
{
	CLEANUP(cleanup_free) int *level = NULL;
	const struct deps_graph *whole;
	struct deps_ranks *ranks;
	int64_t last = 0;
	int r = deps_graph_get(engine, &whole);

	deps_ranks_free(engine);
	if (r < 0)
		return r;
	level = calloc(whole->count + 1, sizeof(*level));
	r = level ? levels_get(whole, level) : -ENOMEM;
	if (r < 0)
		return r;
	for (size_t i = 0; i < whole->count; i++) {
		if (whole->nodes[i].id > last)
			last = whole->nodes[i].id;
		if (level[i] < 0)
			return 0;
	}
	if (last >= IDS_MAX)
		return 0;
	ranks = calloc(1, sizeof(*ranks) + (size_t)(last + 1) * sizeof(ranks->rank[0]));
	if (!ranks)
		return -ENOMEM;
	ranks->undo_count = store_undo_count(engine->store);
	ranks->count = last + 1;
	for (size_t i = 0; i < whole->count; i++)
		ranks->rank[whole->nodes[i].id] = level[i];
	ranks->rank[0] = 0; /* those that are missing */
	engine->deps_ranks = ranks;
	return 0;
}

static int make_room(struct engine *engine, int64_t id)
{
	struct deps_ranks *ranks = engine->deps_ranks;
	int64_t count = id < INT64_MAX / 2 ? id + id / 2 + 1 : id;

	if (id < ranks->count)
		return 0;
	if (id >= IDS_MAX)
		return -ERANGE;
	ranks = realloc(ranks, sizeof(*ranks) + (size_t)count * sizeof(ranks->rank[0]));
	if (!ranks)
		return -ENOMEM;
	memset(ranks->rank + ranks->count, 0, (size_t)(count - ranks->count) * sizeof(ranks->rank[0]));
	ranks->count = count;
	engine->deps_ranks = ranks;
	return 0;
}

/* Stacks whose rank must be at least so much, first come first served. */
struct raise {
	int64_t id;
	int least;
};

static int raise_dependents(struct engine *engine, int64_t id, int least, struct raise *queue, size_t *count)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_DEPS_SOURCES, "i", id);
	int r;

	while ((r = query_step(query)) > 0) {
		if (*count == STEPS_MAX)
			return -ERANGE;
		queue[(*count)++] = (struct raise){ query_int(query, 0), least };
	}
	return r;
}

static int raise_all(struct engine *engine, int64_t id, int least)
{
	CLEANUP(cleanup_free) struct raise *queue = calloc(STEPS_MAX, sizeof(*queue));
	size_t count = 0;
	int r = queue ? 0 : -ENOMEM;

	if (r == 0)
		queue[count++] = (struct raise){ id, least };
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = make_room(engine, queue[i].id);
		if (r < 0 || engine->deps_ranks->rank[queue[i].id] >= queue[i].least)
			continue;
		engine->deps_ranks->rank[queue[i].id] = queue[i].least;
		r = raise_dependents(engine, queue[i].id, queue[i].least + 1, queue, &count);
	}
	return r;
}

int deps_ranks_add(struct engine *engine, int64_t stack_id, int64_t on_id)
{
	int least = deps_rank(engine, on_id) + 1;
	int r = deps_rank(engine, stack_id) >= least ? 0 : raise_all(engine, stack_id, least);

	/* Half raised, they do not hold. */
	if (r < 0)
		deps_ranks_free(engine);
	return r == -ERANGE ? 0 : r;
}
