/* SPDX-License-Identifier: MIT */
/* How a validation goes: the process looks, then all checks are done in one moment. */
#include "engine/validate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/adopt.h"
#include "engine/check.h"
#include "engine/detect.h"
#include "engine/run-undo.h"
#include "engine/run.h"
#include "engine/validate-internal.h"
#include "engine/yaml.h"

static const char *const status_names[] = {
	[VALIDATE_OK] = "ok", [VALIDATE_WARN] = "warn", [VALIDATE_FAIL] = "fail", [VALIDATE_SKIP] = "skip"
};

static void validation_free(struct validation *validation)
{
	if (!validation)
		return;
	ev_timer_stop(validation->engine->loop, &validation->later);
	if (validation->check)
		check_cancel(validation->check);
	caller_done(&validation->caller);
	free(validation);
}

static void validation_freep(struct validation **validation)
{
	validation_free(*validation);
}

void validate_cancel(struct validation *validation)
{
	validation_free(validation);
}

void validate_say(struct validation *validation, enum validate_status status, const char *advice,
	const char *format, ...)
{
	CLEANUP(cleanup_free) char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	/* Names and paths of others may be any bytes. */
	if (text && !text_is_utf8(text, strlen(text)))
		for (char *p = text; *p; p++)
			*p = (unsigned char)*p < 0x80 ? *p : '?';
	validation->said = true;
	json_array_append_new(validation->results,
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", validation->current->id, "title",
			status == VALIDATE_FAIL ? validation->current->bad : validation->current->good,
			"status", status_names[status], "message", text ? text : "", "advice",
			advice ? advice : ""));
}

static int count(const json_t *results, enum validate_status status)
{
	json_t *result;
	size_t i;
	int n = 0;

	json_array_foreach (results, i, result)
		n += !strcmp(json_string_value(json_object_get(result, "status")), status_names[status]);
	return n;
}

/* All checks, one after the other, whatever they say. */
static json_t *run_checks(struct validation *validation)
{
	json_t *results = json_array();
	int errors, warnings;

	validation->results = results;
	for (size_t i = 0; i < validate_check_count; i++) {
		validation->current = &validate_checks[i];
		validation->said = false;
		validate_checks[i].run(validation);
		if (!validation->said)
			validate_say(validation, VALIDATE_OK, NULL, "%s", validate_checks[i].good);
	}
	errors = count(results, VALIDATE_FAIL);
	warnings = count(results, VALIDATE_WARN);
	return json_pack("{s:s, s:b, s:b, s:i, s:i, s:o}", "stack", validation->stack.name, "passed",
		!errors && !(validation->config.strict_mode && warnings), "strict",
		validation->config.strict_mode, "errors", errors, "warnings", warnings, "results", results);
}

/* `answer` NULL: nobody could look, because of `unseen`. Frees the validation. */
static void finish(struct validation *validation, const json_t *answer, const char *unseen)
{
	void (*done)(void *, const json_t *, const struct fault *) = validation->done;
	void *userdata = validation->userdata;
	json_auto_t *report = NULL;
	struct fault fault = { 0 };
	int r = stack_get(validation->engine, validation->stack_id, &validation->stack);

	if (r == 0 && stack_config(validation->engine, validation->stack_id, &validation->config) < 0)
		validation->config = validation->engine->config; /* one of the checks says that */
	validation->answer = answer;
	validation->unseen = unseen;
	if (r == 0)
		report = run_checks(validation);
	if (r < 0)
		fault_set(&fault, -r, "the stack is gone");
	else if (!report)
		fault_set(&fault, ENOMEM, "out of memory");
	validation_free(validation);
	done(userdata, report, &fault);
}

static void checked(void *userdata, const json_t *answer, const struct fault *fault)
{
	struct validation *validation = userdata;

	validation->check = NULL;
	finish(validation, answer, answer ? NULL : fault->text);
}

static void nobody_looks(struct ev_loop *loop, ev_timer *timer, int revents)
{
	finish(timer->data, NULL, "no process can be started here");
}

/* The values that a run would get, as far as they can be read. */
static json_t *values_of(struct engine *engine, struct caller *caller, const struct stack *stack)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_t *values = NULL;

	if (stack_access(caller, stack, MAY_READ | MAY_EXECUTE) == 0 &&
		stack_text(engine, stack->id, STACK_VALUES, &text, NULL) == 0)
		yaml_parse("values.yaml", buffer_text(&text), text.size, NULL, &values);
	return values ? values : json_object();
}

/* What the workflow is called in messages: the file that it came from. */
static const char *workflow_file(struct engine *engine, int64_t run_id, struct run *ret_run)
{
	if (run_id && run_get(engine, run_id, ret_run) == 0 && *ret_run->file)
		return ret_run->file;
	return "workflow";
}

static int look(struct validation *validation, const struct stack *stack)
{
	struct engine *engine = validation->engine;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *values = values_of(engine, &validation->caller, stack);
	json_auto_t *paths = validate_paths(engine, stack->id);
	int64_t run_id = validation->run_id;
	json_auto_t *imports = NULL;
	struct run run;
	int r = run_id ? 0
		       : store_get_int(engine->store, &run_id, SQL_RUN_OF_WORKFLOW, "isss", stack->id,
				 DRIFT_FIX_FILE, ADOPT_FILE, RUN_UNDO_FILE);

	if (r < 0 && r != -ENOENT)
		return r;
	r = 0;
	if (validation->run_id)
		r = run_text(engine, validation->run_id, RUN_WORKFLOW, &text);
	else if (stack_access(&validation->caller, stack, MAY_READ | MAY_EXECUTE) == 0)
		r = stack_text(engine, stack->id, STACK_WORKFLOW, &text, NULL);
	if (r < 0)
		return r;
	validation->has_workflow = text.size > 0;
	/* Both are as they were in the run. */
	if (validation->has_workflow && run_id)
		imports = run_imports(engine, run_id);
	return check_start(validation->runners,
		&(struct check_order){ .caller = &validation->caller,
			.file = workflow_file(engine, run_id, &run),
			.text = buffer_text(&text),
			.size = text.size,
			.values = values,
			.paths = paths,
			.imports = imports,
			.done = checked,
			.userdata = validation },
		&validation->check);
}

int validate_start(struct engine *engine, struct runners *runners, const struct validate_order *order,
	struct validation **ret_validation)
{
	CLEANUP(validation_freep) struct validation *validation = calloc(1, sizeof(*validation));
	struct stack stack;
	int r;

	if (!validation)
		return -ENOMEM;
	validation->engine = engine;
	validation->runners = runners;
	validation->stack_id = order->stack_id;
	validation->run_id = order->run_id;
	validation->done = order->done;
	validation->userdata = order->userdata;
	ev_timer_init(&validation->later, nobody_looks, 0, 0);
	validation->later.data = validation;
	r = caller_copy(order->caller, &validation->caller);
	if (r == 0)
		r = stack_get(engine, order->stack_id, &stack);
	if (r == 0 && runners)
		r = look(validation, &stack);
	if (r < 0)
		return r;
	if (!runners)
		ev_timer_start(engine->loop, &validation->later);
	*ret_validation = TAKE(validation);
	return 0;
}

/* Reports in words. */

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void show_result(const json_t *result, FILE *out)
{
	fprintf(out, "%-5s %-13s ", member(result, "status"), member(result, "id"));
	text_write_safe(out, member(result, "message"));
	if (*member(result, "advice"))
		fprintf(out, " (%s)", member(result, "advice"));
	fputc('\n', out);
}

void validate_show(const json_t *report, FILE *out)
{
	int errors = (int)json_integer_value(json_object_get(report, "errors"));
	int warnings = (int)json_integer_value(json_object_get(report, "warnings"));
	json_t *result;
	size_t i;

	json_array_foreach (json_object_get(report, "results"), i, result)
		show_result(result, out);
	if (json_is_true(json_object_get(report, "passed")))
		fprintf(out, "passed: %s is ready for execution\n", member(report, "stack"));
	else
		fprintf(out, "failed: %d error%s, %d warning%s%s\n", errors, errors == 1 ? "" : "s", warnings,
			warnings == 1 ? "" : "s", errors ? "" : ", which strict_mode does not allow");
}

void validate_show_failures(const json_t *report, FILE *out)
{
	bool strict = json_is_true(json_object_get(report, "strict"));
	const char *between = ": ";
	json_t *result;
	size_t i;

	/* One line: of a run's error only the first is told. */
	fputs("validation failed, nothing was run", out);
	json_array_foreach (json_object_get(report, "results"), i, result) {
		const char *status = member(result, "status");

		if (strcmp(status, "fail") != 0 && !(strict && !strcmp(status, "warn")))
			continue;
		fprintf(out, "%s%s: %s", between, member(result, "id"), member(result, "message"));
		between = "; ";
		if (*member(result, "advice"))
			fprintf(out, " (%s)", member(result, "advice"));
	}
}
