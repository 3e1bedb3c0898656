/* SPDX-License-Identifier: MIT */
/* What this machine can do at best: all other figures stand on these. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/pair.h"
#include "bench/server.h"

enum { BLOCK = 4096 };

/* A block that is there already, as in a WAL that has grown before. */
static void sync_block(void *fd)
{
	static const char block[BLOCK];

	if (pwrite(*(int *)fd, block, sizeof(block), 0) != sizeof(block) || fdatasync(*(int *)fd) < 0)
		die("fdatasync: %s", strerror(errno));
}

static void stat_once(void *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		die("%s: %s", (char *)path, strerror(errno));
}

static void commit_once(void *pair)
{
	pair_commit(pair);
}

static void start_once(void *argv)
{
	process_wait(process_start(argv));
}

static void print_floor(
	const struct bench *bench, const char *name, unsigned samples, void (*once)(void *data), void *data)
{
	measure_floor(&(struct comparison){ .name = name,
		.unit = "us",
		.rounds = bench->rounds,
		.samples = samples,
		.floor = { once, data } });
}

void case_floors(const struct bench *bench)
{
	const char *hello[] = { bench->hello, NULL };
	char *path = text_of("%s/block", bench->directory);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	print_floor(bench, "floor-fdatasync", 200, sync_block, &fd);
	print_floor(bench, "floor-commit", 200, commit_once, pair_open(bench, "floor.db"));
	/* The root of a mount: no names to look up, one GETATTR. */
	print_floor(bench, "floor-fuse-round-trip", 2000, stat_once,
		(void *)server_hello(bench, "uncached", "/file", "content"));
	print_floor(bench, "floor-process-start", 200, start_once, hello);
	close(fd);
	free(path);
}
