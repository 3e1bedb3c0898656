/* SPDX-License-Identifier: MIT */
/* Watching: how long after the change of a file it stands in drift.json, and what watching many files costs
 * while nothing happens. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/server.h"
#include "bench/submit.h"
#include "bench/watchers.h"

enum { CHANGES = 200, FILES = 10000, IDLE_SECONDS = 20, PATIENCE_SECONDS = 60 };

struct watching {
	char *files, *report; /* the folder; drift.json */
	struct workflow workflow;
};

static void watching_init(
	struct watching *watching, const struct bench *bench, const char *mount, const char *name, int count)
{
	char *text;

	watching->files = text_of("%s/%s", bench->directory, name);
	watching->report = text_of("%s/stacks/%s/drift.json", mount, name);
	text = text_of("task(\"files\"):command(function()\n"
		       "\tfor i = 1, %d do\n"
		       "\t\tresource.file{ path = \"%s/\" .. i, content = \"right\\n\" }\n"
		       "\tend\n"
		       "end)\n",
		count, watching->files);
	if (mkdir(watching->files, 0755) < 0)
		die("%s: %s", watching->files, strerror(errno));
	workflow_init(&watching->workflow, mount, name, text);
	workflow_run(&watching->workflow);
	free(text);
}

static void watching_done(struct watching *watching)
{
	workflow_done(&watching->workflow);
	free(watching->files);
	free(watching->report);
}

/* Waits until the number stands in the report. */
static void wait_for(const struct watching *watching, const char *key, int number)
{
	char *wanted = text_of("\"%s\": %d", key, number), text[32768], *at;
	double start = now();

	for (;;) {
		text[file_read(watching->report, text, sizeof(text) - 1)] = '\0';
		at = strstr(text, wanted);
		if (at && (at[strlen(wanted)] < '0' || at[strlen(wanted)] > '9'))
			break;
		if (now() - start > PATIENCE_SECONDS)
			die("%s: %s never came", watching->report, wanted);
		usleep(500);
	}
	free(wanted);
}

static void measure_latency(const struct bench *bench, const char *mount)
{
	struct watching watching;
	struct samples samples = { 0 };
	char *file;

	watching_init(&watching, bench, mount, "watch-latency", 20);
	wait_for(&watching, "watched", 20);
	file = text_of("%s/7", watching.files);
	for (int i = 0; i < CHANGES; i++) {
		double start = now();

		file_write(file, i % 2 ? "right\n" : "wrong\n");
		wait_for(&watching, "drifted", i % 2 ? 0 : 1);
		samples_add(&samples, (now() - start) * 1e3);
	}
	figures_print(&(struct figures){ .name = "watch-latency",
		.against = "nothing: the aim is of p99",
		.unit = "ms",
		.aim = 100,
		.ours = samples_at(&samples, 0.5),
		.floor = -1,
		.ratio = -1,
		.samples = samples.count,
		.p50 = samples_at(&samples, 0.5),
		.p99 = samples_at(&samples, 0.99) });
	samples_done(&samples);
	free(file);
	watching_done(&watching);
}

static void measure_idle(const struct bench *bench, const char *mount)
{
	struct watching watching;
	double before;

	watching_init(&watching, bench, mount, "watch-idle", FILES);
	wait_for(&watching, "watched", FILES);
	watchers_settle(bench);
	before = watchers_seconds(bench);
	sleep(IDLE_SECONDS);
	figures_print(&(struct figures){ .name = "watch-idle",
		.against = "nothing",
		.unit = "%",
		.aim = 0.2,
		.ours = (watchers_seconds(bench) - before) / IDLE_SECONDS * 100,
		.floor = -1,
		.ratio = -1,
		.p50 = -1,
		.p99 = -1,
		.samples = 1 });
	watching_done(&watching);
}

void case_watch(const struct bench *bench)
{
	const char *mount = server_sloth(bench);

	measure_latency(bench, mount);
	measure_idle(bench, mount);
}
