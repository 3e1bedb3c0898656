/* SPDX-License-Identifier: MIT */
/* A tree without a mount, for each test. */
#include "tests/fs/world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world world;

void answered(struct request *request, ssize_t result)
{
	world.answered = result;
	world.answers++;
}

struct request *as(uid_t uid)
{
	caller_done(&world.request.caller);
	world.request = (struct request){ .tree = world.tree,
		.done = answered,
		.caller = { .uid = uid, .gid = uid, .pid = getpid(), .groups_known = true } };
	return &world.request;
}

int walk(uid_t uid, const char *path, struct attr *ret_attr)
{
	return tree_walk(world.tree, as(uid), path, ret_attr);
}

int make_stack(uid_t uid, const char *name, mode_t mode)
{
	struct attr folder, attr;

	assert_int_equal(walk(uid, "/stacks", &folder), 0);
	return tree_mkdir(world.tree, as(uid), folder.number, name, mode, &attr);
}

int open_path(uid_t uid, const char *path, int flags, struct handle **ret_handle)
{
	struct attr attr;
	int r = walk(uid, path, &attr);

	return r < 0 ? r : tree_open(world.tree, as(uid), attr.number, flags, ret_handle);
}

const char *read_path(uid_t uid, const char *path)
{
	static char text[4096];
	struct handle *handle;
	ssize_t n;
	int r = open_path(uid, path, O_RDONLY, &handle);

	if (r < 0)
		return strerror(-r);
	n = tree_read(world.tree, as(uid), handle, 0, text, sizeof(text) - 1);
	tree_release(world.tree, &world.request, handle);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

int write_path(uid_t uid, const char *path, const char *content)
{
	struct handle *handle;
	ssize_t n;
	int r = open_path(uid, path, O_WRONLY | O_TRUNC, &handle);

	if (r < 0)
		return r;
	n = tree_write(world.tree, as(uid), handle, 0, content, strlen(content));
	r = n < 0 ? (int)n : tree_flush(world.tree, &world.request, handle);
	tree_release(world.tree, &world.request, handle);
	return r;
}

int create(uid_t uid, const char *folder_path, const char *name, struct handle **ret_handle)
{
	struct attr folder, attr;
	int r = walk(uid, folder_path, &folder);

	return r < 0 ? r
		     : tree_create(world.tree, as(uid), folder.number, name, 0644, O_WRONLY | O_CREAT,
			       ret_handle, &attr);
}

int remove_name(uid_t uid, const char *folder_path, const char *name)
{
	struct attr folder;
	int r = walk(uid, folder_path, &folder);

	return r < 0 ? r : tree_unlink(world.tree, as(uid), folder.number, name);
}

int rename_name(uid_t uid, const char *folder_path, const char *name, const char *new_name)
{
	struct attr folder;
	int r = walk(uid, folder_path, &folder);

	return r < 0 ? r
		     : tree_rename(world.tree, as(uid), folder.number, name, folder.number, new_name, false);
}

static void note_stale(void *userdata, uint64_t number)
{
	if (world.stale_count < sizeof(world.stale) / sizeof(world.stale[0]))
		world.stale[world.stale_count++] = number;
}

int world_setup(void **state)
{
	struct fault fault = { 0 };

	memset(&world, 0, sizeof(world));
	strcpy(world.home, "/tmp/sloth-tree-XXXXXX");
	if (!mkdtemp(world.home))
		return -1;
	world.loop = ev_default_loop(EVFLAG_NOENV);
	if (engine_new(world.home, world.loop, &fault, &world.engine) < 0 ||
		tree_new(world.engine, &world.tree) < 0) {
		fprintf(stderr, "%s\n", fault.text);
		return -1;
	}
	world.tree->stale = note_stale;
	return 0;
}

int world_teardown(void **state)
{
	char command[128];

	caller_done(&world.request.caller);
	engine_turn_end(world.engine);
	tree_free(world.tree);
	engine_free(world.engine);
	snprintf(command, sizeof(command), "rm -rf %s", world.home);
	return system(command);
}
