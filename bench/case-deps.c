/* SPDX-License-Identifier: MIT */
/* Dependencies of 10,000 stacks, 50,000 of them: the order of all, by file and by command, beside reading the
 * same rows with SQLite; one more dependency, beside a line of text. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "bench/measure.h"
#include "bench/rows.h"
#include "bench/server.h"
#include "engine/store/store.h"

enum { STACKS = 10000, DEPENDS = 5, LINE_SIZE = 32 };

/* The same graph each time: a stack depends on some of those before it. */
static int target_of(int stack, int number)
{
	static const unsigned steps[DEPENDS] = { 1, 7, 61, 523, 4099 };
	unsigned back = 1 + ((unsigned)stack * 2654435761U >> 8) % steps[number] + (unsigned)number;

	return stack - (int)back;
}

static void make_stack(const char *mount, int stack)
{
	char *path = text_of("%s/stacks/s%05d", mount, stack), lines[DEPENDS * LINE_SIZE] = "";
	size_t size = 0;

	if (mkdir(path, 0755) < 0)
		die("%s: %s", path, strerror(errno));
	free(path);
	for (int i = 0; i < DEPENDS; i++)
		if (target_of(stack, i) >= 0)
			size += (size_t)snprintf(
				lines + size, sizeof(lines) - size, "s%05d\n", target_of(stack, i));
	if (!size)
		return;
	path = text_of("%s/stacks/s%05d/depends", mount, stack);
	file_write(path, lines);
	free(path);
}

static int add_stack(struct store *store, int number)
{
	char name[LINE_SIZE];
	int64_t id;
	int r;

	snprintf(name, sizeof(name), "s%05d", number);
	r = rows_add_stack(store, name, &id);
	for (int i = 0; i < DEPENDS && r >= 0; i++) {
		int on = target_of(number, i);

		snprintf(name, sizeof(name), "s%05d", on);
		if (on >= 0)
			r = store_get_int(store, &(int64_t){ 0 }, SQL_DEPS_SET, "iissi", id, (int64_t)on + 1,
				name, "", INT64_C(1));
	}
	return r;
}

static size_t read_all(struct store *store, enum statement statement, int number, int text)
{
	struct query *query = query_begin(store, statement, "");
	size_t size = 0;

	while (query_step(query) > 0) {
		for (int i = 0; i < number; i++)
			size += (size_t)query_int(query, i);
		size += strlen(query_text(query, text));
	}
	query_end(query);
	return size;
}

static void read_rows(void *store)
{
	if (read_all(store, SQL_DEPS_ALL_STACKS, 1, 1) == 0 || read_all(store, SQL_DEPS_ALL, 3, 3) == 0)
		die("the rows are empty");
}

struct ours {
	char *order;	   /* the file */
	char *depends;	   /* of one stack */
	char *description; /* of the same */
	const char *on;
	bool there; /* the dependency that comes and goes */
	char *content;
};

enum { CONTENT_SIZE = 1 << 20 };

static void read_order(void *data)
{
	struct ours *ours = data;

	if (file_read(ours->order, ours->content, CONTENT_SIZE) < (size_t)STACKS * 9)
		die("%s is too short", ours->order);
}

/* Comes and goes: one change each time. */
static void change_one(void *data)
{
	struct ours *ours = data;
	char line[LINE_SIZE + 8];

	snprintf(line, sizeof(line), "%s%s\n", ours->there ? "remove " : "", ours->on);
	file_write(ours->depends, line);
	ours->there = !ours->there;
}

static void change_text(void *data)
{
	const struct ours *ours = data;

	file_write(ours->description, "a line\n");
}

static void run_command(void *argv)
{
	process_wait(process_start(argv));
}

void case_deps(const struct bench *bench)
{
	const char *mount = server_sloth(bench);
	const char *argv[] = { bench->sloth, "stack", "deps", "order", "--all", NULL };
	struct store *store = rows_store(bench, "deps-floor.db", STACKS, add_stack);
	struct ours ours = { .content = need(malloc(CONTENT_SIZE)), .on = "s04990" };

	for (int i = 0; i < STACKS; i++)
		make_stack(mount, i);
	ours.order = text_of("%s/graph/order", mount);
	ours.depends = text_of("%s/stacks/s05000/depends", mount);
	ours.description = text_of("%s/stacks/s05000/description", mount);
	/* Something has changed before each: the rows are read anew. */
	compare(&(struct comparison){ .name = "deps-order",
		.against = "reading the rows with SQLite",
		.unit = "ms",
		.aim = 0,
		.rounds = bench->rounds,
		.samples = 10,
		.ours = { read_order, &ours, change_one },
		.floor = { read_rows, store } });
	compare(&(struct comparison){ .name = "deps-order-command",
		.against = "reading the rows with SQLite",
		.unit = "ms",
		.aim = 0,
		.rounds = bench->rounds,
		.samples = 10,
		.ours = { run_command, argv },
		.floor = { read_rows, store } });
	/* In the middle of the graph: thousands below, thousands above. */
	compare(&(struct comparison){ .name = "deps-change",
		.against = "a line of description",
		.unit = "us",
		.aim = 0,
		.rounds = bench->rounds,
		.samples = 50,
		.ours = { change_one, &ours },
		.floor = { change_text, &ours } });
	store_close(store);
	free(ours.order);
	free(ours.depends);
	free(ours.description);
	free(ours.content);
}
