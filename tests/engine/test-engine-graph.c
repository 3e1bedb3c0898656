/* SPDX-License-Identifier: MIT */
/* Graphs: levels, reach, the longest way, cycles, ways; long chains; and random graphs against the plain
 * definition. */
#include "tests/engine/fixture.h"

#include <stdlib.h>
#include <string.h>

#include "engine/graph.h"

enum { CHAIN = 100000, RANDOM_NODES = 9 };

/* The example of the documents: 0 network, 1 storage, 2 cache, 3 database, 4 backend, 5 frontend. */
static const struct graph_edge example[] = {
	{ 1, 0 },
	{ 2, 0 },
	{ 3, 0 },
	{ 3, 1 },
	{ 4, 3 },
	{ 4, 2 },
	{ 5, 4 },
};

static struct graph graph_of(size_t count, const struct graph_edge *edges, size_t edge_count)
{
	struct graph graph;

	assert_int_equal(graph_init(&graph, count, edges, edge_count), 0);
	return graph;
}

static void test_levels(void **state)
{
	struct graph graph = graph_of(6, example, 7);
	const int expected[] = { 0, 1, 1, 2, 3, 4 };
	int level[6];

	assert_int_equal(graph_levels(&graph, level), 5);
	assert_memory_equal(level, expected, sizeof(expected));
	graph_done(&graph);
}

static void test_levels_with_a_cycle(void **state)
{
	const struct graph_edge edges[] = { { 0, 1 }, { 1, 0 }, { 2, 0 }, { 3, 4 } };
	const int expected[] = { -1, -1, -1, 1, 0 };
	struct graph graph = graph_of(5, edges, 4);
	int level[5];

	assert_int_equal(graph_levels(&graph, level), 2);
	assert_memory_equal(level, expected, sizeof(expected));
	graph_done(&graph);
}

static void test_reach(void **state)
{
	struct graph graph = graph_of(6, example, 7);
	const int expected[] = { 3, 3, -1, 3, -1, -1 };
	const int start = 3;
	int before[6];

	assert_int_equal(graph_reach(&graph, &start, 1, before), 0);
	assert_memory_equal(before, expected, sizeof(expected));
	graph_done(&graph);
}

static void test_finish(void **state)
{
	struct graph graph = graph_of(6, example, 7);
	const int64_t cost[] = { 5, 3, 4, 2, 1, 1 }, expected[] = { 5, 8, 9, 10, 11, 12 };
	int64_t end[6];

	assert_int_equal(graph_finish(&graph, cost, end), 12);
	assert_memory_equal(end, expected, sizeof(expected));
	graph_done(&graph);
}

static int print_cycle(void *userdata, const struct graph_cycle *cycle)
{
	for (size_t i = 0; i < cycle->count; i++)
		fprintf(userdata, "%d%s", cycle->nodes[i], i == cycle->cut ? "!" : " ");
	fputs("; ", userdata);
	return 0;
}

static char *cycles_of(
	size_t count, const struct graph_edge *edges, size_t edge_count, const int64_t *age, size_t max)
{
	struct graph graph = graph_of(count, edges, edge_count);
	char *text = SHOWN(assert_int_equal(graph_cycles(&graph, age, max, print_cycle, out), 0));

	graph_done(&graph);
	return text;
}

static void test_cycles(void **state)
{
	const struct graph_edge edges[] = { { 0, 1 }, { 1, 2 }, { 2, 0 }, { 3, 4 }, { 4, 3 }, { 5, 5 },
		{ 6, 0 } };
	const int64_t age[] = { 1, 9, 3, 4, 5, 6, 7 };
	CLEANUP(cleanup_free) char *all = cycles_of(7, edges, 7, age, 100);
	CLEANUP(cleanup_free) char *some = cycles_of(7, edges, 7, age, 1);
	CLEANUP(cleanup_free) char *none = cycles_of(6, example, 7, age, 100);

	assert_string_equal(all, "0 1!2 ; 3 4!; 5!; ");
	assert_string_equal(some, "0 1!2 ; ");
	assert_string_equal(none, "");
}

/* Two cycles in one knot: the short one first; when its newest edge is cut, the other is still told of. */
static void test_knot(void **state)
{
	const struct graph_edge edges[] = { { 0, 1 }, { 1, 0 }, { 1, 2 }, { 2, 3 }, { 3, 0 } };
	const int64_t shared_is_old[] = { 1, 2, 3, 4, 5 }, shared_is_new[] = { 9, 2, 3, 4, 5 };
	CLEANUP(cleanup_free) char *both = cycles_of(4, edges, 5, shared_is_old, 100);
	CLEANUP(cleanup_free) char *one = cycles_of(4, edges, 5, shared_is_new, 100);

	assert_string_equal(both, "0 1!; 0 1 2 3!; ");
	assert_string_equal(one, "0!1 ; ");
}

static void test_long_chain(void **state)
{
	CLEANUP(cleanup_free) struct graph_edge *edges = calloc(CHAIN, sizeof(*edges));
	CLEANUP(cleanup_free) int64_t *age = calloc(CHAIN, sizeof(*age));
	CLEANUP(cleanup_free) int *level = calloc(CHAIN, sizeof(*level));
	CLEANUP(cleanup_free) char *cycle = NULL;
	struct graph graph;

	for (int i = 0; i < CHAIN; i++) {
		edges[i] = (struct graph_edge){ i, (i + 1) % CHAIN };
		age[i] = i;
	}
	graph = graph_of(CHAIN, edges, CHAIN - 1);
	assert_int_equal(graph_levels(&graph, level), CHAIN);
	assert_int_equal(level[0], CHAIN - 1);
	graph_done(&graph);
	cycle = cycles_of(CHAIN, edges, CHAIN, age, 1);
	assert_non_null(strstr(cycle, "99999!; "));
}

/* A graph as a matrix, to be asked for neighbours. */
struct matrix {
	bool joined[RANDOM_NODES][RANDOM_NODES];
};

static int matrix_neighbours(void *userdata, int64_t node, bool backward, struct graph_search *search)
{
	const struct matrix *matrix = userdata;

	for (int other = 0; other < RANDOM_NODES; other++)
		if (backward ? matrix->joined[other][node] : matrix->joined[node][other])
			graph_search_add(search, other);
	return 0;
}

static void matrix_close(struct matrix *matrix)
{
	for (int k = 0; k < RANDOM_NODES; k++)
		for (int i = 0; i < RANDOM_NODES; i++)
			for (int j = 0; j < RANDOM_NODES; j++)
				matrix->joined[i][j] |= matrix->joined[i][k] && matrix->joined[k][j];
}

static void check_ways(struct matrix *matrix, const struct matrix *closed)
{
	const struct graph_source source = { matrix_neighbours, matrix };

	for (int from = 0; from < RANDOM_NODES; from++)
		for (int to = 0; to < RANDOM_NODES; to++) {
			int64_t *path = NULL;
			size_t count;

			assert_int_equal(graph_path(&source, from, to, &path, &count), 0);
			assert_int_equal(count > 0, from == to || closed->joined[from][to]);
			for (size_t i = 1; i < count; i++)
				assert_true(matrix->joined[path[i - 1]][path[i]]);
			if (count) {
				assert_int_equal(path[0], from);
				assert_int_equal(path[count - 1], to);
			}
			free(path);
		}
}

struct cutting {
	struct matrix *matrix;
};

static int cut_edge(void *userdata, const struct graph_cycle *cycle)
{
	struct cutting *cutting = userdata;

	for (size_t i = 0; i < cycle->count; i++)
		assert_true(cutting->matrix->joined[cycle->nodes[i]][cycle->nodes[(i + 1) % cycle->count]]);
	cutting->matrix->joined[cycle->nodes[cycle->cut]][cycle->nodes[(cycle->cut + 1) % cycle->count]] =
		false;
	return 0;
}

static void test_random_graphs(void **state)
{
	srand(7);
	for (int round = 0; round < 400; round++) {
		struct graph_edge edges[RANDOM_NODES * RANDOM_NODES];
		struct matrix matrix = { 0 }, closed;
		int64_t age[RANDOM_NODES * RANDOM_NODES];
		int level[RANDOM_NODES], before[RANDOM_NODES], start;
		struct graph graph;
		size_t n = 0;

		for (int i = 0; i < 1 + round % 30; i++) {
			int from = rand() % RANDOM_NODES, to = rand() % RANDOM_NODES;

			age[n] = rand();
			edges[n++] = (struct graph_edge){ from, to };
			matrix.joined[from][to] = true;
		}
		closed = matrix;
		matrix_close(&closed);
		check_ways(&matrix, &closed);
		graph = graph_of(RANDOM_NODES, edges, n);
		graph_levels(&graph, level);
		for (int i = 0; i < RANDOM_NODES; i++) {
			bool stuck = closed.joined[i][i];

			for (int j = 0; j < RANDOM_NODES; j++)
				stuck |= closed.joined[i][j] && closed.joined[j][j];
			assert_int_equal(level[i] < 0, stuck);
		}
		start = round % RANDOM_NODES;
		graph_reach(&graph, &start, 1, before);
		for (int i = 0; i < RANDOM_NODES; i++)
			assert_int_equal(before[i] >= 0, i == start || closed.joined[start][i]);
		/* Without the edges that are to be cut, no cycle is left. */
		assert_int_equal(graph_cycles(&graph, age, 100, cut_edge, &(struct cutting){ &matrix }), 0);
		matrix_close(&matrix);
		for (int i = 0; i < RANDOM_NODES; i++)
			assert_false(matrix.joined[i][i]);
		graph_done(&graph);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_levels_with_a_cycle),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_knot),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_random_graphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
