/* SPDX-License-Identifier: MIT */
/*
 * Sequences of operations of the tree by three users, as the doors would ask for them: any path, offset, size
 * and order. Afterwards the database is whole, and everything opens again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/fuzz/home.h"
#include "tests/fuzz/input.h"

enum { STEPS = 200, HANDLES = 8, WAITING = 16, READ = 4096 };

static const char *const words[] = { "stacks", "prod", "open", "state", "count", "word", "lock", "lock.json",
	"values.yaml", "config.yaml", "description", "outputs", "outputs.d", "resources", "export.json",
	"depends", "deps", "dependents", "tags", "state.ctl", "snapshots", "new", "restore", "latest", "list",
	"compare", "v1", "v2", "at", "history", "blame", "validate", "metrics", "activity", "runs", "drift",
	"drift.json", "drift.d", "workflow", "workflows", "graph", "order", "locks", "ctl", "secrets", "keys",
	"destroyed", "events", "events.json", "audit", "error", "health", "README", "version", "status",
	"backups", "verify", "check", "archives", "first", "by", "1", "job.sloth", ".tmp~", "deploy" };
static const char *const lines[] = { "deploying\n", "release\n", "ttl=5s reason='x'\n", "force\n",
	"ignore file//x until=1h\n", "detect\n", "adopt x\n", "v1\n", "prod\n", "{\"replace\": true}\n",
	"a: 1\n", "file:///etc/passwd\n", "1\n", "+1\n", "compare-swap 1 2\n", "\n",
	"task(\"a\"):command(\"true\"):build()\n", "requires: '>=1'\n" };
static const uid_t people[] = { 0, 1001, 1002, 1003 };
static const char *const options[] = { "user.sloth.ttl", "user.sloth.if-version", "user.sloth.reason",
	"user.x", "security.capability" };

struct play {
	struct home home;
	struct input input;
	struct handle *handles[HANDLES];
	struct request *waiting[WAITING];
	char data[READ];
};

/* "/stacks/prod/…", or anything. */
static void take_path(struct play *play, char ret_path[1024])
{
	unsigned parts = input_byte(&play->input) % 6;
	size_t size = 0;

	strcpy(ret_path, "/");
	for (unsigned i = 0; i < parts; i++) {
		unsigned which = input_byte(&play->input);
		char own[64];

		if (i)
			ret_path[size++] = '/';
		else
			size = 1;
		if (which < 2 * (sizeof(words) / sizeof(words[0])))
			size += (size_t)snprintf(ret_path + size, 128, "%s",
				words[which % (sizeof(words) / sizeof(words[0]))]);
		else if (input_text(&play->input, '\n', own, sizeof(own)))
			size += (size_t)snprintf(ret_path + size, 128, "%s", own);
	}
}

static void answered(struct request *request, ssize_t result)
{
	struct play *play = (struct play *)(uintptr_t)request->door;

	for (size_t i = 0; i < WAITING; i++)
		if (play->waiting[i] == request)
			play->waiting[i] = NULL;
	caller_done(&request->caller);
	free(request->data != play->data ? request->data : NULL);
	free(request);
}

static struct request *request_new(struct play *play)
{
	struct request *request = calloc(1, sizeof(*request));
	uid_t uid = people[input_byte(&play->input) % 4];

	must(request);
	*request = (struct request){ .tree = play->home.tree,
		.done = answered,
		.door = play,
		.caller = { .uid = uid, .gid = uid, .pid = getpid(), .groups_known = true } };
	return request;
}

/* What did not say LATER is over; of what did, a few may wait. */
static void request_over(struct play *play, struct request *request, ssize_t result)
{
	size_t i;

	if (result != LATER) {
		must(result >= -4095);
		caller_done(&request->caller);
		free(request);
		return;
	}
	for (i = 0; i < WAITING && play->waiting[i]; i++)
		;
	if (i < WAITING)
		play->waiting[i] = request;
	else
		tree_cancel(request);
}

static int parent_of(struct play *play, struct request *request, char path[1024], uint64_t *ret_parent,
	const char **ret_name)
{
	take_path(play, path);
	return tree_walk_parent(play->home.tree, request, path, ret_parent, ret_name);
}

static int any(void *userdata, const char *name, uint64_t child, enum kind kind)
{
	int *left = userdata;

	must(*name && strlen(name) < 256 && !strchr(name, '/'));
	return --*left == 0;
}

static ssize_t op_look(struct play *play, struct request *request)
{
	char path[1024];
	struct attr attr;
	int left = 1 + (int)input_byte(&play->input);
	int r;

	take_path(play, path);
	r = tree_walk(play->home.tree, request, path, &attr);
	if (r == 0 && attr.kind == KIND_DIRECTORY)
		return tree_list(play->home.tree, request, attr.number, any, &left);
	return r;
}

static ssize_t op_make(struct play *play, struct request *request)
{
	unsigned what = input_byte(&play->input), mode = input_short(&play->input);
	char path[1024], other[1024];
	const char *name;
	struct attr attr;
	uint64_t parent;
	int r = parent_of(play, request, path, &parent, &name);

	if (r < 0)
		return r;
	switch (what % 4) {
	case 0:
		return tree_mkdir(play->home.tree, request, parent, name, mode & 07777, &attr);
	case 1:
		return tree_rmdir(play->home.tree, request, parent, name);
	case 2:
		return tree_unlink(play->home.tree, request, parent, name);
	default:
		take_path(play, other);
		return tree_symlink(play->home.tree, request, parent, name, other, &attr);
	}
}

static ssize_t op_rename(struct play *play, struct request *request)
{
	char from[1024], to[1024];
	const char *name, *new_name;
	uint64_t parent, new_parent;
	bool noreplace = input_byte(&play->input) & 1;
	int r = parent_of(play, request, from, &parent, &name);

	if (r == 0)
		r = parent_of(play, request, to, &new_parent, &new_name);
	return r < 0 ? r
		     : tree_rename(play->home.tree, request, parent, name, new_parent, new_name, noreplace);
}

static ssize_t op_attributes(struct play *play, struct request *request)
{
	unsigned what = input_byte(&play->input), number = input_short(&play->input);
	char path[1024];
	struct attr attr;
	CLEANUP(buffer_done) struct buffer names = { 0 };
	const char *option = options[number % 5];
	int r;

	take_path(play, path);
	r = tree_walk(play->home.tree, request, path, &attr);
	if (r < 0)
		return r;
	switch (what % 6) {
	case 0:
		return tree_chmod(play->home.tree, request, attr.number, number & 07777);
	case 1:
		return tree_chown(
			play->home.tree, request, attr.number, people[number % 4], people[number / 4 % 4]);
	case 2:
		return tree_truncate(play->home.tree, request, attr.number, NULL, number);
	case 3:
		return tree_set_option(play->home.tree, request, attr.number, option,
			number & 0x100 ? NULL : path, strlen(path));
	case 4:
		return tree_get_option(play->home.tree, request, attr.number, option, &names);
	default:
		return tree_list_options(play->home.tree, request, attr.number, &names);
	}
}

static void release(struct play *play, unsigned which)
{
	struct request request = { .tree = play->home.tree };

	if (play->handles[which])
		tree_release(play->home.tree, &request, play->handles[which]);
	play->handles[which] = NULL;
}

static ssize_t op_open(struct play *play, struct request *request)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_APPEND };
	unsigned which = input_byte(&play->input) % HANDLES, flags = input_byte(&play->input);
	char path[1024];
	const char *name;
	struct attr attr;
	uint64_t parent;
	int mode = modes[flags % 5], r;

	release(play, which);
	if (flags & 0x80) {
		r = parent_of(play, request, path, &parent, &name);
		return r < 0 ? r
			     : tree_create(play->home.tree, request, parent, name, 0644, mode,
				       &play->handles[which], &attr);
	}
	take_path(play, path);
	r = tree_walk(play->home.tree, request, path, &attr);
	return r < 0 ? r : tree_open(play->home.tree, request, attr.number, mode, &play->handles[which]);
}

static ssize_t op_write(struct play *play, struct request *request, struct handle *handle)
{
	unsigned which = input_byte(&play->input), offset = input_short(&play->input);
	char own[512];
	const char *text = lines[which % (sizeof(lines) / sizeof(lines[0]))];
	size_t size = strlen(text);

	if (which & 0x80) {
		size = input_text(&play->input, '\0', own, sizeof(own));
		text = own;
	}
	return tree_write(play->home.tree, request, handle,
		which & 0x40 ? (int64_t)offset << (which & 31) : 0, text, size);
}

static ssize_t op_handle(struct play *play, struct request *request)
{
	struct handle *handle = play->handles[input_byte(&play->input) % HANDLES];
	unsigned what = input_byte(&play->input), number = input_short(&play->input);
	struct attr attr;
	ssize_t n;

	if (!handle)
		return -EBADF;
	switch (what % 6) {
	case 0:
		/* Of its own: it may wait. */
		request->data = malloc(READ);
		must(request->data);
		n = tree_read(play->home.tree, request, handle, (int64_t)number << (what >> 3), request->data,
			number % READ);
		must(n == LATER || n <= (ssize_t)(number % READ));
		if (n != LATER) {
			free(request->data);
			request->data = NULL;
		}
		return n;
	case 1:
		return op_write(play, request, handle);
	case 2:
		return tree_flush(play->home.tree, request, handle);
	case 3:
		return tree_getattr(play->home.tree, request, handle_number(handle), handle, &attr);
	case 4:
		return tree_truncate(play->home.tree, request, handle_number(handle), handle, number);
	default:
		return tree_flock(play->home.tree, request, handle,
			(number & 1	     ? LOCK_SH
				: number & 2 ? LOCK_UN
					     : LOCK_EX) |
				(number & 4 ? LOCK_NB : 0));
	}
}

static ssize_t op_release(struct play *play, struct request *request)
{
	release(play, input_byte(&play->input) % HANDLES);
	return 0;
}

static ssize_t op_cancel(struct play *play, struct request *request)
{
	struct request *other = play->waiting[input_byte(&play->input) % WAITING];

	if (other)
		tree_cancel(other);
	return 0;
}

static ssize_t op_turn(struct play *play, struct request *request)
{
	must(engine_turn_end(play->home.engine) == 0);
	ev_run(play->home.loop, EVRUN_NOWAIT);
	return 0;
}

static ssize_t (*const operations[])(struct play *play, struct request *request) = { op_look, op_make,
	op_rename, op_attributes, op_open, op_open, op_handle, op_handle, op_handle, op_release, op_cancel,
	op_turn };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play *play = calloc(1, sizeof(*play));

	must(play);
	play->input = (struct input){ data, size };
	home_new(&play->home);
	for (int i = 0; i < STEPS && play->input.left; i++) {
		unsigned which = input_byte(&play->input) % (sizeof(operations) / sizeof(operations[0]));
		struct request *request = request_new(play);

		request_over(play, request, operations[which](play, request));
	}
	must(engine_turn_end(play->home.engine) == 0);
	/* What is still open goes with the door, or before it. */
	for (unsigned i = 0; i < HANDLES && (size & 1); i++)
		release(play, i);
	tree_close_door(play->home.tree, play);
	for (unsigned i = 0; i < WAITING; i++)
		must(!play->waiting[i]);
	must(engine_turn_end(play->home.engine) == 0);
	home_check(&play->home);
	home_free(&play->home);
	free(play);
	return 0;
}
