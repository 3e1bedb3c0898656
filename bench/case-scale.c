/* SPDX-License-Identifier: MIT */
/* Years of work in one home: listing, reading and starting, beside SQLite and beside a hundredth of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/fill.h"
#include "bench/measure.h"
#include "bench/server.h"
#include "engine/store/store.h"

enum {
	STACKS = 10000,
	RUNS = 100000,
	EVENTS = 1000000,
	PART = 100,
	CONTENT_SIZE = 8 << 20,
	PAGE = 4096,
	STEP = 7919,
	SAMPLES = 50
};

/* One home, whole or a hundredth, and the daemon that serves it. */
struct home {
	struct fill fill;
	char *path, *floor; /* floor: a copy of its database */
	const char *mount;
	const char *slothd, *sloth;
	pid_t started;
	unsigned turn; /* each sample of a round reads another one */
	char *content;
};

/* The database with its rows, for the floor: nobody else may open a daemon's. */
static void copy(const char *from, const char *to)
{
	process_wait(process_start((const char *[]){ "cp", "--reflink=auto", from, to, NULL }));
}

static void home_fill(const struct bench *bench, struct home *home, const char *name, unsigned part)
{
	char *database;

	home->fill = (struct fill){ STACKS / part, RUNS / part, EVENTS / part };
	home->path = text_of("%s/%s", bench->directory, name);
	home->floor = text_of("%s/%s-floor.db", bench->directory, name);
	home->slothd = bench->slothd;
	home->sloth = bench->sloth;
	home->content = need(malloc(CONTENT_SIZE));
	if (mkdir(home->path, 0700) < 0)
		die("%s: %s", home->path, strerror(errno));
	fill_home(home->path, &home->fill);
	database = text_of("%s/sloth.db", home->path);
	copy(database, home->floor);
	free(database);
}

static void home_done(struct home *home)
{
	free(home->path);
	free(home->floor);
	free(home->content);
}

/* Starting */

static void start(void *data)
{
	struct home *home = data;
	char *number, *log = text_of("%s.log", home->path), answer;
	int ends[2];

	if (setenv("SLOTH_HOME", home->path, 1) < 0 || pipe(ends) < 0)
		die("pipe: %s", strerror(errno));
	number = text_of("%d", ends[1]);
	home->started = process_start_to((const char *[]){ home->slothd, "--ready-fd", number, NULL }, log);
	close(ends[1]);
	if (read(ends[0], &answer, 1) != 1 || answer != '1')
		die("%s does not start", home->slothd);
	close(ends[0]);
	free(number);
	free(log);
}

static void stop(void *data)
{
	const struct home *home = data;

	kill(home->started, SIGTERM);
	process_wait(home->started);
}

/* Listing */

static size_t list_folder(const char *path)
{
	DIR *folder = opendir(path);
	size_t count = 0;

	if (!folder)
		die("%s: %s", path, strerror(errno));
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void list(const struct home *home, const char *folder, unsigned least)
{
	char *path = text_of("%s/%s", home->mount, folder);

	if (list_folder(path) < least)
		die("%s: too few entries", path);
	free(path);
}

static void list_stacks(void *data)
{
	const struct home *home = data;

	list(home, "stacks", home->fill.stacks);
}

static void list_runs(void *data)
{
	const struct home *home = data;

	list(home, "runs", home->fill.runs);
}

static void list_in_full(void *data)
{
	const struct home *home = data;
	char *path = text_of("%s/stacks.json", home->mount);

	if (file_read(path, home->content, CONTENT_SIZE) < (size_t)home->fill.stacks * 200)
		die("%s is too short", path);
	free(path);
}

struct rows {
	struct store *store;
	enum statement statement;
	size_t count;
};

static void step(void *data)
{
	const struct rows *rows = data;
	struct query *query =
		rows->statement == SQL_STACK_EACH ? query_begin(rows->store, rows->statement, "s", "")
		: rows->statement == SQL_RUN_EACH ? query_begin(rows->store, rows->statement, "i", INT64_MAX)
						  : query_begin(rows->store, rows->statement, "");
	size_t count = 0, size = 0;

	for (; query_step(query) > 0; count++)
		for (int i = 0; i < 3; i++)
			size += strlen(query_text(query, i));
	query_end(query);
	if (count != rows->count || !size)
		die("the rows are not there");
}

static void compare_lists(const struct bench *bench, struct home *home)
{
	const struct {
		const char *name;
		void (*once)(void *);
		enum statement statement;
		size_t count;
	} lists[] = {
		{ "scale-list-stacks", list_stacks, SQL_STACK_EACH, home->fill.stacks },
		{ "scale-list-json", list_in_full, SQL_STACK_LIST, home->fill.stacks },
		{ "scale-list-runs", list_runs, SQL_RUN_EACH, home->fill.runs },
	};
	struct rows rows = { 0 };
	struct fault fault = { 0 };

	if (store_open(home->floor, &fault, &rows.store) < 0)
		die("%s: %s", home->floor, fault.text);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		rows.statement = lists[i].statement;
		rows.count = lists[i].count;
		compare(&(struct comparison){ .name = lists[i].name,
			.against = "reading the rows with SQLite",
			.unit = "ms",
			.aim = 1.5,
			.rounds = bench->rounds,
			.samples = 5,
			.ours = { lists[i].once, home },
			.floor = { step, &rows } });
	}
	store_close(rows.store);
}

/* Reading */

/* All over them, and the same ones in each round: the kernel knows their names in both homes. */
static unsigned next(struct home *home, unsigned count)
{
	return home->turn++ % SAMPLES * STEP % count;
}

static void read_one(struct home *home, char *path)
{
	if (!file_read(path, home->content, CONTENT_SIZE))
		die("%s is empty", path);
	free(path);
}

static void read_status(void *data)
{
	struct home *home = data;

	read_one(home, text_of("%s/stacks/s%05u/status", home->mount, next(home, home->fill.stacks)));
}

static void read_key(void *data)
{
	struct home *home = data;

	read_one(home, text_of("%s/stacks/s%05u/outputs.d/url", home->mount, next(home, home->fill.stacks)));
}

static void read_run(void *data)
{
	struct home *home = data;

	read_one(home, text_of("%s/runs/%u/status", home->mount, 1 + next(home, home->fill.runs)));
}

static void read_page(const struct home *home, bool last)
{
	char *path = text_of("%s/events", home->mount);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die("%s: %s", path, strerror(errno));
	if (pread(fd, home->content, PAGE, last ? st.st_size - PAGE : st.st_size / 3) != PAGE)
		die("%s: too short", path);
	close(fd);
	free(path);
}

static void read_last_events(void *data)
{
	read_page(data, true);
}

static void read_earlier_events(void *data)
{
	read_page(data, false);
}

static void show_runs(void *data)
{
	const struct home *home = data;

	if (setenv("SLOTH_HOME", home->path, 1) < 0)
		die("out of memory");
	process_wait(process_start((const char *[]){ home->sloth, "run", "list", NULL }));
}

static void show_events(void *data)
{
	const struct home *home = data;

	if (setenv("SLOTH_HOME", home->path, 1) < 0)
		die("out of memory");
	process_wait(process_start((const char *[]){ home->sloth, "events", NULL }));
}

static void change_text(void *data)
{
	struct home *home = data;
	char *path = text_of("%s/stacks/s%05u/description", home->mount, next(home, home->fill.stacks));

	file_write(path, "a line for people\n");
	free(path);
}

static void compare_sizes(const struct bench *bench, struct home *whole, struct home *part)
{
	static const struct {
		const char *name;
		void (*once)(void *);
		double aim;
	} rows[] = {
		{ "scale-read-status", read_status, 1.5 },
		{ "scale-read-output", read_key, 1.5 },
		{ "scale-read-run", read_run, 1.5 },
		{ "scale-read-events-last", read_last_events, 1.2 },
		{ "scale-read-events-earlier", read_earlier_events, 1.5 },
		{ "scale-runs-command", show_runs, 1.2 },
		{ "scale-events-command", show_events, 1.2 },
		{ "scale-change", change_text, 1.5 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		compare(&(struct comparison){ .name = rows[i].name,
			.against = "with a hundredth of all",
			.unit = "us",
			.aim = rows[i].aim,
			.rounds = bench->rounds,
			.samples = SAMPLES,
			.ours = { rows[i].once, whole },
			.floor = { rows[i].once, part } });
}

/* Memory */

/* MB that the daemon has in memory, libraries included. */
static double memory_of(pid_t pid)
{
	char *path = text_of("/proc/%d/status", (int)pid), text[4096];
	const char *line;
	double kilobytes;

	file_read(path, text, sizeof(text));
	line = strstr(text, "VmRSS:");
	kilobytes = line ? strtod(line + strlen("VmRSS:"), NULL) : 0;
	free(path);
	return kilobytes / 1000;
}

/* A thousand stacks: when the daemon has started, and when it was used. */
static void measure_memory(const struct bench *bench)
{
	static const char *const words[][4] = { { "stack", "list" }, { "run", "list" }, { "events" },
		{ "metrics" }, { "ls", "-l", "/stacks" }, { "ls", "-l", "/runs" }, { "cat", "/stacks.json" },
		{ "cat", "/events" } };
	struct home home = { 0 };
	struct figures figures = { .unit = "MB",
		.against = "",
		.floor = -1,
		.ratio = -1,
		.aim = 10,
		.samples = 1,
		.p50 = -1,
		.p99 = -1 };

	home_fill(bench, &home, "thousand", 10);
	start(&home);
	figures.name = "scale-memory-start";
	figures.ours = memory_of(home.started);
	figures_print(&figures);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			process_wait(process_start((const char *[]){
				home.sloth, words[i][0], words[i][1], words[i][2], words[i][3], NULL }));
	figures.name = "scale-memory-used";
	figures.ours = memory_of(home.started);
	figures_print(&figures);
	stop(&home);
	home_done(&home);
}

void case_scale(const struct bench *bench)
{
	struct home whole = { 0 }, part = { 0 };

	measure_memory(bench);
	home_fill(bench, &part, "part", PART);
	home_fill(bench, &whole, "whole", 1);
	compare(&(struct comparison){ .name = "scale-start",
		.against = "with a hundredth of all",
		.unit = "ms",
		.aim = 1.5,
		.rounds = bench->rounds,
		.samples = 5,
		.ours = { start, &whole, stop },
		.floor = { start, &part, stop } });
	part.mount = server_sloth_at(bench, part.path, "part-mount");
	whole.mount = server_sloth_at(bench, whole.path, "whole-mount");
	compare_sizes(bench, &whole, &part);
	compare_lists(bench, &whole);
	home_done(&whole);
	home_done(&part);
}
