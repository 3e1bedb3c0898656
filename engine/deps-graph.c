/* SPDX-License-Identifier: MIT */
/* Loading all stacks and their dependencies. */
#include "engine/deps-graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/constraint.h"

/* Texts, in blocks: hundreds of thousands of small allocations would cost more than the rows. */
struct deps_texts {
	struct deps_texts *next;
	size_t used, size;
	char data[];
};

enum { TEXTS_SIZE = 64 << 10 };

void deps_graph_free(struct deps_graph *graph)
{
	if (!graph)
		return;
	while (graph->texts) {
		struct deps_texts *next = graph->texts->next;

		free(graph->texts);
		graph->texts = next;
	}
	free(graph->nodes);
	free(graph->links);
	free(graph);
}

static void deps_graph_freep(struct deps_graph **graph)
{
	deps_graph_free(*graph);
}

/* A copy that lives as long as the graph; NULL without memory. */
static const char *keep(struct deps_graph *graph, const char *text, size_t size)
{
	struct deps_texts *texts = graph->texts;
	char *copy;

	if (!size)
		return "";
	if (!texts || texts->size - texts->used <= size) {
		size_t room = size < TEXTS_SIZE ? TEXTS_SIZE : size + 1;

		texts = malloc(sizeof(*texts) + room);
		if (!texts)
			return NULL;
		*texts = (struct deps_texts){ .next = graph->texts, .size = room };
		graph->texts = texts;
	}
	copy = texts->data + texts->used;
	memcpy(copy, text, size);
	copy[size] = '\0';
	texts->used += size + 1;
	return copy;
}

/* Room for one more in an array that grows by halves. */
static bool grow(void *array, size_t count, size_t size)
{
	void **place = array, *more;

	if (count && (count & (count - 1)))
		return true; /* it grew at the last power of two */
	more = realloc(*place, (count ? 2 * count : 1) * size);
	if (!more)
		return false;
	*place = more;
	return true;
}

static int add_node(struct deps_graph *graph, struct deps_node node, const char *name, const char *version,
	size_t version_size)
{
	node.name = keep(graph, name, strlen(name));
	node.version = keep(graph, version, version_size);
	if (!node.name || !node.version || !grow(&graph->nodes, graph->count, sizeof(node)))
		return -ENOMEM;
	graph->nodes[graph->count++] = node;
	return 0;
}

static int load_stacks(struct engine *engine, struct deps_graph *graph)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_DEPS_ALL_STACKS, "");
	int r, r2 = 0;

	while (r2 == 0 && (r = query_step(query)) > 0) {
		size_t size = 0;
		const char *version = query_null(query, 6) ? "" : query_blob(query, 6, &size);

		r2 = add_node(graph,
			(struct deps_node){ .id = query_int(query, 0),
				.uid = (uid_t)query_int(query, 2),
				.gid = (gid_t)query_int(query, 3),
				.mode = (mode_t)query_int(query, 4),
				.run_ms = query_int(query, 5) },
			query_text(query, 1), version ? version : "", size);
	}
	return r2 < 0 ? r2 : r;
}

/* Names without a stack. */
static int load_missing(struct engine *engine, struct deps_graph *graph)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_DEPS_ALL_MISSING, "");
	int r, r2 = 0;

	while (r2 == 0 && (r = query_step(query)) > 0)
		r2 = add_node(graph, (struct deps_node){ 0 }, query_text(query, 0), "", 0);
	return r2 < 0 ? r2 : r;
}

static int compare_names(const void *a, const void *b)
{
	const struct deps_node *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Where a stack stands, by its id. */
struct place {
	int64_t id;
	int node;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int node_of_id(const struct place *places, size_t count, int64_t id)
{
	const struct place *place =
		bsearch(&(struct place){ .id = id }, places, count, sizeof(*places), compare_places);

	return place ? place->node : -1;
}

static int node_of_name(const struct deps_graph *graph, const char *name)
{
	const struct deps_node *node = bsearch(&(struct deps_node){ .name = name }, graph->nodes,
		graph->count, sizeof(*graph->nodes), compare_names);

	return node ? (int)(node - graph->nodes) : -1;
}

static int add_link(struct deps_graph *graph, struct deps_link link, const char *requires)
{
	link.requires = keep(graph, requires, strlen(requires));
	if (!link.requires || !grow(&graph->links, graph->link_count, sizeof(link)))
		return -ENOMEM;
	graph->links[graph->link_count++] = link;
	return 0;
}

static int load_links(struct engine *engine, struct deps_graph *graph, const struct place *places)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_DEPS_ALL, "");
	int r, r2 = 0;

	while (r2 == 0 && (r = query_step(query)) > 0) {
		int64_t on = query_int(query, 2);
		const char *requires = query_text(query, 4);
		struct deps_link link = {
			.id = query_int(query, 0),
			.from = node_of_id(places, graph->count, query_int(query, 1)),
			.to = on ? node_of_id(places, graph->count, on)
				 : node_of_name(graph, query_text(query, 3)),
		};

		/* One that was let go by a stack which is there: it may well be turned round now. */
		if (link.from < 0 || link.to < 0 || (!on && graph->nodes[link.to].id))
			continue;
		link.unmet =
			on && *requires && constraint_holds(requires, graph->nodes[link.to].version) != 1;
		r2 = add_link(graph, link, requires);
	}
	return r2 < 0 ? r2 : r;
}

static int load(struct engine *engine, struct deps_graph *graph)
{
	CLEANUP(cleanup_free) struct place *places = NULL;
	int r = load_stacks(engine, graph);

	if (r == 0)
		r = load_missing(engine, graph);
	if (r < 0)
		return r;
	places = calloc(graph->count + 1, sizeof(*places));
	if (!places)
		return -ENOMEM;
	if (graph->count)
		qsort(graph->nodes, graph->count, sizeof(*graph->nodes), compare_names);
	for (size_t i = 0; i < graph->count; i++)
		places[i] = (struct place){ graph->nodes[i].id, (int)i };
	qsort(places, graph->count, sizeof(*places), compare_places);
	return load_links(engine, graph, places);
}

int deps_graph_get(struct engine *engine, const struct deps_graph **ret_graph)
{
	CLEANUP(deps_graph_freep) struct deps_graph *graph = NULL;
	uint64_t undo_count = store_undo_count(engine->store);
	int r;

	if (engine->deps_graph && engine->deps_graph->generation == engine->stacks_generation &&
		engine->deps_graph->undo_count == undo_count) {
		*ret_graph = engine->deps_graph;
		return 0;
	}
	graph = calloc(1, sizeof(*graph));
	if (!graph)
		return -ENOMEM;
	graph->generation = engine->stacks_generation;
	graph->undo_count = undo_count;
	r = load(engine, graph);
	if (r < 0)
		return r;
	deps_graph_free(engine->deps_graph);
	engine->deps_graph = TAKE(graph);
	*ret_graph = engine->deps_graph;
	return 0;
}

bool deps_graph_sees(struct caller *caller, const struct deps_node *node)
{
	return !node->id || !caller ||
	       caller_access(caller, node->uid, node->gid, node->mode, MAY_READ | MAY_EXECUTE) == 0;
}
