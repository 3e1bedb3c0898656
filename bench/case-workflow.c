/* SPDX-License-Identifier: MIT */
/* A workflow of five tasks in a row, beside five shells and the commits that five tasks need. */
#include <stdlib.h>

#include "bench/measure.h"
#include "bench/pair.h"
#include "bench/server.h"
#include "bench/submit.h"

enum { TASKS = 5, COMMITS = 10, RUNS = 20 };

static const char text[] = "local last\n"
			   "local tasks = {}\n"
			   "for i = 1, 5 do\n"
			   "\tlocal t = task(\"step-\" .. i):command(\"true\")\n"
			   "\tif last then t:depends_on(last) end\n"
			   "\tlast = \"step-\" .. i\n"
			   "\ttasks[i] = t:build()\n"
			   "end\n"
			   "workflow.define(\"five\"):tasks(tasks)\n";

/* That a task runs is one commit, how it ended another. */
static void floor_once(void *pair)
{
	static const char *const argv[] = { "sh", "-c", "true", NULL };

	for (int i = 0; i < TASKS; i++) {
		for (int commit = 0; commit < COMMITS / TASKS; commit++)
			pair_commit(pair);
		process_wait(process_start(argv));
	}
}

void case_workflow(const struct bench *bench)
{
	struct pair *pair = pair_open(bench, "floor.db");
	char *name = text_of("workflow-5%s", bench->suffix);
	struct workflow workflow;

	workflow_init(&workflow, server_sloth(bench), "five", text);
	compare(&(struct comparison){ .name = name,
		.against = "five `sh -c true` and ten commits",
		.unit = "ms",
		.aim = 1.2,
		.rounds = bench->rounds,
		.samples = RUNS,
		.ours = { workflow_run, &workflow },
		.floor = { floor_once, pair } });
	workflow_done(&workflow);
	free(name);
}
