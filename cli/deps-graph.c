/* SPDX-License-Identifier: MIT */
/* stack deps graph: which part is drawn, in which form, and where it goes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "cli/deps.h"
#include "cli/print.h"
#include "cli/stack.h"

const struct option deps_graph_options[] = {
	{ "all", 'a', NULL, "all stacks" },
	{ "format", 'F', "FORMAT", "tree, dot, mermaid, json, svg, png (after the name of the file; tree)" },
	{ "output", 'O', "FILE", "write it to this file" },
	{ "show-versions", 0, NULL, "with the versions of the stacks" },
	{ "full-tree", 0, NULL, "with all that it needs, not only what it depends on itself" },
	{ NULL },
};

struct sheet {
	struct net net;
	struct part part;
	struct drawing drawing;
	int levels;
	size_t cycles;
};

static void sheet_done(struct sheet *sheet)
{
	part_done(&sheet->part);
	net_done(&sheet->net);
}

/* The forms. */

static int as_dot(const struct sheet *sheet, struct fault *fault, FILE *out)
{
	draw_dot(&sheet->drawing, out);
	return 0;
}

static int as_mermaid(const struct sheet *sheet, struct fault *fault, FILE *out)
{
	draw_mermaid(&sheet->drawing, out);
	return 0;
}

static int as_tree(const struct sheet *sheet, struct fault *fault, FILE *out)
{
	return draw_tree(&sheet->drawing, out);
}

static json_t *statistics(const struct sheet *sheet)
{
	return json_pack("{s:I, s:I, s:i, s:I}", "nodes", (json_int_t)sheet->part.count, "edges",
		(json_int_t)sheet->part.graph.edge_count, "max_depth", sheet->levels ? sheet->levels - 1 : 0,
		"cycles", (json_int_t)sheet->cycles);
}

static int as_json(const struct sheet *sheet, struct fault *fault, FILE *out)
{
	json_auto_t *value = draw_json(&sheet->drawing);

	if (!value || json_object_set_new(value, "statistics", statistics(sheet)) < 0 ||
		json_dumpf(value, out, JSON_SORT_KEYS | JSON_INDENT(2)) < 0)
		return -ENOMEM;
	fputc('\n', out);
	return 0;
}

static int as_picture(const struct sheet *sheet, const char *format, struct fault *fault, FILE *out)
{
	CLEANUP(buffer_done) struct buffer picture = { 0 };
	CLEANUP(cleanup_free) char *dot = NULL;
	size_t size;
	FILE *text = open_memstream(&dot, &size);
	int r;

	if (!text)
		return -ENOMEM;
	draw_dot(&sheet->drawing, text);
	fclose(text);
	r = graphviz_render(dot, format, fault, &picture);
	if (r == 0)
		fwrite(picture.data, 1, picture.size, out);
	return r;
}

static int as_svg(const struct sheet *sheet, struct fault *fault, FILE *out)
{
	return as_picture(sheet, "svg", fault, out);
}

static int as_png(const struct sheet *sheet, struct fault *fault, FILE *out)
{
	return as_picture(sheet, "png", fault, out);
}

static const struct form {
	const char *name;
	const char *suffixes[3]; /* of files, without the dot */
	bool bytes;		 /* nothing for a terminal */
	int (*draw)(const struct sheet *sheet, struct fault *fault, FILE *out);
} forms[] = {
	{ "tree", { "txt" }, .draw = as_tree },
	{ "dot", { "dot", "gv" }, .draw = as_dot },
	{ "mermaid", { "mmd", "mermaid" }, .draw = as_mermaid },
	{ "json", { "json" }, .draw = as_json },
	{ "svg", { "svg" }, .draw = as_svg },
	{ "png", { "png" }, .bytes = true, .draw = as_png },
};

enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

static const struct form *form_of_suffix(const char *file)
{
	const char *dot = strrchr(file, '.');

	for (size_t i = 0; dot && i < FORMS; i++)
		for (size_t j = 0; j < 3 && forms[i].suffixes[j]; j++)
			if (!strcasecmp(forms[i].suffixes[j], dot + 1))
				return &forms[i];
	return NULL;
}

static int form_get(struct command *command, const struct form **ret_form)
{
	const char *name = command_option(command, "format"), *file = command_option(command, "output");

	if (!name && command->format == FORMAT_JSON)
		name = "json";
	for (size_t i = 0; i < FORMS; i++)
		if (name && !strcasecmp(forms[i].name, name)) {
			*ret_form = &forms[i];
			return 0;
		}
	if (name)
		return fault_set(&command->fault, EINVAL,
			"--format %s: it must be tree, dot, mermaid, json, svg or png", name);
	*ret_form = file ? form_of_suffix(file) : &forms[0];
	if (!*ret_form)
		return fault_set(&command->fault, EINVAL,
			"%s: its name does not say what it shall be: --format tree, dot, mermaid, json, svg "
			"or "
			"png",
			file);
	return 0;
}

/* Which stacks are drawn. */

static int take_from(
	struct command *command, struct sheet *sheet, const char *name, bool *taken, int *ret_root)
{
	const struct graph *graph = &sheet->net.graph;
	CLEANUP(cleanup_free) int *before = calloc(sheet->net.count + 1, sizeof(*before));
	json_auto_t *own = NULL;
	int node, r = stack_json(command, name, "depends.json", &own);

	r = r < 0 ? r : net_find_stack(command, &sheet->net, name, &node);
	if (r < 0)
		return r;
	if (!before || graph_reach(graph, &node, 1, before) < 0)
		return -ENOMEM;
	taken[node] = true;
	for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++)
		taken[graph->to[i]] = true;
	for (size_t i = 0; command_flag(command, "full-tree") && i < sheet->net.count; i++)
		taken[i] |= before[i] >= 0;
	*ret_root = node;
	return 0;
}

static int count_cycle(void *userdata, const struct graph_cycle *cycle)
{
	++*(size_t *)userdata;
	return 0;
}

static int measure(struct sheet *sheet)
{
	enum { CYCLES_COUNTED = 1000 };
	CLEANUP(cleanup_free) int *level = calloc(sheet->part.count + 1, sizeof(*level));
	CLEANUP(cleanup_free) int64_t *age = calloc(sheet->part.graph.edge_count + 1, sizeof(*age));

	if (!level || !age)
		return -ENOMEM;
	sheet->levels = graph_levels(&sheet->part.graph, level);
	return sheet->levels < 0
		       ? sheet->levels
		       : graph_cycles(&sheet->part.graph, age, CYCLES_COUNTED, count_cycle, &sheet->cycles);
}

static int sheet_make(struct command *command, struct sheet *sheet)
{
	const char *name = command->operand_count ? command->operands[0] : NULL;
	CLEANUP(cleanup_free) bool *taken = NULL;
	int root = -1, r = 0;

	if (command_flag(command, "all") == (name != NULL))
		return fault_set(&command->fault, EINVAL, "name a stack, or say --all: one of the two");
	r = net_load(command, &sheet->net);
	if (r < 0)
		return r;
	taken = calloc(sheet->net.count + 1, sizeof(*taken));
	if (!taken)
		return -ENOMEM;
	if (name)
		r = take_from(command, sheet, name, taken, &root);
	else
		memset(taken, true, sheet->net.count);
	r = r < 0 ? r : part_init(&sheet->part, &sheet->net, taken);
	if (r < 0)
		return r;
	sheet->drawing = (struct drawing){
		.part = &sheet->part, .versions = command_flag(command, "show-versions"), .root = -1
	};
	for (size_t i = 0; root >= 0 && i < sheet->part.count; i++)
		if (sheet->part.nodes[i] == root)
			sheet->drawing.root = (int)i;
	return measure(sheet);
}

/* The whole in memory first: a failure leaves no half of a file. */
static int write_file(struct command *command, const char *file, const char *data, size_t size)
{
	FILE *out = fopen(file, "we");
	bool failed;

	if (!out)
		return fault_set(&command->fault, errno, "%s: %s", file, strerror(errno));
	failed = fwrite(data, 1, size, out) != size;
	if (fclose(out) != 0 || failed)
		return fault_set(&command->fault, errno ? errno : EIO, "%s: it could not be written", file);
	return 0;
}

static int put(struct command *command, const struct sheet *sheet, const char *data, size_t size)
{
	const char *file = command_option(command, "output");
	int r;

	if (!file || !strcmp(file, "-")) {
		fwrite(data, 1, size, stdout);
		return 0;
	}
	r = write_file(command, file, data, size);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(
			command, json_pack("{s:s, s:o}", "file", file, "statistics", statistics(sheet)));
	print_done("Dependency graph generated: %s", file);
	printf("\nGraph Statistics:\n"
	       "  Total nodes:      %zu\n"
	       "  Total edges:      %zu\n"
	       "  Max depth:        %d\n"
	       "  Circular deps:    %zu\n",
		sheet->part.count, sheet->part.graph.edge_count, sheet->levels ? sheet->levels - 1 : 0,
		sheet->cycles);
	return 0;
}

int deps_graph_run(struct command *command)
{
	CLEANUP(sheet_done) struct sheet sheet = { 0 };
	CLEANUP(cleanup_free) char *data = NULL;
	const struct form *form;
	size_t size;
	FILE *out;
	int r = form_get(command, &form);

	if (r < 0)
		return r;
	if (form->bytes && !command_option(command, "output") && print_is_terminal(stdout))
		return fault_set(
			&command->fault, EINVAL, "a picture is nothing for a terminal: --output FILE");
	r = sheet_make(command, &sheet);
	out = r < 0 ? NULL : open_memstream(&data, &size);
	if (out) {
		r = form->draw(&sheet, &command->fault, out);
		fclose(out);
	}
	if (r < 0 || !out)
		return fault_default(&command->fault, r < 0 ? -r : ENOMEM, "no memory");
	return put(command, &sheet, data, size);
}
