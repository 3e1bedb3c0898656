/* SPDX-License-Identifier: MIT */
/* The graph of tasks: cycles, orders, levels, and the queue of what may start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those four, as cmocka wants it */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/graph.h"

enum { MANY = 20000 };

#define NODE(...)                                                                                            \
	{                                                                                                    \
		.depends = (const int[]){ __VA_ARGS__ },                                                     \
		.depends_count = sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int),                         \
	}
#define COUNT(nodes) (sizeof(nodes) / sizeof((nodes)[0]))

/* Ranks as "first second …": the nodes in the order in which they start. */
static void assert_starts(const struct graph_node *nodes, size_t count, const char *wanted)
{
	int rank[16], at[16];
	char text[64] = "";

	assert_int_equal(graph_rank(nodes, count, rank), 0);
	for (size_t i = 0; i < count; i++)
		at[rank[i]] = (int)i;
	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), i ? " %d" : "%d", at[i]);
	assert_string_equal(text, wanted);
}

static void assert_cycle(const struct graph_node *nodes, size_t count, int length)
{
	int path[16];

	assert_int_equal(graph_find_cycle(nodes, count, path), length);
	/* Each depends on the next, and the last on the first. */
	for (int i = 0; i < length; i++) {
		const struct graph_node *node = &nodes[path[i]];
		int next = path[(i + 1) % length];
		size_t k = 0;

		while (k < node->depends_count && node->depends[k] != next)
			k++;
		assert_true(k < node->depends_count);
	}
}

static void test_cycles(void **state)
{
	const struct graph_node none[] = { { 0 }, NODE(0), NODE(0, 1), NODE(1, 2, 0) };
	const struct graph_node self[] = { { 0 }, NODE(0, 1) };
	const struct graph_node two[] = { NODE(1), NODE(0) };
	const struct graph_node before[] = { NODE(1), NODE(2), NODE(1) };
	const struct graph_node deep[] = { { 0 }, NODE(0, 2), NODE(3), NODE(0, 1), NODE(0), NODE(4, 1) };

	assert_cycle(NULL, 0, 0);
	assert_cycle(none, COUNT(none), 0);
	assert_cycle(self, COUNT(self), 1);
	assert_cycle(two, COUNT(two), 2);
	assert_cycle(deep, COUNT(deep), 3);
	/* One that leads into a cycle is not of it. */
	assert_cycle(before, COUNT(before), 2);
}

static void test_sort(void **state)
{
	/* 0 needs the last one; the others stand in no relation. */
	const struct graph_node nodes[] = { NODE(4, 2), { 0 }, NODE(3), { 0 }, { 0 } };
	const int wanted[] = { 4, 3, 2, 0, 1 }, levels[] = { 3, 1, 2, 1, 1 };
	int order[5], level[5] = { 0 };

	assert_int_equal(graph_sort(nodes, COUNT(nodes), order), 0);
	assert_memory_equal(order, wanted, sizeof(order));
	assert_int_equal(graph_levels(nodes, COUNT(nodes), level), 0);
	assert_memory_equal(level, levels, sizeof(level));
	assert_int_equal(graph_sort(NULL, 0, order), 0);
}

static void test_rank(void **state)
{
	const struct graph_node plain[] = { { 0 }, { 0 }, { 0 } };
	/* Two tasks wait for 2 one after the other, one for 1, none for 0. */
	const struct graph_node paths[] = { { 0 }, { 0 }, { 0 }, NODE(1), NODE(2), NODE(4) };
	struct graph_node urgent[6];

	assert_starts(plain, COUNT(plain), "0 1 2");
	assert_starts(paths, COUNT(paths), "2 1 4 0 3 5");
	/* Priority counts more than paths, below 0, too. */
	memcpy(urgent, paths, sizeof(urgent));
	urgent[0].priority = 1;
	urgent[2].priority = -1;
	assert_starts(urgent, COUNT(urgent), "0 1 4 3 5 2");
	/* The longest path counts, however many lead to a node, and in whatever order they are found. */
	const struct graph_node wide[] = { { 0 }, { 0 }, NODE(1), NODE(2), NODE(0), NODE(0), NODE(0) };
	assert_starts(wide, COUNT(wide), "1 0 2 3 4 5 6");
	const struct graph_node both[] = { { 0 }, { 0 }, NODE(1), NODE(1), NODE(3), NODE(0) };
	assert_starts(both, COUNT(both), "1 0 3 2 4 5");
}

static void assert_popped(struct graph_queue *queue, const char *wanted)
{
	char text[128] = "";
	int node;

	while ((node = graph_queue_pop(queue)) >= 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d ", node);
	assert_string_equal(text, wanted);
}

static void test_queue(void **state)
{
	const int rank[] = { 4, 0, 3, 1, 2, 5 };
	struct graph_queue queue;

	assert_int_equal(graph_queue_init(&queue, rank, COUNT(rank)), 0);
	assert_int_equal(graph_queue_pop(&queue), -1);
	for (int i = 0; i < 6; i++)
		graph_queue_push(&queue, i);
	assert_popped(&queue, "1 3 4 2 0 5 ");
	/* What comes later goes before what waits behind it. */
	graph_queue_push(&queue, 5);
	graph_queue_push(&queue, 2);
	assert_int_equal(graph_queue_pop(&queue), 2);
	graph_queue_push(&queue, 0);
	graph_queue_push(&queue, 1);
	assert_popped(&queue, "1 0 5 ");
	graph_queue_done(&queue);
}

/* A chain and a heap that no stack of calls would hold. */
static void test_many(void **state)
{
	struct graph_node *nodes = calloc(MANY, sizeof(*nodes));
	int *before = calloc(MANY, sizeof(*before)), *numbers = calloc(MANY, sizeof(*numbers));
	struct graph_queue queue;

	assert_true(nodes && before && numbers);
	/* Each depends on the one that is defined after it. */
	for (int i = 0; i < MANY - 1; i++) {
		before[i] = i + 1;
		nodes[i] = (struct graph_node){ .depends = &before[i], .depends_count = 1 };
	}
	assert_int_equal(graph_find_cycle(nodes, MANY, numbers), 0);
	assert_int_equal(graph_sort(nodes, MANY, numbers), 0);
	assert_int_equal(numbers[0], MANY - 1);
	assert_int_equal(numbers[MANY - 1], 0);
	memset(numbers, 0, MANY * sizeof(*numbers));
	assert_int_equal(graph_levels(nodes, MANY, numbers), 0);
	assert_int_equal(numbers[0], MANY);
	assert_int_equal(graph_rank(nodes, MANY, numbers), 0);
	assert_int_equal(graph_queue_init(&queue, numbers, MANY), 0);
	for (int i = 0; i < MANY; i++)
		graph_queue_push(&queue, (int)((int64_t)i * 7919 % MANY));
	for (int i = MANY; i-- > 0;)
		assert_int_equal(graph_queue_pop(&queue), i);
	graph_queue_done(&queue);
	nodes[MANY - 1] = (struct graph_node){ .depends = (const int[]){ 0 }, .depends_count = 1 };
	assert_int_equal(graph_find_cycle(nodes, MANY, numbers), MANY);
	free(nodes);
	free(before);
	free(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_rank),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
