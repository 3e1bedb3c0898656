/* SPDX-License-Identifier: MIT */
/* A way between two nodes of a graph that is asked for piece by piece. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "engine/graph.h"

enum { NOBODY = -1, SIZE_AT_START = 64 };

/* What was reached from one end: nodes in the order in which they were, each with whom it was reached from,
 * and a hash table of their places. */
struct front {
	struct reached {
		int64_t node;
		ssize_t before; /* place, NOBODY for the end itself */
	} * reached;
	size_t count, room;
	size_t done;	   /* those whose neighbours are known */
	size_t *slots;	   /* place + 1; 0: free */
	size_t slot_count; /* a power of two, at least twice the room */
};

struct graph_search {
	struct front forward, backward;
	struct front *mine; /* which of them goes on now */
	int error;
	/* Where both met, as places in each. */
	bool met;
	size_t met_forward, met_backward;
};

static size_t slot_of(const struct front *front, int64_t node)
{
	size_t slot = ((uint64_t)node * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & (front->slot_count - 1);

	while (front->slots[slot] && front->reached[front->slots[slot] - 1].node != node)
		slot = (slot + 1) & (front->slot_count - 1);
	return slot;
}

static int front_grow(struct front *front)
{
	size_t room = front->room ? 2 * front->room : SIZE_AT_START;
	struct reached *reached = realloc(front->reached, room * sizeof(*reached));
	size_t *slots;

	if (!reached)
		return -ENOMEM;
	front->reached = reached;
	slots = calloc(2 * room, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(front->slots);
	front->slots = slots;
	front->slot_count = 2 * room;
	front->room = room;
	for (size_t i = 0; i < front->count; i++)
		slots[slot_of(front, reached[i].node)] = i + 1;
	return 0;
}

static int front_add(struct front *front, int64_t node, ssize_t before, size_t *ret_place)
{
	size_t slot;

	if (front->count == front->room && front_grow(front) < 0)
		return -ENOMEM;
	slot = slot_of(front, node);
	if (front->slots[slot]) {
		*ret_place = front->slots[slot] - 1;
		return 0;
	}
	front->reached[front->count] = (struct reached){ node, before };
	*ret_place = front->count++;
	front->slots[slot] = front->count;
	return 1;
}

static void search_done(struct graph_search *search)
{
	free(search->forward.reached);
	free(search->forward.slots);
	free(search->backward.reached);
	free(search->backward.slots);
}

static void meet(struct graph_search *search, int64_t node, size_t place)
{
	bool forward = search->mine == &search->forward;
	const struct front *other = forward ? &search->backward : &search->forward;
	size_t slot = slot_of(other, node);

	if (!other->slots[slot])
		return;
	search->met = true;
	search->met_forward = forward ? place : other->slots[slot] - 1;
	search->met_backward = forward ? other->slots[slot] - 1 : place;
}

void graph_search_add(struct graph_search *search, int64_t node)
{
	size_t place;
	int r;

	if (search->met || search->error)
		return;
	r = front_add(search->mine, node, (ssize_t)search->mine->done, &place);
	if (r < 0)
		search->error = r;
	else if (r > 0)
		meet(search, node, place);
}

/* From the start to where they met, and from there to the end. */
static int path_build(const struct graph_search *search, int64_t **ret_path, size_t *ret_count)
{
	const struct reached *forward = search->forward.reached, *backward = search->backward.reached;
	size_t before = 0, after = 0, n = 0;
	int64_t *path;

	for (ssize_t i = (ssize_t)search->met_forward; i != NOBODY; i = forward[i].before)
		before++;
	for (ssize_t i = backward[search->met_backward].before; i != NOBODY; i = backward[i].before)
		after++;
	path = calloc(before + after, sizeof(*path));
	if (!path)
		return -ENOMEM;
	n = before;
	for (ssize_t i = (ssize_t)search->met_forward; i != NOBODY; i = forward[i].before)
		path[--n] = forward[i].node;
	n = before;
	for (ssize_t i = backward[search->met_backward].before; i != NOBODY; i = backward[i].before)
		path[n++] = backward[i].node;
	*ret_path = path;
	*ret_count = n;
	return 0;
}

int graph_path(
	const struct graph_source *source, int64_t from, int64_t to, int64_t **ret_path, size_t *ret_count)
{
	CLEANUP(search_done) struct graph_search search = { 0 };
	size_t place;

	if (front_add(&search.backward, to, NOBODY, &place) < 0)
		return -ENOMEM;
	search.mine = &search.forward;
	if (front_add(&search.forward, from, NOBODY, &place) < 0)
		return -ENOMEM;
	meet(&search, from, place);
	while (!search.met) {
		struct front *forward = &search.forward, *backward = &search.backward;
		int r;

		/* An end that knows all its neighbours has not found the other. */
		if (forward->done == forward->count || backward->done == backward->count) {
			*ret_count = 0;
			return 0;
		}
		search.mine = forward->count <= backward->count ? forward : backward;
		r = source->neighbours(source->userdata, search.mine->reached[search.mine->done].node,
			search.mine == backward, &search);
		if (r == 0)
			r = search.error;
		if (r < 0)
			return r;
		search.mine->done++;
	}
	return path_build(&search, ret_path, ret_count);
}
