/* SPDX-License-Identifier: MIT */
/* Many tasks that do nothing, in graphs of several shapes, beside ninja, make and the bare starts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/server.h"
#include "bench/submit.h"

enum { TASKS = 1000, MANY = 10000, LAYER = 100, AT_ONCE = 2 };

/* Task n depends on: nothing; the one before; all of the layer before. */
enum shape { INDEPENDENT, CHAIN, LAYERS };

static const struct {
	const char *name;
	enum shape shape;
	double aim;
} shapes[] = {
	{ "tasks-1000", INDEPENDENT, 1.15 },
	{ "tasks-chain", CHAIN, 1.15 },
	{ "tasks-layers", LAYERS, 1.15 },
};

static void depends_of(enum shape shape, int task, int *ret_first, int *ret_end)
{
	int layer = task / LAYER;

	*ret_first = *ret_end = 0;
	if (shape == CHAIN && task) {
		*ret_first = task - 1;
		*ret_end = task;
	} else if (shape == LAYERS && layer) {
		*ret_first = (layer - 1) * LAYER;
		*ret_end = layer * LAYER;
	}
}

/* `before`, and for each dependency `each` with its number. */
static void write_depends(FILE *out, enum shape shape, int task, const char *each)
{
	int first, end;

	depends_of(shape, task, &first, &end);
	for (int i = first; i < end; i++)
		fprintf(out, "%s%d", each, i);
}

static char *workflow_text(enum shape shape, int count, const char *command)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		die("out of memory");
	fprintf(out, "local tasks = {}\nfor i = 0, %d do\n\tlocal t = task(\"t\" .. i):command(%s)\n",
		count - 1, command);
	if (shape == CHAIN)
		fputs("\tif i > 0 then t:depends_on(\"t\" .. i - 1) end\n", out);
	if (shape == LAYERS)
		fprintf(out,
			"\tlocal layer = i // %d\n\tlocal on = {}\n\tfor j = (layer - 1) * %d, layer * %d - "
			"1 do\n"
			"\t\tif j >= 0 then on[#on + 1] = \"t\" .. j end\n\tend\n\tt:depends_on(on)\n",
			LAYER, LAYER, LAYER);
	fprintf(out,
		"\ttasks[i + 1] = t:build()\nend\n"
		"workflow.define(\"many\"):tasks(tasks):config({ max_parallel_tasks = %d })\n",
		AT_ONCE);
	if (fclose(out) != 0)
		die("out of memory");
	return text;
}

static FILE *open_file(const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		die("%s can't be written", path);
	return out;
}

/* The outputs never come to be, so each run builds all of them. */
static void write_ninja(const char *path, enum shape shape)
{
	FILE *out = open_file(path);

	fputs("builddir = .\nrule r\n  command = true\n", out);
	for (int i = 0; i < TASKS; i++) {
		fprintf(out, "build t%d: r", i);
		write_depends(out, shape, i, " t");
		fputc('\n', out);
	}
	if (fclose(out) != 0)
		die("%s can't be written", path);
}

/* With a word that needs a shell make would start one; "true" alone it executes itself. */
static void write_make(const char *path, enum shape shape)
{
	FILE *out = open_file(path);

	fputs("all:", out);
	for (int i = 0; i < TASKS; i++)
		fprintf(out, " t%d", i);
	fputs("\n.PHONY: all", out);
	for (int i = 0; i < TASKS; i++)
		fprintf(out, " t%d", i);
	for (int i = 0; i < TASKS; i++) {
		fprintf(out, "\nt%d:", i);
		write_depends(out, shape, i, " t");
		fputs("\n\t@true", out);
	}
	fputc('\n', out);
	if (fclose(out) != 0)
		die("%s can't be written", path);
}

static void ninja_once(void *directory)
{
	const char *argv[] = { "ninja", "-C", directory, "-j2", NULL };

	process_wait(process_start(argv));
}

static void make_once(void *directory)
{
	const char *argv[] = { "make", "-s", "-C", directory, "-j2", NULL };

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

static void compare_shape(const struct bench *bench, const char *mount, size_t number)
{
	char *ninja = text_of("%s/build.ninja", bench->directory),
	     *make = text_of("%s/Makefile", bench->directory);
	char *text = workflow_text(shapes[number].shape, TASKS, "\"true\"");
	char *by_make = text_of("%s-make", shapes[number].name);
	struct workflow workflow;

	write_ninja(ninja, shapes[number].shape);
	write_make(make, shapes[number].shape);
	workflow_init(&workflow, mount, shapes[number].name, text);
	compare(&(struct comparison){ .name = shapes[number].name,
		.against = "ninja -j2",
		.unit = "ms",
		.aim = shapes[number].aim,
		.rounds = bench->rounds,
		.samples = 1,
		.ours = { workflow_run, &workflow },
		.floor = { ninja_once, (void *)bench->directory } });
	compare(&(struct comparison){ .name = by_make,
		.against = "make -j2",
		.unit = "ms",
		.rounds = bench->rounds,
		.samples = 1,
		.ours = { workflow_run, &workflow },
		.floor = { make_once, (void *)bench->directory } });
	if (shapes[number].shape == INDEPENDENT)
		compare(&(struct comparison){ .name = "tasks-1000-spawn",
			.against = "posix_spawn, two at a time",
			.unit = "ms",
			.rounds = bench->rounds,
			.samples = 1,
			.ours = { workflow_run, &workflow },
			.floor = { spawn_all } });
	workflow_done(&workflow);
	free(by_make);
	free(text);
	free(make);
	free(ninja);
}

/* Ten times as many tasks, which are to take ten times as long. */
static void compare_growth(const struct bench *bench, const char *mount)
{
	char *many_text = workflow_text(INDEPENDENT, MANY, "\"true\"");
	char *few_text = workflow_text(INDEPENDENT, TASKS, "\"true\"");
	struct workflow many, few;

	workflow_init(&many, mount, "tasks-10000", many_text);
	workflow_init(&few, mount, "few", few_text);
	compare(&(struct comparison){ .name = "tasks-10000",
		.against = "1,000 tasks: ten times is linear",
		.unit = "ms",
		.aim = 11,
		.rounds = bench->rounds > 3 ? 3 : bench->rounds,
		.samples = 1,
		.ours = { workflow_run, &many },
		.floor = { workflow_run, &few } });
	workflow_done(&many);
	workflow_done(&few);
	free(many_text);
	free(few_text);
}

/* Tasks without processes: a run of 1,001 beside a run of one is what 1,000 cost. */
static void measure_functions(const struct bench *bench, const char *mount)
{
	char *text = workflow_text(INDEPENDENT, TASKS + 1, "function() return true end");
	char *one_text = workflow_text(INDEPENDENT, 1, "function() return true end");
	struct samples rates = { 0 };
	struct workflow workflow, one;
	double start, whole, alone;

	workflow_init(&workflow, mount, "functions", text);
	workflow_init(&one, mount, "function", one_text);
	for (unsigned i = 0; i < 4 * bench->rounds; i++) {
		start = now();
		workflow_run(&workflow);
		whole = now() - start;
		start = now();
		workflow_run(&one);
		alone = now() - start;
		samples_add(&rates, TASKS / (whole - alone));
	}
	figures_print(&(struct figures){ .name = "tasks-lua",
		.against = "",
		.unit = "tasks/s",
		.more = "",
		.ours = samples_at(&rates, 0.5),
		.floor = -1,
		.ratio = -1,
		.aim = 20000,
		.p50 = samples_at(&rates, 0.5),
		.p99 = samples_at(&rates, 0.01),
		.samples = rates.count });
	samples_done(&rates);
	workflow_done(&workflow);
	workflow_done(&one);
	free(text);
	free(one_text);
}

void case_tasks(const struct bench *bench)
{
	const char *mount = server_sloth(bench);

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		compare_shape(bench, mount, i);
	compare_growth(bench, mount);
	measure_functions(bench, mount);
}
