/* SPDX-License-Identifier: MIT */
/* Pictures by Graphviz's library, which is loaded when one is asked for: `sloth` starts without it, and is
 * there where it is not. */
#include <dlfcn.h>
#include <errno.h>
#include <graphviz/gvc.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/deps.h"

static const char library[] = "libgvc.so.6", package[] = "libgvc6";

/* Its functions, as its headers declare them. */
struct graphviz {
	__typeof__(gvContext) *context;
	__typeof__(gvFreeContext) *free_context;
	__typeof__(gvLayout) *layout;
	__typeof__(gvFreeLayout) *free_layout;
	__typeof__(gvRenderData) *render;
	__typeof__(gvFreeRenderData) *free_render;
	__typeof__(agmemread) *read;
	__typeof__(agclose) *close;
};

static int graphviz_load(struct graphviz *ret_graphviz, struct fault *fault)
{
	struct graphviz graphviz;
	const struct {
		const char *name;
		void *place;
	} functions[] = {
		{ "gvContext", &graphviz.context },
		{ "gvFreeContext", &graphviz.free_context },
		{ "gvLayout", &graphviz.layout },
		{ "gvFreeLayout", &graphviz.free_layout },
		{ "gvRenderData", &graphviz.render },
		{ "gvFreeRenderData", &graphviz.free_render },
		{ "agmemread", &graphviz.read },
		{ "agclose", &graphviz.close },
	};
	/* Never closed: what it has loaded itself does not take that well. */
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; handle && i < sizeof(functions) / sizeof(functions[0]); i++) {
		*(void **)functions[i].place = dlsym(handle, functions[i].name);
		if (!*(void **)functions[i].place)
			handle = NULL;
	}
	if (!handle)
		return fault_set(fault, ENOSYS,
			"pictures are drawn by %s, which is not here: install the package %s, or ask for "
			"--format dot or mermaid",
			library, package);
	*ret_graphviz = graphviz;
	return 0;
}

static int render(const struct graphviz *graphviz, GVC_t *context, Agraph_t *graph, const char *format,
	struct buffer *ret_picture)
{
	unsigned int size = 0;
	char *data = NULL;
	int r = -EIO;

	if (graphviz->layout(context, graph, "dot") != 0)
		return -EIO;
	if (graphviz->render(context, graph, format, &data, &size) == 0 && data && size)
		r = buffer_append(ret_picture, data, size);
	graphviz->free_render(data);
	graphviz->free_layout(context, graph);
	return r;
}

int graphviz_render(const char *dot, const char *format, struct fault *fault, struct buffer *ret_picture)
{
	struct graphviz graphviz;
	Agraph_t *graph;
	GVC_t *context;
	int r = graphviz_load(&graphviz, fault);

	if (r < 0)
		return r;
	context = graphviz.context();
	graph = context ? graphviz.read(dot) : NULL;
	r = graph ? render(&graphviz, context, graph, format, ret_picture) : -EIO;
	if (graph)
		graphviz.close(graph);
	if (context)
		graphviz.free_context(context);
	return r < 0 ? fault_set(fault, -r,
			       "Graphviz could not draw it as %s: is the package %s installed in full?",
			       format, package)
		     : 0;
}
