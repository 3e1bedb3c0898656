/* SPDX-License-Identifier: MIT */
/* What it costs that a run brings files about: made, changed (with what they were kept before), and as they
 * are already. The floor does what no way leads around: a durable commit before each effect, and the effect
 * itself: a file beside its place, synced, renamed, its folder synced. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/pair.h"
#include "bench/server.h"
#include "bench/submit.h"

enum { FILES = 50, SIZE = 200 };

struct resources {
	struct workflow workflow;
	char *ours, *floor; /* folders */
	char *text;
	struct pair *pair;
	unsigned turn;
};

static void empty(const char *folder)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (*entry->d_name != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
}

static void forget_ours(void *data)
{
	empty(((struct resources *)data)->ours);
}

static void forget_floor(void *data)
{
	empty(((struct resources *)data)->floor);
}

static void run_once(void *data)
{
	workflow_run(&((struct resources *)data)->workflow);
}

static void put_file(int folder, const char *name, const char *text)
{
	int fd = openat(folder, ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, SIZE) != SIZE || fsync(fd) < 0 || close(fd) < 0 ||
		renameat(folder, ".new", folder, name) < 0 || fsync(folder) < 0)
		die("%s: %s", name, strerror(errno));
}

static void write_once(void *data)
{
	struct resources *resources = data;
	int folder = open(resources->floor, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[16], text[SIZE], before[SIZE];

	memset(text, 'a' + (int)(resources->turn++ % 26), sizeof(text));
	for (int i = 0; i < FILES; i++) {
		int fd;

		snprintf(name, sizeof(name), "%d", i);
		fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, before, sizeof(before)) < 0)
			die("%s: %s", name, strerror(errno));
		close(fd);
		pair_commit(resources->pair);
		put_file(folder, name, text);
	}
	close(folder);
}

static void read_once(void *data)
{
	struct resources *resources = data;
	int folder = open(resources->floor, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[16], text[SIZE];
	struct stat st;

	for (int i = 0; i < FILES; i++) {
		int fd;

		snprintf(name, sizeof(name), "%d", i);
		fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0 || read(fd, text, sizeof(text)) != SIZE)
			die("%s: %s", name, strerror(errno));
		close(fd);
	}
	close(folder);
	pair_commit(resources->pair); /* of the run */
}

/* `content`: an expression of 200 characters. */
static void resources_init(struct resources *resources, const struct bench *bench, const char *mount,
	const char *name, const char *content)
{
	char *text, *db = text_of("%s.db", name);

	*resources = (struct resources){ .ours = text_of("%s/%s", bench->directory, name),
		.floor = text_of("%s/%s-floor", bench->directory, name),
		.pair = pair_open(bench, db) };
	text = text_of("task(\"files\"):command(function()\n"
		       "\tlocal content = %s\n"
		       "\tfor i = 1, %d do\n"
		       "\t\tresource.file{ path = \"%s/\" .. i, content = content }\n"
		       "\tend\n"
		       "end)\n",
		content, FILES, resources->ours);
	if (mkdir(resources->ours, 0755) < 0 || mkdir(resources->floor, 0755) < 0)
		die("%s: %s", resources->ours, strerror(errno));
	workflow_init(&resources->workflow, mount, name, text);
	resources->text = text; /* the workflow borrows it */
	free(db);
	/* What is measured is the run; nobody looks meanwhile. */
	text = text_of("%s/stacks/%s/config.yaml", mount, name);
	file_write(text, "watch: false\n");
	free(text);
}

static void resources_done(struct resources *resources)
{
	workflow_done(&resources->workflow);
	free(resources->text);
	free(resources->ours);
	free(resources->floor);
}

#define CHANGING "tostring(time.unix_nano()):rep(20):sub(1, 200)"

void case_resources(const struct bench *bench)
{
	const char *mount = server_sloth(bench);
	struct resources made, changed, same;

	resources_init(&made, bench, mount, "files-made", CHANGING);
	compare(&(struct comparison){ .name = "files-made",
		.against = "a commit, and a file that is synced and renamed, each",
		.unit = "ms",
		.rounds = bench->rounds,
		.samples = 2,
		.ours = { run_once, &made, forget_ours },
		.floor = { write_once, &made, forget_floor } });
	resources_done(&made);
	resources_init(&changed, bench, mount, "files-changed", CHANGING);
	compare(&(struct comparison){ .name = "files-changed",
		.against = "reading it, a commit, and a file that is synced and renamed, each",
		.unit = "ms",
		.rounds = bench->rounds,
		.samples = 2,
		.ours = { run_once, &changed },
		.floor = { write_once, &changed } });
	resources_done(&changed);
	resources_init(&same, bench, mount, "files-same", "(\"x\"):rep(200)");
	run_once(&same);
	write_once(&same);
	compare(&(struct comparison){ .name = "files-same",
		.against = "reading them, and one commit",
		.unit = "ms",
		.rounds = bench->rounds,
		.samples = 2,
		.ours = { run_once, &same },
		.floor = { read_once, &same } });
	resources_done(&same);
}
