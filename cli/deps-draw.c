/* SPDX-License-Identifier: MIT */
/* Dependencies as a tree of lines, in the languages of Graphviz and Mermaid, and as JSON. Arrows lead from
 * who depends to what is depended on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/deps.h"
#include "cli/print.h"

static const char *version_of(const struct part *part, int node)
{
	return print_text(part->net->stacks[part->nodes[node]], "version");
}

static bool is_missing(const struct part *part, int node)
{
	return net_missing(part->net, part->nodes[node]);
}

/* A text within quotes: `escape` comes before what would end it. */
static void write_quoted(const char *text, const char *special, const char *escape, FILE *out)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			continue;
		if (strchr(special, *text))
			fputs(escape, out);
		fputc(*text, out);
	}
}

static void write_dot_label(const struct drawing *drawing, int node, FILE *out)
{
	const char *version = version_of(drawing->part, node);

	fputs(part_name(drawing->part, node), out);
	if (!drawing->versions || !*version)
		return;
	fputs("\\n", out);
	write_quoted(version, "\"\\", "\\", out);
}

void draw_dot(const struct drawing *drawing, FILE *out)
{
	const struct part *part = drawing->part;
	const struct graph *graph = &part->graph;

	fputs("digraph dependencies {\n"
	      "\trankdir=TB;\n"
	      "\tnode [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
		out);
	for (size_t i = 0; i < part->count; i++) {
		fprintf(out, "\t\"%s\" [label=\"", part_name(part, (int)i));
		write_dot_label(drawing, (int)i, out);
		fprintf(out, "\"%s];\n",
			is_missing(part, (int)i) ? ", style=\"rounded,dashed\", color=red" : "");
	}
	for (size_t i = 0; i < part->count; i++)
		for (size_t j = graph->first[i]; j < graph->first[i + 1]; j++) {
			fprintf(out, "\t\"%s\" -> \"%s\"", part_name(part, (int)i),
				part_name(part, graph->to[j]));
			if (*part->requires[graph->number[j]])
				fprintf(out, " [label=\"%s\"]", part->requires[graph->number[j]]);
			fputs(";\n", out);
		}
	fputs("}\n", out);
}

/* Mermaid has no backslashes: what is special is an entity. */
static void write_mermaid_text(const char *text, FILE *out)
{
	for (; *text; text++)
		if (strchr("\"<>&#|[](){}`\\", *text))
			fprintf(out, "#%d;", *text);
		else if ((unsigned char)*text >= 0x20 && *text != 0x7f)
			fputc(*text, out);
}

void draw_mermaid(const struct drawing *drawing, FILE *out)
{
	const struct part *part = drawing->part;
	const struct graph *graph = &part->graph;

	fputs("graph TB\n", out);
	for (size_t i = 0; i < part->count; i++) {
		const char *version = version_of(part, (int)i);

		fprintf(out, "    n%zu[\"%s", i, part_name(part, (int)i));
		if (drawing->versions && *version) {
			fputs("<br/>", out);
			write_mermaid_text(version, out);
		}
		fputs("\"]\n", out);
	}
	for (size_t i = 0; i < part->count; i++)
		for (size_t j = graph->first[i]; j < graph->first[i + 1]; j++) {
			const char *requires = part->requires[graph->number[j]];

			fprintf(out, "    n%zu -->", i);
			if (*requires) {
				fputs("|\"", out);
				write_mermaid_text(requires, out);
				fputs("\"|", out);
			}
			fprintf(out, " n%d\n", graph->to[j]);
		}
}

json_t *draw_json(const struct drawing *drawing)
{
	const struct part *part = drawing->part;
	const struct graph *graph = &part->graph;
	json_t *nodes = json_array(), *edges = json_array();

	for (size_t i = 0; i < part->count; i++) {
		json_array_append_new(
			nodes, json_pack("{s:s, s:s, s:b}", "name", part_name(part, (int)i), "version",
				       version_of(part, (int)i), "missing", is_missing(part, (int)i)));
		for (size_t j = graph->first[i]; j < graph->first[i + 1]; j++)
			json_array_append_new(
				edges, json_pack("{s:s, s:s, s:s}", "from", part_name(part, (int)i), "to",
					       part_name(part, graph->to[j]), "requires",
					       part->requires[graph->number[j]]));
	}
	return json_pack("{s:o, s:o}", "nodes", nodes, "edges", edges);
}

/* The tree: a way down, with a stack of our own. */
struct branch {
	int node;
	size_t next; /* of its edges */
};

struct climb {
	const struct drawing *drawing;
	FILE *out;
	bool *drawn; /* by node: what it needs stands further above already */
	struct branch *branches;
	size_t depth;
};

/* "│   ├── database (v2)". What was drawn with its own branches before is only named. */
static void print_node(struct climb *climb, int node, const char *requires)
{
	const struct part *part = climb->drawing->part;
	const struct graph *graph = &part->graph;
	const char *version = version_of(part, node);

	fputs(part_name(part, node), climb->out);
	if (climb->drawing->versions && *version) {
		fputs(" (", climb->out);
		text_write_safe(climb->out, version);
		fputc(')', climb->out);
	}
	if (*requires)
		fprintf(climb->out, " %s", requires);
	if (is_missing(part, node))
		fputs(" (missing)", climb->out);
	else if (climb->drawn[node] && graph->first[node] < graph->first[node + 1])
		fputs(" (see above)", climb->out);
	fputc('\n', climb->out);
}

static void indent(const struct climb *climb)
{
	const struct graph *graph = &climb->drawing->part->graph;

	for (size_t i = 0; i < climb->depth; i++) {
		bool more = climb->branches[i].next < graph->first[climb->branches[i].node + 1];

		if (i + 1 < climb->depth)
			fputs(more ? "│   " : "    ", climb->out);
		else
			fputs(more ? "├── " : "└── ", climb->out);
	}
}

static void visit(struct climb *climb, int node, const char *requires)
{
	indent(climb);
	print_node(climb, node, requires);
	if (climb->drawn[node])
		return;
	climb->drawn[node] = true;
	climb->branches[climb->depth++] = (struct branch){ node, climb->drawing->part->graph.first[node] };
}

static void climb_from(struct climb *climb, int root)
{
	const struct part *part = climb->drawing->part;
	const struct graph *graph = &part->graph;

	visit(climb, root, "");
	while (climb->depth) {
		struct branch *branch = &climb->branches[climb->depth - 1];

		if (branch->next == graph->first[branch->node + 1]) {
			climb->depth--;
			continue;
		}
		branch->next++;
		visit(climb, graph->to[branch->next - 1], part->requires[graph->number[branch->next - 1]]);
	}
}

/* Those on which nobody depends; then what is left, which is in cycles. */
static void climb_all(struct climb *climb)
{
	const struct part *part = climb->drawing->part;
	CLEANUP(cleanup_free) bool *needed = calloc(part->count + 1, sizeof(*needed));

	for (size_t i = 0; needed && i < part->graph.edge_count; i++)
		needed[part->graph.to[i]] = true;
	for (size_t i = 0; needed && i < part->count; i++)
		if (!needed[i])
			climb_from(climb, (int)i);
	for (size_t i = 0; i < part->count; i++)
		if (!climb->drawn[i])
			climb_from(climb, (int)i);
}

int draw_tree(const struct drawing *drawing, FILE *out)
{
	CLEANUP(cleanup_free) bool *drawn = calloc(drawing->part->count + 1, sizeof(*drawn));
	CLEANUP(cleanup_free)
	struct branch *branches = calloc(drawing->part->count + 1, sizeof(*branches));
	struct climb climb = { .drawing = drawing, .out = out, .drawn = drawn, .branches = branches };

	if (!drawn || !branches)
		return -ENOMEM;
	if (drawing->root >= 0)
		climb_from(&climb, drawing->root);
	else
		climb_all(&climb);
	return 0;
}
