/* SPDX-License-Identifier: MIT */
/* open+read+close and stat(2) of the outputs of a stack, beside a file system that does nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/server.h"

enum { OUTPUTS = 5, STATS = 100 };

static void read_once(void *path)
{
	char data[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, data, sizeof(data)) <= 0)
		die("%s: %s", (char *)path, strerror(errno));
	close(fd);
}

static void stat_many(void *path)
{
	struct stat st;

	for (int i = 0; i < STATS; i++)
		if (stat(path, &st) < 0)
			die("%s: %s", (char *)path, strerror(errno));
}

static void make_outputs(const char *mount)
{
	char *path = text_of("%s/stacks/bench", mount);

	if (mkdir(path, 0755) < 0)
		die("%s: %s", path, strerror(errno));
	free(path);
	for (int i = 0; i < OUTPUTS; i++) {
		path = text_of("%s/stacks/bench/outputs.d/output-%d", mount, i);
		file_write(path, "http://127.0.0.1:8099/index.html\n");
		free(path);
	}
}

static void compare_both(const struct bench *bench, const char *against, char *ours, char *floor, double aim)
{
	char *name = text_of("read-%s", against), *floor_name = text_of("hello file system, %s", against);

	compare(&(struct comparison){ .name = name,
		.against = floor_name,
		.unit = "us",
		.aim = aim,
		.rounds = bench->rounds,
		.samples = 2000,
		.ours = { read_once, ours },
		.floor = { read_once, floor } });
	free(name);
	name = text_of("stat-%s", against);
	compare(&(struct comparison){ .name = name,
		.against = floor_name,
		.unit = "us",
		.aim = aim,
		.rounds = bench->rounds,
		.samples = 200,
		.batch = STATS,
		.ours = { stat_many, ours },
		.floor = { stat_many, floor } });
	free(name);
	free(floor_name);
}

void case_read(const struct bench *bench)
{
	static const char file[] = "/stacks/bench/outputs";
	const char *sloth = server_sloth(bench);
	char content[4096], *ours = text_of("%s%s", sloth, file), *plain, *tuned;

	make_outputs(sloth);
	/* What has changed a moment ago is not cached (fs/content.h). */
	sleep(2);
	file_read(ours, content, sizeof(content));
	plain = text_of("%s%s", server_hello(bench, "plain", file, content), file);
	tuned = text_of("%s%s", server_hello(bench, "tuned", file, content), file);
	compare_both(bench, "plain", ours, plain, 1.15);
	compare_both(bench, "tuned", ours, tuned, 0);
	free(ours);
	free(plain);
	free(tuned);
}
