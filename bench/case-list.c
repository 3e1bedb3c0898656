/* SPDX-License-Identifier: MIT */
/* 1,000 stacks in one file, by the mount and by the command, beside reading the same rows with SQLite. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/measure.h"
#include "bench/rows.h"
#include "bench/server.h"
#include "engine/store/store.h"

enum { STACKS = 1000, COLUMNS = 17, CONTENT_SIZE = 2 << 20, NAME_ROOM = 32 };

static void make_stacks(const char *mount)
{
	for (int i = 0; i < STACKS; i++) {
		char *path = text_of("%s/stacks/list-%04d", mount, i);

		if (mkdir(path, 0755) < 0)
			die("%s: %s", path, strerror(errno));
		free(path);
		path = text_of("%s/stacks/list-%04d/description", mount, i);
		file_write(path, "a line for people\n");
		free(path);
	}
}

static int add_stack(struct store *store, int number)
{
	char name[NAME_ROOM];
	int64_t id;
	int r;

	snprintf(name, sizeof(name), "list-%04d", number);
	r = rows_add_stack(store, name, &id);
	return r < 0 ? r
		     : store_run(store, SQL_STACK_SET_TEXT, "issi", id, "description", "a line for people\n",
			       INT64_C(1));
}

static void read_rows(void *store)
{
	struct query *query = query_begin(store, SQL_STACK_LIST, "");
	size_t rows = 0, size = 0;

	for (; query_step(query) > 0; rows++)
		for (int i = 0; i < COLUMNS; i++)
			size += query_null(query, i) ? 0 : strlen(query_text(query, i));
	query_end(query);
	if (rows != STACKS || !size)
		die("the rows are not there");
}

struct ours {
	char *path, *description, *content;
	const char **argv;
};

/* Before each: the rows are read anew. */
static void change(void *data)
{
	struct ours *ours = data;

	file_write(ours->description, "another line\n");
}

static void read_list(void *data)
{
	struct ours *ours = data;

	if (file_read(ours->path, ours->content, CONTENT_SIZE) < (size_t)STACKS * 200)
		die("%s is too short", ours->path);
}

static void run_command(void *data)
{
	struct ours *ours = data;

	process_wait(process_start(ours->argv));
}

void case_list(const struct bench *bench)
{
	const char *mount = server_sloth(bench);
	const char *argv[] = { bench->sloth, "stack", "list", NULL };
	struct ours ours = { .path = text_of("%s/stacks.json", mount),
		.description = text_of("%s/stacks/list-0500/description", mount),
		.content = need(malloc(CONTENT_SIZE)),
		.argv = argv };
	struct store *store = rows_store(bench, "list-floor.db", STACKS, add_stack);
	char *name = text_of("list-1000%s", bench->suffix),
	     *command = text_of("list-1000-command%s", bench->suffix);

	make_stacks(mount);
	compare(&(struct comparison){ .name = name,
		.against = "reading the rows with SQLite",
		.unit = "ms",
		.aim = 1.5,
		.rounds = bench->rounds,
		.samples = 20,
		.ours = { read_list, &ours, change },
		.floor = { read_rows, store } });
	compare(&(struct comparison){ .name = command,
		.against = "reading the rows with SQLite",
		.unit = "ms",
		.rounds = bench->rounds,
		.samples = 20,
		.ours = { run_command, &ours, change },
		.floor = { read_rows, store } });
	store_close(store);
	free(command);
	free(name);
	free(ours.path);
	free(ours.description);
	free(ours.content);
}
