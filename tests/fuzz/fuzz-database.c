/* SPDX-License-Identifier: MIT */
/*
 * A database that is damaged: bytes of its file are others. The engine opens it or says why not; everything
 * that the tree shows of it is read, or refused. Nothing that it says is trusted by its length, its number or
 * its form.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/fuzz/home.h"
#include "tests/fuzz/input.h"

enum { DEPTH = 5, NAMES = 400 };

struct walk {
	struct home *home;
	char path[1024];
	int depth, left;
};

static void nothing(struct request *request, ssize_t result)
{
}

static void show(struct walk *walk, uint64_t number)
{
	struct request request = {
		.tree = walk->home->tree, .done = nothing, .caller = { .groups_known = true }
	};
	struct handle *handle;
	char text[4096];
	ssize_t n;

	if (tree_open(walk->home->tree, &request, number, O_RDONLY, &handle) == 0) {
		n = tree_read(walk->home->tree, &request, handle, 0, text, sizeof(text));
		must(n <= (ssize_t)sizeof(text));
		if (n == LATER)
			tree_cancel(&request);
		tree_release(walk->home->tree, &request, handle);
	}
	caller_done(&request.caller);
}

static int each(void *userdata, const char *name, uint64_t child, enum kind kind);

static void below(struct walk *walk, uint64_t number)
{
	struct request request = {
		.tree = walk->home->tree, .done = nothing, .caller = { .groups_known = true }
	};

	if (walk->depth >= DEPTH)
		return;
	walk->depth++;
	tree_list(walk->home->tree, &request, number, each, walk);
	walk->depth--;
	caller_done(&request.caller);
}

static int each(void *userdata, const char *name, uint64_t child, enum kind kind)
{
	struct walk *walk = userdata;
	struct request request = {
		.tree = walk->home->tree, .done = nothing, .caller = { .groups_known = true }
	};
	CLEANUP(buffer_done) struct buffer target = { 0 };
	struct attr attr;

	if (--walk->left <= 0)
		return 1;
	if (tree_getattr(walk->home->tree, &request, child, NULL, &attr) == 0) {
		if (kind == KIND_DIRECTORY)
			below(walk, child);
		else if (kind == KIND_LINK)
			tree_readlink(walk->home->tree, &request, child, &target);
		else
			show(walk, child);
	}
	caller_done(&request.caller);
	return 0;
}

/* Where, and which byte then. */
static void damage(const char *path, struct input *input)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t size;

	must(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	while (input->left >= 4) {
		off_t at = (off_t)(input_short(input) << 8 | input_byte(input)) % size;
		char byte = (char)input_byte(input);

		must(pwrite(fd, &byte, 1, at) == 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct fault fault = { 0 };
	struct walk walk;
	struct home home;
	struct attr attr;
	struct request request = { .done = nothing, .caller = { .groups_known = true } };

	home_copy(&home);
	damage(home.database, &input);
	home.loop = ev_default_loop(EVFLAG_NOENV);
	if (engine_new(home.path, home.loop, &fault, &home.engine) < 0) {
		must(fault.code && *fault.text);
		home.engine = NULL;
	} else if (tree_new(home.engine, &home.tree) == 0) {
		walk = (struct walk){ .home = &home, .left = NAMES };
		request.tree = home.tree;
		if (tree_walk(home.tree, &request, "/", &attr) == 0)
			below(&walk, attr.number);
		caller_done(&request.caller);
		engine_turn_end(home.engine);
	}
	home_free(&home);
	return 0;
}
