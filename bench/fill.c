/* SPDX-License-Identifier: MIT */
/* By the engine itself, in this process: what it stores is what a daemon would have stored. */
#include "bench/fill.h"

#include <ev.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/output.h"
#include "engine/run.h"
#include "engine/stack.h"

enum { GROUP = 1000 }; /* changes a commit */

static void must(int r, const struct fault *fault)
{
	if (r < 0)
		die("%s: %s", strerror(-r), fault ? fault->text : "");
}

static void fill_stack(struct engine *engine, unsigned number, int64_t *ret_id)
{
	json_t *value = json_sprintf("https://s%05u.example.org/", number);
	struct fault fault = { 0 };
	struct stack stack;
	char name[16];

	snprintf(name, sizeof(name), "s%05u", number);
	must(stack_create(engine, NULL, name, 0755, &fault, &stack), &fault);
	must(output_set(engine, NULL, stack.id, "url", value, &fault), &fault);
	json_decref(value);
	*ret_id = stack.id;
}

static const char workflow[] = "task(\"deploy\"):command(\"true\")\n";

static void fill_run(struct engine *engine, int64_t stack_id)
{
	static const enum run_status way[] = { RUN_RUNNING, RUN_SUCCESS };
	struct caller root = { .groups_known = true };
	struct log_origin origin = { .stream = "out", .try = 1 };
	struct store_change change = { 0 };
	struct run run;

	must(store_change_begin(engine->store, &change), NULL);
	must(run_create(engine, &root, "deploy.sloth", stack_id, workflow, strlen(workflow), &run), NULL);
	must(task_add(engine, run.id, 0, "deploy", &origin.task_id), NULL);
	must(run_set_status(engine, run.id, way[0], NULL), NULL);
	must(task_set_status(engine, origin.task_id, TASK_READY, 0, NULL, NULL), NULL);
	must(task_set_status(engine, origin.task_id, TASK_RUNNING, 1, NULL, NULL), NULL);
	must(log_append(engine, run.id, &origin, "deployed\n", 9), NULL);
	must(task_set_status(engine, origin.task_id, TASK_SUCCESS, 1, NULL, NULL), NULL);
	must(run_set_status(engine, run.id, way[1], NULL), NULL);
	must(store_change_end(&change), NULL);
}

static void fill_event(struct engine *engine, int64_t stack_id, unsigned stack)
{
	struct store_change change = { 0 };
	char name[16];

	snprintf(name, sizeof(name), "s%05u", stack);
	must(store_change_begin(engine->store, &change), NULL);
	must(event_add(
		     engine, NULL, "stack.checked", stack_id, name, 0, json_pack("{s:s}", "result", "fine")),
		NULL);
	must(store_change_end(&change), NULL);
}

void fill_home(const char *home, const struct fill *fill)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	int64_t *ids = need(calloc(fill->stacks, sizeof(*ids)));
	struct fault fault = { 0 };
	struct engine *engine;

	must(engine_new(home, loop, &fault, &engine), &fault);
	for (unsigned i = 0; i < fill->stacks; i++) {
		fill_stack(engine, i, &ids[i]);
		if (i % GROUP == 0)
			must(engine_turn_end(engine), NULL);
	}
	for (unsigned i = 0; i < fill->runs; i++) {
		fill_run(engine, ids[i % fill->stacks]);
		if (i % GROUP == 0)
			must(engine_turn_end(engine), NULL);
	}
	for (unsigned i = 0; event_last(engine) < (int64_t)fill->events; i++) {
		fill_event(engine, ids[i % fill->stacks], i % fill->stacks);
		if (i % GROUP == 0)
			must(engine_turn_end(engine), NULL);
	}
	must(engine_turn_end(engine), NULL);
	engine_free(engine);
	ev_loop_destroy(loop);
	free(ids);
}
