/* SPDX-License-Identifier: MIT */
/* Looking for drift of a stack that has so many files, by `echo detect > drift`, beside a program that does
 * nothing but look at them. Each side starts a process; what is on the disk is in the kernel's cache. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/measure.h"
#include "bench/server.h"
#include "bench/submit.h"
#include "bench/watchers.h"

struct drift {
	char *control; /* stacks/NAME/drift */
	char *program, *files, *count;
};

static void detect_once(void *data)
{
	file_write(((struct drift *)data)->control, "detect\n");
}

static void hash_once(void *data)
{
	struct drift *drift = data;
	const char *argv[] = { drift->program, drift->files, drift->count, NULL };

	process_wait(process_start(argv));
}

static void compare_drift(const struct bench *bench, const char *mount, int count, unsigned samples)
{
	char *name = text_of("drift-%d", count), *directory = strdup(bench->hello);
	struct drift drift = { .control = text_of("%s/stacks/%s/drift", mount, name),
		.program = text_of("%s/hash-files", dirname(need(directory))),
		.files = text_of("%s/%s", bench->directory, name),
		.count = text_of("%d", count) };
	char *text = text_of("task(\"files\"):command(function()\n"
			     "\tfor i = 1, %d do\n"
			     "\t\tresource.file{ path = \"%s/\" .. i, content = (i .. \"\\n\"):rep(50), mode "
			     "= \"0644\" }\n"
			     "\tend\n"
			     "end)\n",
		count, drift.files);
	struct workflow workflow;

	if (mkdir(drift.files, 0755) < 0)
		die("%s: %s", drift.files, strerror(errno));
	workflow_init(&workflow, mount, name, text);
	workflow_run(&workflow);
	watchers_settle(bench);
	compare(&(struct comparison){ .name = name,
		.against = "a C program that does stat(2) and SHA-256",
		.unit = "ms",
		.aim = 2,
		.rounds = bench->rounds,
		.samples = samples,
		.ours = { detect_once, &drift },
		.floor = { hash_once, &drift } });
	workflow_done(&workflow);
	free(text);
	free(drift.control);
	free(drift.program);
	free(drift.files);
	free(drift.count);
	free(directory);
	free(name);
}

void case_drift(const struct bench *bench)
{
	const char *mount = server_sloth(bench);

	compare_drift(bench, mount, 15, 40);
	compare_drift(bench, mount, 1000, 10);
	compare_drift(bench, mount, 10000, 2);
}
