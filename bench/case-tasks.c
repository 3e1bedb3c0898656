/* SPDX-License-Identifier: MIT */
/* A thousand independent tasks that do nothing, two at a time, beside ninja and beside the bare starts. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/measure.h"
#include "bench/server.h"
#include "bench/submit.h"

enum { TASKS = 1000, AT_ONCE = 2 };

static const char text[] = "local tasks = {}\n"
			   "for i = 1, 1000 do tasks[i] = task(\"t\" .. i):command(\"true\"):build() end\n"
			   "workflow.define(\"thousand\"):tasks(tasks):config({ max_parallel_tasks = 2 })\n";

/* The outputs never come to be, so each run builds all of them. */
static void write_ninja_file(const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		die("%s can't be written", path);
	fputs("builddir = .\nrule r\n  command = true\n", out);
	for (int i = 0; i < TASKS; i++)
		fprintf(out, "build t%d: r\n", i);
	if (fclose(out) != 0)
		die("%s can't be written", path);
}

static void ninja_once(void *directory)
{
	const char *argv[] = { "ninja", "-C", directory, "-j2", NULL };

	process_wait(process_start(argv));
}

static void spawn_all(void *nothing)
{
	static const char *const argv[] = { "true", NULL };

	for (int i = 0; i < TASKS; i++) {
		if (i >= AT_ONCE)
			process_wait(0);
		process_start(argv);
	}
	for (int i = 0; i < AT_ONCE; i++)
		process_wait(0);
}

void case_tasks(const struct bench *bench)
{
	char *ninja = text_of("%s/build.ninja", bench->directory);
	struct workflow workflow;

	write_ninja_file(ninja);
	workflow_init(&workflow, server_sloth(bench), "thousand", text);
	compare(&(struct comparison){ .name = "tasks-1000",
		.against = "ninja -j2",
		.unit = "ms",
		.aim = 1.3,
		.rounds = bench->rounds,
		.samples = 1,
		.ours = { workflow_run, &workflow },
		.floor = { ninja_once, (void *)bench->directory } });
	compare(&(struct comparison){ .name = "tasks-1000-spawn",
		.against = "posix_spawn, two at a time",
		.unit = "ms",
		.rounds = bench->rounds,
		.samples = 1,
		.ours = { workflow_run, &workflow },
		.floor = { spawn_all } });
	workflow_done(&workflow);
	free(ninja);
}
