/* SPDX-License-Identifier: MIT */
/* The start of the command, beside that of a program which prints a line. */
#include "bench/measure.h"
#include "bench/server.h"

enum { STARTS = 100 };

static void start_once(void *argv)
{
	process_wait(process_start(argv));
}

void case_start(const struct bench *bench)
{
	const char *hello[] = { bench->hello, NULL };
	const char *version[] = { bench->sloth, "version", NULL };
	const char *help[] = { bench->sloth, "--help", NULL };

	compare(&(struct comparison){ .name = "start-version",
		.against = "hello world in C",
		.unit = "us",
		.aim = 1.1,
		.rounds = bench->rounds,
		.samples = STARTS,
		.ours = { start_once, version },
		.floor = { start_once, hello } });
	compare(&(struct comparison){ .name = "start-help",
		.against = "hello world in C",
		.unit = "us",
		.aim = 1.1,
		.rounds = bench->rounds,
		.samples = STARTS,
		.ours = { start_once, help },
		.floor = { start_once, hello } });
}
