/* SPDX-License-Identifier: MIT */
/* A run whose workflow (detect_drift) or stack (auto_drift_detect) wants that: drift is looked for after its
 * tasks, while it still holds the lock. What comes of it changes nothing of how the run has ended. */
#include "engine/runner-internal.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/detect.h"
#include "engine/finding.h"
#include "engine/resource.h"

enum { NAMED_MAX = 10 /* findings that the log names */ };

static bool is_wanted(struct runner *runner)
{
	const json_t *wish = json_object_get(json_object_get(runner_plan(runner), "config"), "detect_drift");
	struct config config;
	int64_t count;

	if (json_is_boolean(wish))
		return json_is_true(wish);
	return resource_count(runner->of->engine, runner->stack_id, &count) == 0 && count > 0 &&
	       stack_config(runner->of->engine, runner->stack_id, &config) == 0 && config.auto_drift_detect;
}

/* The process has kept its last frame. */
static void ask_again(struct runner *runner)
{
	runner->drift = RUNNER_DRIFT_LOOKED;
	runner->stalled = false;
	runner_send(runner, json_pack("{s:s, s:I}", "op", "taken_up", "seq", (json_int_t)runner->last_seq),
		NULL, 0);
}

static int add_name(void *userdata, const struct finding *finding)
{
	json_t *list = userdata;

	if (!finding_counts(finding))
		return 0;
	json_array_append_new(list, *finding->property ? json_sprintf("%s/%s (%s)", finding->type,
								 finding->name, finding->property)
						       : json_sprintf("%s/%s", finding->type, finding->name));
	return json_array_size(list) >= NAMED_MAX;
}

static void looked(void *userdata, const struct drift_summary *summary, const struct fault *fault)
{
	struct runner *runner = userdata;
	json_t *named;

	if (summary) {
		runner->drift_result = drift_summary_json(summary);
		named = json_array();
		finding_each(runner->of->engine, runner->stack_id, NULL, NULL, add_name, named);
		json_object_set_new(runner->drift_result, "named", named);
	} else {
		runner->drift_result = json_pack("{s:s}", "error", fault->text);
	}
	ask_again(runner);
}

bool runner_waits_for_drift(struct runner *runner, enum run_status status)
{
	struct caller caller = runner->submitter;

	if (runner->drift != RUNNER_DRIFT_UNASKED)
		return runner->drift == RUNNER_DRIFT_LOOKING;
	runner->drift = RUNNER_DRIFT_LOOKED;
	if (status == RUN_CANCELLED || runner->cancels || runner->state != RUNNER_RUNNING ||
		!is_wanted(runner))
		return false;
	caller.run_id = runner->run_id;
	if (drift_detect(runner->of, &caller, runner->stack_id, NULL, looked, runner) < 0)
		return false;
	runner->drift = RUNNER_DRIFT_LOOKING;
	/* Its workflow is over, and so is the time that it has. */
	runner_limit(runner, "", 0, 0);
	return true;
}

void runner_forget_drift(struct runner *runner)
{
	if (runner->drift != RUNNER_DRIFT_LOOKING)
		return;
	drift_forget(runner->of, runner);
	ask_again(runner);
}

void runner_drift_done(struct runner *runner)
{
	if (runner->drift == RUNNER_DRIFT_LOOKING)
		drift_forget(runner->of, runner);
	json_decref(runner->drift_result);
}

static int64_t number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void write_named(const json_t *named, int64_t findings, FILE *out)
{
	const char *between = ": ";
	json_t *name;
	size_t i;

	json_array_foreach (named, i, name) {
		fputs(between, out);
		text_write_safe(out, json_string_value(name));
		between = ", ";
	}
	if (findings > (int64_t)json_array_size(named))
		fprintf(out, " and %lld more", (long long)(findings - (int64_t)json_array_size(named)));
}

static void write_line(const struct runner *runner, const char *stack, FILE *out)
{
	const json_t *result = runner->drift_result;
	const char *error = json_string_value(json_object_get(result, "error"));
	int64_t total = number(result, "total"), unknown = number(result, "unknown");
	int64_t differ = number(result, "drifted") + number(result, "unapplied");

	if (error) {
		fprintf(out, "drift could not be looked for: %s\n", error);
	} else if (!total) {
		fputs("drift: the stack has no resources\n", out);
	} else if (!differ && !unknown) {
		fprintf(out, "drift: none, %lld resource%s as desired\n", (long long)total,
			total == 1 ? " is" : "s are");
	} else {
		fprintf(out, "drift: %lld of %lld resource%s not as desired", (long long)differ,
			(long long)total, total == 1 ? " is" : "s are");
		write_named(json_object_get(result, "named"), number(result, "findings"), out);
		if (unknown)
			fprintf(out, "; %lld could not be read", (long long)unknown);
		fprintf(out, " (sloth stack drift show %s)\n", stack);
	}
}

int runner_tell_drift(struct runner *runner, json_t *result)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *head = json_pack("{s:s, s:I}", "stream", "log", "time", (json_int_t)time_now_ms());
	struct stack stack;
	FILE *out;
	int r;

	if (!runner->drift_result)
		return 0;
	r = stack_get(runner->of->engine, runner->stack_id, &stack);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	out = buffer_stream_open(&text);
	if (!out || !head)
		return -ENOMEM;
	write_line(runner, stack.name, out);
	if (buffer_stream_close(out, &text) < 0)
		return -ENOMEM;
	json_object_set(result, "drift", runner->drift_result);
	return runner_log(runner, head, 0, buffer_text(&text), text.size);
}
