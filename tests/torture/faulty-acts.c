/* SPDX-License-Identifier: MIT */
/* Operations through the tree, as a door does them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fs/outcome.h"
#include "tests/torture/faulty.h"

static void answered(struct request *request, ssize_t result)
{
	struct play *play = (struct play *)(uintptr_t)request->door;

	play->answered = true;
	play->answer = result;
}

static struct request *as(struct play *play, uid_t uid)
{
	caller_done(&play->request.caller);
	play->request = (struct request){ .tree = play->home.tree,
		.done = answered,
		.door = play,
		.caller = { .uid = uid, .gid = uid, .pid = getppid(), .groups_known = true } };
	play->answered = false;
	request_begin(&play->request);
	return &play->request;
}

/* What comes later comes from the loop. */
static ssize_t wait_for(struct play *play, ssize_t result)
{
	if (result != LATER)
		return result;
	while (!play->answered) {
		int r = engine_turn_end(play->home.engine);

		if (r < 0)
			return r;
		if (!play->answered)
			ev_run(play->home.loop, EVRUN_ONCE);
	}
	return play->answer;
}

static int do_write(struct play *play, const struct operation *o)
{
	struct tree *tree = play->home.tree;
	struct request *request = as(play, o->uid);
	struct handle *handle;
	struct attr attr;
	uint64_t parent;
	const char *name;
	ssize_t n;
	int r = tree_walk(tree, request, o->path, &attr);

	if (r == 0)
		r = tree_open(tree, request, attr.number, O_WRONLY | O_TRUNC, &handle);
	else if (r == -ENOENT && (r = tree_walk_parent(tree, request, o->path, &parent, &name)) == 0)
		r = tree_create(tree, request, parent, name, 0644, O_WRONLY, &handle, &attr);
	if (r < 0)
		return r;
	request->handle = handle;
	n = wait_for(play, tree_write(tree, request, handle, 0, o->text, strlen(o->text)));
	if (n >= 0)
		n = wait_for(play, tree_flush(tree, request, handle));
	tree_release(tree, request, handle);
	return n < 0 ? (int)n : 0;
}

static int do_read(struct play *play, const struct operation *o)
{
	struct tree *tree = play->home.tree;
	struct request *request = as(play, o->uid);
	struct handle *handle;
	struct attr attr;
	char data[4096];
	ssize_t n;
	int r = tree_walk(tree, request, o->path, &attr);

	if (r == 0 && attr.kind == KIND_LINK)
		return tree_readlink(tree, request, attr.number, &play->text);
	if (r == 0)
		r = tree_open(tree, request, attr.number, O_RDONLY, &handle);
	if (r < 0)
		return r;
	do {
		request->data = data;
		request->size = sizeof(data);
		play->answered = false;
		n = wait_for(
			play, tree_read(tree, request, handle, (int64_t)play->text.size, data, sizeof(data)));
		if (n > 0 && buffer_append(&play->text, data, (size_t)n) < 0)
			n = -ENOMEM;
	} while (n > 0);
	tree_release(tree, request, handle);
	return n < 0 ? (int)n : 0;
}

static int list_one(void *userdata, const char *name, uint64_t child, enum kind kind)
{
	struct play *play = userdata;

	return buffer_append_text(&play->text, name) < 0 ? -ENOMEM : buffer_append_text(&play->text, "\n");
}

static int do_list(struct play *play, const struct operation *o)
{
	struct request *request = as(play, o->uid);
	struct attr attr;
	int r = tree_walk(play->home.tree, request, o->path, &attr);

	return r < 0 ? r : tree_list(play->home.tree, request, attr.number, list_one, play);
}

static int do_in_parent(struct play *play, const struct operation *o)
{
	struct tree *tree = play->home.tree;
	struct request *request = as(play, o->uid);
	uint64_t parent, other;
	const char *name, *new_name;
	struct attr attr;
	int r = tree_walk_parent(tree, request, o->path, &parent, &name);

	if (r < 0)
		return r;
	switch (o->act) {
	case ACT_MKDIR:
		return tree_mkdir(tree, request, parent, name, o->number, &attr);
	case ACT_RMDIR:
		return tree_rmdir(tree, request, parent, name);
	case ACT_UNLINK:
		return tree_unlink(tree, request, parent, name);
	case ACT_SYMLINK:
		return tree_symlink(tree, request, parent, name, o->text, &attr);
	default:
		r = tree_walk_parent(tree, request, o->text, &other, &new_name);
		return r < 0 ? r : tree_rename(tree, request, parent, name, other, new_name, false);
	}
}

static int do_attribute(struct play *play, const struct operation *o)
{
	struct tree *tree = play->home.tree;
	struct request *request = as(play, o->uid);
	struct attr attr;
	int r = tree_walk(tree, request, o->path, &attr);

	if (r < 0)
		return r;
	switch (o->act) {
	case ACT_CHMOD:
		return tree_chmod(tree, request, attr.number, o->number);
	case ACT_CHOWN:
		return tree_chown(tree, request, attr.number, o->number, (gid_t)-1);
	default:
		return tree_set_option(tree, request, attr.number, o->option, o->text, strlen(o->text));
	}
}

static int do_call(struct play *play, const struct operation *o)
{
	as(play, o->uid);
	return o->call(play);
}

static int (*const acts[])(struct play *play, const struct operation *o) = {
	[ACT_WRITE] = do_write,
	[ACT_READ] = do_read,
	[ACT_LIST] = do_list,
	[ACT_MKDIR] = do_in_parent,
	[ACT_RMDIR] = do_in_parent,
	[ACT_UNLINK] = do_in_parent,
	[ACT_RENAME] = do_in_parent,
	[ACT_SYMLINK] = do_in_parent,
	[ACT_CHMOD] = do_attribute,
	[ACT_CHOWN] = do_attribute,
	[ACT_SETXATTR] = do_attribute,
	[ACT_CALL] = do_call,
};

/* As a door does it: the turn decides, and the sentence is kept. */
int play_do(struct play *play, const struct operation *o)
{
	int r, turn = 0;

	buffer_truncate(&play->text, 0);
	r = acts[o->act](play, o);
	play->request.tree = play->home.tree;
	if (play->home.tree)
		r = (int)request_outcome(&play->request, r);
	if (play->home.engine)
		turn = engine_turn_end(play->home.engine);
	return r < 0 ? r : turn;
}
