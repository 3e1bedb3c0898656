/* SPDX-License-Identifier: MIT */
/* graph/: the dependencies of all stacks together. What another user sees there is another thing, so nothing
 * of it is cached by the kernel; the daemon keeps the graph in memory. */
#include "engine/deps-graph.h"

#include "fs/nodes/nodes.h"

static int graph_json_show(struct view *view, FILE *out)
{
	return deps_graph_show_json(view->engine, view->caller, out);
}

static int order_show(struct view *view, FILE *out)
{
	return deps_graph_show_order(view->engine, view->caller, out);
}

static int cycles_show(struct view *view, FILE *out)
{
	return deps_graph_show_cycles(view->engine, view->caller, out);
}

static int cycles_json_show(struct view *view, FILE *out)
{
	return deps_graph_show_cycles_json(view->engine, view->caller, out);
}

/* clang-format off */
static const struct entry graph_entries[] = {
	{ .name = "graph.json", .help = "all stacks, what each depends on, and how long its runs take",
	  .kind = KIND_TEXT, .mode = 0444, .fleeting = true, .object = object_system, .show = graph_json_show },
	{ .name = "order", .help = "in which order to run them", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .object = object_system, .show = order_show },
	{ .name = "cycles", .help = "dependencies that go round, and which one to remove", .kind = KIND_TEXT,
	  .mode = 0444, .fleeting = true, .object = object_system, .show = cycles_show },
	{ .name = "cycles.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .object = object_system, .show = cycles_json_show },
};
/* clang-format on */

const struct directory graph_directory = DIRECTORY(graph_entries);
