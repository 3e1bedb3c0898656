/* SPDX-License-Identifier: MIT */
/* stack deps: show, add, remove, check. The files deps/ and depends of a stack and the folder graph/ do the
 * work; order and graph have files of their own. */
#include "cli/deps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"

/* show */

struct picture {
	json_t *own; /* depends.json */
	struct net net;
	int node;
	int *before; /* see graph_reach() */
	int depth;   /* -1: in a cycle */
	size_t total;
	json_t *indirect;
};

static void picture_done(struct picture *picture)
{
	json_decref(picture->own);
	json_decref(picture->indirect);
	net_done(&picture->net);
	free(picture->before);
}

/* How one comes there: the stacks between. */
static json_t *via(const struct picture *picture, int node)
{
	json_t *names = json_array();

	for (int at = picture->before[node]; at != picture->node; at = picture->before[at])
		json_array_insert_new(names, 0, json_string(picture->net.names[at]));
	return names;
}

static json_t *indirect(struct picture *picture)
{
	json_t *list = json_array();

	for (size_t i = 0; i < picture->net.count; i++) {
		int node = (int)i;

		if (picture->before[i] < 0 || node == picture->node)
			continue;
		picture->total++;
		if (picture->before[i] != picture->node)
			json_array_append_new(
				list, json_pack("{s:s, s:o, s:O}", "name", picture->net.names[i], "via",
					      via(picture, node), "version",
					      json_object_get(picture->net.stacks[i], "version")));
	}
	return list;
}

static int picture_make(struct command *command, const char *name, struct picture *picture)
{
	CLEANUP(cleanup_free) int *level = NULL;
	int r = stack_json(command, name, "depends.json", &picture->own);

	r = r < 0 ? r : net_load(command, &picture->net);
	r = r < 0 ? r : net_find_stack(command, &picture->net, name, &picture->node);
	if (r < 0)
		return r;
	picture->before = calloc(picture->net.count + 1, sizeof(*picture->before));
	level = calloc(picture->net.count + 1, sizeof(*level));
	if (!picture->before || !level || graph_levels(&picture->net.graph, level) < 0 ||
		graph_reach(&picture->net.graph, &picture->node, 1, picture->before) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	picture->depth = level[picture->node];
	picture->indirect = indirect(picture);
	return 0;
}

static json_t *picture_value(const struct picture *picture)
{
	return json_pack("{s:s, s:O, s:O, s:O, s:I, s:o}", "name", picture->net.names[picture->node],
		"depends", json_object_get(picture->own, "depends"), "indirect", picture->indirect,
		"dependents", json_object_get(picture->own, "dependents"), "total",
		(json_int_t)picture->total, "depth",
		picture->depth < 0 ? json_null() : json_integer(picture->depth));
}

/* "  • database (v2.1.0, requires >=2): what is wrong" */
static void print_direct(const json_t *dep)
{
	const char *version = print_text(dep, "version"), *requires = print_text(dep, "requires");
	const char *problem = print_text(dep, "problem");

	printf("  • %s", print_text(dep, "name"));
	if (*version || *requires)
		printf(" (");
	text_write_safe(stdout, version);
	if (*requires)
		printf("%srequires %s", *version ? ", " : "", requires);
	if (*version || *requires)
		putchar(')');
	if (*problem) {
		printf("%s: ", print_style(stdout, STYLE_YELLOW));
		text_write_safe(stdout, problem);
		fputs(print_style(stdout, STYLE_END), stdout);
	}
	putchar('\n');
}

static void print_indirect(const json_t *dep)
{
	const json_t *name;
	size_t i;

	printf("  • %s (via ", print_text(dep, "name"));
	json_array_foreach (json_object_get(dep, "via"), i, name)
		printf("%s%s", i ? " → " : "", json_string_value(name));
	puts(")");
}

static void print_list(const char *heading, const json_t *list, void (*print)(const json_t *value))
{
	const json_t *value;
	size_t i;

	printf("\n%s:\n", heading);
	json_array_foreach (list, i, value)
		print(value);
	if (!json_array_size(list))
		puts("  none");
}

static void print_name(const json_t *name)
{
	printf("  • %s\n", json_string_value(name));
}

static int show_run(struct command *command)
{
	const char *name = command->operands[0];
	CLEANUP(picture_done) struct picture picture = { 0 };
	int r = picture_make(command, name, &picture);

	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, picture_value(&picture));
	printf("Dependencies for: %s\n", name);
	print_list("Direct Dependencies", json_object_get(picture.own, "depends"), print_direct);
	print_list("Indirect Dependencies", picture.indirect, print_indirect);
	print_list("Dependents (stacks that depend on this)", json_object_get(picture.own, "dependents"),
		print_name);
	printf("\nTotal dependency count: %zu\n", picture.total);
	if (picture.depth < 0)
		puts("Dependency depth: none: they go round, see sloth stack deps check");
	else
		printf("Dependency depth: %d level%s\n", picture.depth, picture.depth == 1 ? "" : "s");
	return 0;
}

/* add, remove: lines for the file depends. */

static int write_depends(struct command *command, const char *stack, const char *line)
{
	CLEANUP(cleanup_free) char *path = NULL;
	int r = stack_path(command, stack, "depends", &path);

	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	return r < 0 ? r : client_write(&command->client, path, line, strlen(line), &command->fault, NULL);
}

static int check_other(struct command *command, const char *name)
{
	if (name_check(name) < 0)
		return fault_set(&command->fault, EINVAL, "\"%s\" is no name of a stack", name);
	return 0;
}

static int add_run(struct command *command)
{
	const char *stack = command->operands[0], *on = command->operands[1];
	CLEANUP(buffer_done) struct buffer requires = { 0 };
	CLEANUP(cleanup_free) char *line = NULL;
	int r = check_other(command, on);

	for (int i = 2; r == 0 && i < command->operand_count; i++) {
		if (strchr(command->operands[i], '\n'))
			return fault_set(&command->fault, EINVAL, "a constraint is one line");
		r = buffer_append_text(&requires, i > 2 ? " " : "");
		r = r < 0 ? r : buffer_append_text(&requires, command->operands[i]);
	}
	if (r == 0 && asprintf(&line, "%s %s\n", on, buffer_text(&requires)) < 0)
		r = -ENOMEM;
	/* "remove" is a word of that file: a stack that is called so is linked. */
	if (r == 0 && !strcmp(on, "remove"))
		return fault_set(
			&command->fault, EINVAL, "a stack called \"remove\": ln -s ../../remove deps/");
	r = r < 0 ? r : write_depends(command, stack, line);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command,
			json_pack("{ssssss}", "stack", stack, "on", on, "requires", buffer_text(&requires)));
	print_done("Stack '%s' depends on '%s'%s%s", stack, on, requires.size ? " " : "",
		buffer_text(&requires));
	return 0;
}

static int remove_run(struct command *command)
{
	const char *stack = command->operands[0], *on = command->operands[1];
	CLEANUP(cleanup_free) char *line = NULL;
	int r = check_other(command, on);

	if (r == 0 && asprintf(&line, "remove %s\n", on) < 0)
		r = -ENOMEM;
	r = r < 0 ? r : write_depends(command, stack, line);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{ssss}", "stack", stack, "removed", on));
	print_done("Stack '%s' no longer depends on '%s'", stack, on);
	return 0;
}

int deps_let_go(struct command *command, const char *name)
{
	CLEANUP(cleanup_free) char *folder = NULL;
	json_auto_t *entries = NULL;
	const json_t *entry;
	size_t i;
	int r = stack_path(command, name, "dependents", &folder);

	r = r < 0 ? r : client_list(&command->client, folder, false, &command->fault, &entries);
	json_array_foreach (entries, i, entry) {
		json_t *path = json_sprintf("%s/%s", folder, print_text(entry, "name"));

		r = r < 0 ? r
			  : client_call(&command->client, "unlink", json_pack("{sO}", "path", path), NULL, 0,
				    &command->fault, NULL);
		json_decref(path);
		if (r == 0 && command->format == FORMAT_TEXT)
			print_warning("stack %s depends on %s, which goes", print_text(entry, "name"), name);
	}
	return r;
}

/* check */

struct inquiry {
	const char *name; /* NULL: all */
	struct net net;
	int *before; /* by node: reached from `name`, or all are 0 */
	json_t *cycles, *problems;
};

static void inquiry_done(struct inquiry *inquiry)
{
	net_done(&inquiry->net);
	free(inquiry->before);
	json_decref(inquiry->cycles);
	json_decref(inquiry->problems);
}

static bool is_asked_for(const struct inquiry *inquiry, const char *name)
{
	int node = net_find(&inquiry->net, name);

	return node >= 0 && inquiry->before[node] >= 0;
}

/* Begins with the stack that was asked for, where that is in the cycle. */
static void turn_round(json_t *cycle, const char *name)
{
	json_t *stacks = json_object_get(cycle, "stacks");
	size_t i, at = 0;
	json_t *value;

	json_array_foreach (stacks, i, value)
		if (name && !strcmp(json_string_value(value), name))
			at = i;
	for (; at > 0; at--) {
		json_array_append(stacks, json_array_get(stacks, 0));
		json_array_remove(stacks, 0);
	}
}

static void keep_cycles(struct inquiry *inquiry)
{
	for (size_t i = json_array_size(inquiry->cycles); i > 0; i--) {
		json_t *cycle = json_array_get(inquiry->cycles, i - 1);
		const char *first = json_string_value(json_array_get(json_object_get(cycle, "stacks"), 0));

		if (!first || !is_asked_for(inquiry, first))
			json_array_remove(inquiry->cycles, i - 1);
		else
			turn_round(cycle, inquiry->name);
	}
}

static void find_problems(struct inquiry *inquiry)
{
	inquiry->problems = json_array();
	for (size_t i = 0; i < inquiry->net.count; i++) {
		const char *on;
		json_t *text;

		if (inquiry->before[i] < 0)
			continue;
		json_object_foreach (json_object_get(inquiry->net.stacks[i], "problems"), on, text)
			json_array_append_new(
				inquiry->problems, json_pack("{s:s, s:s, s:O}", "stack",
							   inquiry->net.names[i], "on", on, "problem", text));
	}
}

static int inquire(struct command *command, struct inquiry *inquiry)
{
	json_auto_t *own = NULL;
	int node = -1, r = 0;

	/* That one may look into it is found out here. */
	if (inquiry->name)
		r = stack_json(command, inquiry->name, "depends.json", &own);
	r = r < 0 ? r : net_load(command, &inquiry->net);
	if (r == 0 && inquiry->name)
		r = net_find_stack(command, &inquiry->net, inquiry->name, &node);
	r = r < 0 ? r : tree_json(command, "/graph/cycles.json", &inquiry->cycles);
	if (r < 0)
		return r;
	inquiry->before = calloc(inquiry->net.count + 1, sizeof(*inquiry->before));
	if (!inquiry->before ||
		(inquiry->name && graph_reach(&inquiry->net.graph, &node, 1, inquiry->before) < 0))
		return fault_set(&command->fault, ENOMEM, "no memory");
	keep_cycles(inquiry);
	find_problems(inquiry);
	return 0;
}

static void print_cycle(const json_t *cycle)
{
	const json_t *stacks = json_object_get(cycle, "stacks"), *cut = json_object_get(cycle, "cut"), *name;
	const char *from = json_string_value(json_array_get(cut, 0));
	const char *to = json_string_value(json_array_get(cut, 1));
	size_t i;

	printf("%s✗%s Circular dependency detected!\n\nCycle path:\n  ", print_style(stdout, STYLE_RED),
		print_style(stdout, STYLE_END));
	json_array_foreach (stacks, i, name)
		printf("%s -> ", json_string_value(name));
	printf("%s\n\n", json_string_value(json_array_get(stacks, 0)));
	printf("Resolution suggestions:\n"
	       "  1. Remove dependency: %s -> %s (the newest: sloth stack deps remove %s %s)\n"
	       "  2. Introduce intermediary stack\n"
	       "  3. Refactor to eliminate circular reference\n\n",
		from, to, from, to);
}

static void print_inquiry(const struct inquiry *inquiry)
{
	const json_t *value;
	size_t i;

	if (inquiry->name)
		printf("Checking dependencies for: %s\n\n", inquiry->name);
	else
		puts("Checking dependencies of all stacks\n");
	json_array_foreach (inquiry->cycles, i, value)
		print_cycle(value);
	if (!json_array_size(inquiry->cycles))
		print_done("No circular dependencies detected");
	json_array_foreach (inquiry->problems, i, value)
		print_warning("%s -> %s: %s", print_text(value, "stack"), print_text(value, "on"),
			print_text(value, "problem"));
	i = json_array_size(inquiry->problems);
	if (i)
		printf("\nDependency tree has %zu problem%s\n", i, i == 1 ? "" : "s");
	else if (!json_array_size(inquiry->cycles))
		puts("\nDependency tree is valid");
}

static int cycles_run(struct command *command)
{
	CLEANUP(inquiry_done)
	struct inquiry inquiry = { .name = command->operand_count ? command->operands[0] : NULL };
	int r = inquire(command, &inquiry), status;

	if (r < 0)
		return r;
	status = json_array_size(inquiry.cycles) ? fault_exit_status(ELOOP) : 0;
	if (command->format == FORMAT_TEXT) {
		print_inquiry(&inquiry);
		return status;
	}
	r = print_value(command,
		json_pack("{s:O, s:O, s:b}", "cycles", inquiry.cycles, "problems", inquiry.problems, "valid",
			!json_array_size(inquiry.cycles) && !json_array_size(inquiry.problems)));
	return r < 0 ? r : status;
}

const struct verb deps_verbs[] = {
	{ "show", .operands = "NAME", .help = "Show what a stack depends on, and what depends on it",
		.run = show_run },
	{ "add", .operands = "NAME ON [CONSTRAINT...]",
		.help = "Make a stack depend on another, perhaps in certain versions only: '>=2.1 <3'",
		.run = add_run },
	{ "remove", .alias = "rm", .operands = "NAME ON", .help = "Remove a dependency", .run = remove_run },
	{ "graph", .operands = "[NAME]", .help = "Draw dependencies: tree, dot, mermaid, json, svg, png",
		.options = deps_graph_options, .run = deps_graph_run },
	{ "check", .operands = "[NAME]",
		.help = "Look for cycles, for missing stacks and for versions that do not fit",
		.run = cycles_run },
	{ "order", .operands = "[NAME...]", .help = "In which order to run stacks, and how long it may take",
		.options = deps_order_options, .run = deps_order_run },
	{ NULL },
};
