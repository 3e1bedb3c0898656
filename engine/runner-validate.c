/* SPDX-License-Identifier: MIT */
/* A run whose workflow (validate_before) or submitter wants that: its stack is validated when it is its turn,
 * with its lock held, and a run that does not pass ends there. */
#include "engine/runner-internal.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/validate.h"

static bool config_wants(const json_t *plan)
{
	return json_is_true(json_object_get(json_object_get(plan, "config"), "validate_before"));
}

void runner_note_validation(struct runner *runner, json_t *head)
{
	json_t *config = json_object_get(head, "config");

	/* It becomes part of the plan: a daemon that takes the run up finds it there. */
	if (json_is_true(json_object_get(runner->options, "validate")) && json_is_object(config))
		json_object_set_new(config, "validate_before", json_true());
	runner->validate = config_wants(head) ? RUNNER_VALIDATE : RUNNER_VALID;
}

/* Of a run that was taken up: what its plan says. */
static void recall(struct runner *runner)
{
	runner->validate = config_wants(runner_plan(runner)) ? RUNNER_VALIDATE : RUNNER_VALID;
}

static void refuse(struct runner *runner, const json_t *report, const struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	FILE *out = buffer_stream_open(&text);

	if (out && report)
		validate_show_failures(report, out);
	else if (out)
		fprintf(out, "the stack could not be validated, nothing was run: %s", fault->text);
	if (out)
		buffer_stream_close(out, &text);
	runner_send(runner, json_pack("{s:s, s:i}", "op", "cancel", "grace_ms", 0), NULL, 0);
	runner_finish(runner, RUN_FAILED, TASK_CANCELLED, buffer_text(&text));
}

static void validated(void *userdata, const json_t *report, const struct fault *fault)
{
	struct runner *runner = userdata;
	struct runners *runners = runner->of;

	runner->validation = NULL;
	if (runner->state != RUNNER_WAITING)
		return; /* cancelled meanwhile */
	if (report && json_is_true(json_object_get(report, "passed")))
		runner->validate = RUNNER_VALID;
	else
		refuse(runner, report, fault);
	runner_start_waiting(runners);
}

bool runner_is_valid(struct runner *runner)
{
	struct fault fault = { 0 };
	struct run run;
	int r;

	if (runner->validate == RUNNER_VALIDATION_UNKNOWN)
		recall(runner);
	if (runner->validate == RUNNER_VALID || runner->validation)
		return runner->validate == RUNNER_VALID;
	r = run_get(runner->of->engine, runner->run_id, &run);
	if (r == 0)
		r = validate_start(runner->of->engine, runner->of,
			&(struct validate_order){ .caller = &runner->submitter,
				.stack_id = run.stack_id,
				.run_id = run.id,
				.done = validated,
				.userdata = runner },
			&runner->validation);
	if (r < 0) {
		fault_set(&fault, -r, "%s", strerror(-r));
		refuse(runner, NULL, &fault);
	}
	return false;
}
