/* SPDX-License-Identifier: MIT */
/* stack deps order: in which order to run stacks, what can go at the same time, how long it may take. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/deps.h"
#include "cli/print.h"

const struct option deps_order_options[] = {
	{ "all", 'a', NULL, "all stacks" },
	{ NULL },
};

struct plan {
	struct net net;
	struct part part; /* what is run; without what is missing */
	bool *asked;	  /* by node of the net */
	bool *taken;
	int *level; /* by node of the part */
	int levels;
	int *order; /* nodes of the part, by level and name */
	int64_t total_ms, parallel_ms;
	size_t unknown;
	json_t *missing;
};

static void plan_done(struct plan *plan)
{
	part_done(&plan->part);
	net_done(&plan->net);
	free(plan->asked);
	free(plan->taken);
	free(plan->level);
	free(plan->order);
	json_decref(plan->missing);
}

static int ask_for(struct command *command, struct plan *plan)
{
	int node, r = 0;

	if (command_flag(command, "all") == (command->operand_count > 0))
		return fault_set(&command->fault, EINVAL, "name the stacks, or say --all: one of the two");
	for (size_t i = 0; i < plan->net.count; i++)
		plan->asked[i] = command_flag(command, "all");
	for (int i = 0; r == 0 && i < command->operand_count; i++) {
		r = net_find_stack(command, &plan->net, command->operands[i], &node);
		if (r == 0)
			plan->asked[node] = true;
	}
	return r;
}

/* What was asked for and all that it needs, but for what is not there. */
static int take_all(struct plan *plan)
{
	CLEANUP(cleanup_free) int *starts = calloc(plan->net.count + 1, sizeof(*starts));
	CLEANUP(cleanup_free) int *before = calloc(plan->net.count + 1, sizeof(*before));
	size_t count = 0;

	if (!starts || !before)
		return -ENOMEM;
	for (size_t i = 0; i < plan->net.count; i++)
		if (plan->asked[i])
			starts[count++] = (int)i;
	if (graph_reach(&plan->net.graph, starts, count, before) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < plan->net.count; i++) {
		plan->taken[i] = before[i] >= 0 && !net_missing(&plan->net, (int)i);
		if (before[i] >= 0 && !plan->taken[i])
			json_array_append_new(plan->missing, json_string(plan->net.names[i]));
	}
	return part_init(&plan->part, &plan->net, plan->taken);
}

static int sort(struct command *command, struct plan *plan)
{
	CLEANUP(cleanup_free) size_t *place = calloc(plan->part.count + 2, sizeof(*place));

	plan->level = calloc(plan->part.count + 1, sizeof(*plan->level));
	plan->order = calloc(plan->part.count + 1, sizeof(*plan->order));
	plan->levels =
		place && plan->level && plan->order ? graph_levels(&plan->part.graph, plan->level) : -ENOMEM;
	if (plan->levels < 0)
		return plan->levels;
	for (size_t i = 0; i < plan->part.count; i++) {
		CLEANUP(cleanup_free) char *way = NULL;

		if (plan->level[i] >= 0) {
			place[plan->level[i] + 1]++;
			continue;
		}
		way = part_cycle(&plan->part);
		return fault_set(&command->fault, ELOOP,
			"the dependencies go round, so that there is no order: %s; see sloth stack deps "
			"check",
			way ? way : "?");
	}
	for (int i = 0; i < plan->levels; i++)
		place[i + 1] += place[i];
	for (size_t i = 0; i < plan->part.count; i++)
		plan->order[place[plan->level[i]]++] = (int)i;
	return 0;
}

static int estimate(struct plan *plan)
{
	CLEANUP(cleanup_free) int64_t *cost = calloc(plan->part.count + 1, sizeof(*cost));
	CLEANUP(cleanup_free) int64_t *end = calloc(plan->part.count + 1, sizeof(*end));

	if (!cost || !end)
		return -ENOMEM;
	for (size_t i = 0; i < plan->part.count; i++) {
		cost[i] = net_run_ms(&plan->net, plan->part.nodes[i]);
		plan->total_ms += cost[i];
		plan->unknown += cost[i] == 0;
	}
	plan->parallel_ms = graph_finish(&plan->part.graph, cost, end);
	return plan->parallel_ms < 0 ? -ENOMEM : 0;
}

static int plan_make(struct command *command, struct plan *plan)
{
	int r = net_load(command, &plan->net);

	if (r < 0)
		return r;
	plan->asked = calloc(plan->net.count + 1, sizeof(*plan->asked));
	plan->taken = calloc(plan->net.count + 1, sizeof(*plan->taken));
	plan->missing = json_array();
	if (!plan->asked || !plan->taken || !plan->missing)
		return -ENOMEM;
	r = ask_for(command, plan);
	r = r < 0 ? r : take_all(plan);
	r = r < 0 ? r : sort(command, plan);
	return r < 0 ? r : estimate(plan);
}

static bool is_added(const struct plan *plan, int node)
{
	return !plan->asked[plan->part.nodes[node]];
}

static json_t *stack_value(const struct plan *plan, int node)
{
	const struct graph *graph = &plan->part.graph;
	int64_t ms = net_run_ms(&plan->net, plan->part.nodes[node]);
	json_t *depends = json_array();

	for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++)
		json_array_append_new(depends, json_string(part_name(&plan->part, graph->to[i])));
	return json_pack("{s:s, s:i, s:b, s:o, s:o}", "name", part_name(&plan->part, node), "group",
		plan->level[node] + 1, "added", is_added(plan, node), "depends", depends, "run_ms",
		ms ? json_integer(ms) : json_null());
}

static json_t *plan_value(const struct plan *plan)
{
	json_t *order = json_array(), *groups = json_array();

	for (int i = 0; i < plan->levels; i++)
		json_array_append_new(groups, json_array());
	for (size_t i = 0; i < plan->part.count; i++) {
		int node = plan->order[i];

		json_array_append_new(order, stack_value(plan, node));
		json_array_append_new(json_array_get(groups, (size_t)plan->level[node]),
			json_string(part_name(&plan->part, node)));
	}
	return json_pack("{s:o, s:o, s:O, s:I, s:I, s:I}", "order", order, "groups", groups, "missing",
		plan->missing, "total_ms", (json_int_t)plan->total_ms, "parallel_ms",
		(json_int_t)plan->parallel_ms, "without_estimate", (json_int_t)plan->unknown);
}

static void print_stack(const struct plan *plan, size_t number, int width)
{
	const struct graph *graph = &plan->part.graph;
	int node = plan->order[number];
	size_t first = graph->first[node], end = graph->first[node + 1];

	printf("  %*zu. %s (", width, number + 1, part_name(&plan->part, node));
	if (first == end)
		fputs("no dependencies", stdout);
	for (size_t i = first; i < end; i++)
		printf("%s%s", i == first ? "depends on: " : ", ", part_name(&plan->part, graph->to[i]));
	puts(is_added(plan, node) ? ") (added)" : ")");
}

static void print_groups(const struct plan *plan)
{
	int last = -1;

	fputs("Parallelizable groups:", stdout);
	for (size_t i = 0; i < plan->part.count; i++) {
		int level = plan->level[plan->order[i]];

		if (level != last)
			printf("\n  Group %d: ", level + 1);
		else
			fputs(", ", stdout);
		fputs(part_name(&plan->part, plan->order[i]), stdout);
		last = level;
	}
	putchar('\n');
}

static void print_estimates(const struct plan *plan)
{
	char total[32], parallel[32];

	if (plan->unknown == plan->part.count) {
		puts("\nTotal execution time estimate: not known: none of them has run with success yet");
		print_groups(plan);
		return;
	}
	printf("\nTotal execution time estimate: ~%s", print_duration(plan->total_ms, total));
	if (plan->unknown)
		printf(" (without %zu of %zu, which have not run with success yet)", plan->unknown,
			plan->part.count);
	putchar('\n');
	print_groups(plan);
	printf("\nWith parallelization: ~%s\n", print_duration(plan->parallel_ms, parallel));
}

static void print_plan(const struct plan *plan)
{
	int width = snprintf(NULL, 0, "%zu", plan->part.count);
	const json_t *name;
	size_t i;

	puts("Recommended execution order:");
	for (size_t n = 0; n < plan->part.count; n++)
		print_stack(plan, n, width);
	print_estimates(plan);
	json_array_foreach (plan->missing, i, name)
		print_warning("there is no stack %s, on which some of them depend", json_string_value(name));
}

int deps_order_run(struct command *command)
{
	CLEANUP(plan_done) struct plan plan = { 0 };
	int r = plan_make(command, &plan);

	if (r < 0)
		return fault_default(&command->fault, -r, "no memory");
	if (command->format != FORMAT_TEXT)
		return print_value(command, plan_value(&plan));
	if (plan.part.count)
		print_plan(&plan);
	else
		puts("There are no stacks.");
	return 0;
}
