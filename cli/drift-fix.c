/* SPDX-License-Identifier: MIT */
/* stack drift fix: what would be done, the run that does it, and what came of it. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/confirm.h"
#include "cli/drift.h"
#include "cli/follow.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "cli/state.h"

const char drift_fix_more[] =
	"Looks first, shows what would be done, and asks. Then a run brings it about, in the order of the\n"
	"dependencies; Ctrl-C cancels it. The exit status is 0 when all is as it should be, 1 when\n"
	"something could not be fixed, and with --dry-run 2 when there is something to fix.";

const struct option drift_fix_options[] = {
	DRIFT_RESOURCE_OPTION,
	{ "dry-run", 'n', NULL, "show what would be done, and do nothing" },
	{ "auto-approve", 0, NULL, "do not ask" },
	CONFIRM_OPTIONS,
	FOLLOW_OPTIONS,
	{ "detach", 'd', NULL, "print the run's number and do not wait for it" },
	{ NULL },
};

struct fix {
	struct command *command;
	const char *stack, *resource;
	json_t *before, *after; /* reports; owned */
	json_t *tasks;		/* TYPE/NAME → { status, error } of the run's tasks; owned */
	int64_t run;
	json_t *fixed, *failed, *skipped; /* what came of it: findings of `before`; owned */
};

static void fix_done(struct fix *fix)
{
	json_decref(fix->before);
	json_decref(fix->after);
	json_decref(fix->tasks);
	json_decref(fix->fixed);
	json_decref(fix->failed);
	json_decref(fix->skipped);
}

/* Only what counts is fixed. */
static void drop_ignored(json_t *findings)
{
	for (size_t i = json_array_size(findings); i > 0; i--)
		if (!drift_counts(json_array_get(findings, i - 1)))
			json_array_remove(findings, i - 1);
}

/* What a resource lacks elsewhere is nothing that its own fix brings about. */
static bool is_fixable(const json_t *finding)
{
	return strcmp(print_text(finding, "kind"), "dependency") != 0;
}

static size_t fixable_count(const json_t *report)
{
	const json_t *finding;
	size_t i, count = 0;

	json_array_foreach (json_object_get(report, "findings"), i, finding)
		count += is_fixable(finding);
	return count;
}

/* What is to be done: from what is seen now. */
static int plan(struct fix *fix)
{
	int r = drift_look(fix->command, fix->stack, fix->resource);

	r = r < 0 ? r : drift_report(fix->command, fix->stack, fix->resource, &fix->before);
	if (r < 0)
		return r;
	drop_ignored(json_object_get(fix->before, "findings"));
	if (fix->command->format == FORMAT_TEXT)
		drift_label(fix->before);
	return 0;
}

static void print_plan(const struct fix *fix)
{
	const json_t *finding;
	size_t i;

	printf("Drift Fix Plan for: %s\n\n%s\n\n", fix->stack,
		fixable_count(fix->before) ? "The following actions will be performed:"
					   : "Nothing can be done about what was found:");
	json_array_foreach (json_object_get(fix->before, "findings"), i, finding) {
		fputs("  • ", stdout);
		drift_print_label(finding);
		fputs(": ", stdout);
		drift_print_act(finding, false);
		putchar('\n');
	}
	drift_print_unknown(fix->before);
	putchar('\n');
}

/* Lists that are NULL are empty; without a status there was no run. */
static json_t *outcome_json(
	const struct fix *fix, const char *status, json_t *fixed, json_t *failed, json_t *skipped)
{
	json_auto_t *none = json_array();

	return json_pack("{s:s, s:o, s:s?, s:O, s:O, s:O, s:O}", "stack", fix->stack, "run",
		status ? json_integer((json_int_t)fix->run) : json_null(), "status", status, "fixed",
		fixed ? fixed : none, "failed", failed ? failed : none, "skipped", skipped ? skipped : none,
		"unknown", json_object_get(fix->before, "unknown"));
}

/* No drift, or none that a fix could do something about. */
static int nothing_to_fix(struct fix *fix)
{
	json_t *left = json_object_get(fix->before, "findings");
	int status = json_array_size(left) || drift_unknown_count(fix->before) ? 1 : 0, r = 0;

	if (fix->command->format != FORMAT_TEXT)
		r = print_value(fix->command, outcome_json(fix, NULL, NULL, NULL, left));
	else if (json_array_size(left))
		print_plan(fix);
	else if (status)
		drift_print_unknown(fix->before);
	else
		print_done("No drift: nothing is to be fixed");
	return r < 0 ? r : status;
}

static int dry_run(struct fix *fix)
{
	int r = 0;

	if (fix->command->format != FORMAT_TEXT)
		r = print_value(fix->command, json_pack("{sssbsO}", "stack", fix->stack, "dry_run", 1, "plan",
						      json_object_get(fix->before, "findings")));
	else
		print_plan(fix);
	if (r == 0 && fix->command->format == FORMAT_TEXT)
		puts("Run without --dry-run to apply fixes");
	return r < 0 ? r : DRIFT_EXIT;
}

static int approve(struct fix *fix)
{
	static const char *const approvals[] = { "auto-approve", "yes", "force" };
	char question[NAME_SIZE + 64];

	for (size_t i = 0; i < sizeof(approvals) / sizeof(approvals[0]); i++)
		if (command_flag(fix->command, approvals[i]))
			return 0;
	if (fix->command->format == FORMAT_TEXT)
		print_plan(fix);
	snprintf(question, sizeof(question), "This changes what stack %s looks after", fix->stack);
	fflush(stdout);
	return confirm(fix->command, question);
}

static int start(struct fix *fix)
{
	struct command *command = fix->command;
	CLEANUP(buffer_done) struct buffer line = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	int r = buffer_append_text(&line, "fix");

	if (r == 0 && fix->resource)
		r = line_add_word(command, &line, fix->resource);
	r = r < 0 ? r : stack_path(command, fix->stack, "drift", &path);
	if (r < 0)
		return r;
	/* From here on an interrupt is meant for the run. */
	follow_catch_signals();
	r = client_write(&command->client, path, line.data, line.size, &command->fault, &fix->run);
	if (r == 0 && !fix->run)
		r = fault_set(&command->fault, EPROTO, "the daemon started no run");
	return r;
}

/* What the list has of the finding: of the same property, or only of the same resource. */
static const json_t *find(const json_t *list, const json_t *finding, bool property)
{
	static const char *const keys[] = { "type", "name", "property" };
	const json_t *other;
	size_t i, k, count = property ? 3 : 2;

	json_array_foreach (list, i, other) {
		for (k = 0; k < count; k++)
			if (strcmp(print_text(other, keys[k]), print_text(finding, keys[k])))
				break;
		if (k == count)
			return other;
	}
	return NULL;
}

/* A file of the run. */
static int run_json(const struct fix *fix, const char *file, json_t **ret_value)
{
	char path[64];

	snprintf(path, sizeof(path), "/runs/%lld/%s", (long long)fix->run, file);
	return tree_json(fix->command, path, ret_value);
}

/* A task's description says which resource it is for. */
static int take_tasks(struct fix *fix)
{
	json_auto_t *plan = NULL, *result = NULL;
	const json_t *task;
	size_t i;
	int r = run_json(fix, "plan.json", &plan);

	r = r < 0 ? r : run_json(fix, "result.json", &result);
	if (r < 0)
		return r;
	fix->tasks = json_object();
	json_array_foreach (json_object_get(plan, "tasks"), i, task)
		json_object_set(fix->tasks, print_text(task, "description"),
			json_object_get(json_object_get(result, "tasks"), print_text(task, "name")));
	return 0;
}

static const json_t *task_of(const struct fix *fix, const json_t *finding)
{
	json_auto_t *label = json_sprintf("%s/%s", print_text(finding, "type"), print_text(finding, "name"));

	return json_object_get(fix->tasks, json_string_value(label) ? json_string_value(label) : "");
}

/* The provider's own words, where there are; else the task's. */
static const char *error_of(const struct fix *fix, const json_t *finding)
{
	const char *error = print_text(find(json_object_get(fix->after, "failed"), finding, false), "error");

	return *error ? error : print_text(task_of(fix, finding), "error");
}

/* Which of the three came of it: what was not begun is skipped. */
static json_t *outcome(const struct fix *fix, const json_t *finding)
{
	static const char *const begun[] = { "success", "unchanged", "failed", "timed_out", "lost" };
	const char *status = print_text(task_of(fix, finding), "status");

	if (!find(json_object_get(fix->after, "findings"), finding, true))
		return fix->fixed;
	for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++)
		if (!strcmp(begun[i], status))
			return fix->failed;
	return fix->skipped;
}

static int take_results(struct fix *fix)
{
	json_t *finding;
	size_t i;
	int r = drift_report(fix->command, fix->stack, NULL, &fix->after);

	r = r < 0 ? r : take_tasks(fix);
	if (r < 0)
		return r;
	fix->fixed = json_array();
	fix->failed = json_array();
	fix->skipped = json_array();
	json_array_foreach (json_object_get(fix->before, "findings"), i, finding) {
		json_t *list = outcome(fix, finding);

		json_array_append(list, finding);
		if (list != fix->fixed)
			json_object_set_new(finding, "error", json_string(error_of(fix, finding)));
	}
	return 0;
}

static void print_result(const json_t *finding, const char *sign, enum style style)
{
	printf("%s%s%s ", print_style(stdout, style), sign, print_style(stdout, STYLE_END));
	drift_print_label(finding);
	fputs(": ", stdout);
}

static void print_results(const struct fix *fix)
{
	const json_t *finding;
	size_t i;

	json_array_foreach (fix->fixed, i, finding) {
		print_result(finding, "✓", STYLE_GREEN);
		drift_print_act(finding, true);
		putchar('\n');
	}
	json_array_foreach (fix->failed, i, finding) {
		const char *error = print_text(finding, "error");

		print_result(finding, "✗", STYLE_RED);
		text_write_safe(stdout, *error ? error : "it still differs");
		putchar('\n');
	}
	json_array_foreach (fix->skipped, i, finding) {
		const char *error = print_text(finding, "error");

		print_result(finding, "–", STYLE_DIM);
		text_write_safe(stdout, *error ? error : "still as it was");
		putchar('\n');
	}
}

/* How many resources the findings are of: they stand side by side. */
static size_t resource_count(const json_t *findings)
{
	const json_t *finding, *before = NULL;
	size_t i, count = 0;

	json_array_foreach (findings, i, finding) {
		count += !before || strcmp(print_text(before, "name"), print_text(finding, "name")) ||
			 strcmp(print_text(before, "type"), print_text(finding, "type"));
		before = finding;
	}
	return count;
}

static void print_sum(const struct fix *fix)
{
	const struct {
		const char *label;
		const json_t *findings;
	} rows[] = { { "Fixed", fix->fixed }, { "Failed", fix->failed }, { "Skipped", fix->skipped } };

	puts("\nSummary:");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t count = resource_count(rows[i].findings);

		printf("  %s:%*s%zu resource%s\n", rows[i].label, 9 - (int)strlen(rows[i].label), "", count,
			count == 1 ? "" : "s");
	}
}

static int tell(struct fix *fix, const json_t *summary)
{
	const char *status = print_text(summary, "status"), *error = print_text(summary, "error");
	bool all = !json_array_size(fix->failed) && !json_array_size(fix->skipped) &&
		   !drift_unknown_count(fix->before);
	int r = 0;

	if (fix->command->format != FORMAT_TEXT) {
		r = print_value(
			fix->command, outcome_json(fix, status, fix->fixed, fix->failed, fix->skipped));
	} else if (!command_flag(fix->command, "quiet")) {
		print_results(fix);
		print_sum(fix);
		drift_print_unknown(fix->before);
		if (!drift_count(fix->after)) {
			putchar('\n');
			print_done("All drift corrected");
		}
	}
	if (r == 0 && strcmp(status, "success") != 0)
		fprintf(stderr, "sloth: run %lld: %s%s%s\n", (long long)fix->run, status, *error ? ": " : "",
			error);
	return r < 0 ? r : strcmp(status, "success") ? follow_exit_status(status) : all ? 0 : 1;
}

/* With --verbose the run is shown as that of sloth run is. */
static int follow(struct fix *fix, json_t **ret_summary)
{
	int r;

	if (!command_flag(fix->command, "verbose") || fix->command->format != FORMAT_TEXT)
		return follow_silently(fix->command, fix->run, ret_summary);
	r = follow_run(fix->command, fix->run);
	if (r < 0)
		return r;
	putchar('\n');
	return run_json(fix, "summary.json", ret_summary);
}

static int act(struct fix *fix)
{
	struct command *command = fix->command;
	json_auto_t *summary = NULL;
	int r = approve(fix);

	if (r == 0 && command->format == FORMAT_TEXT && !command_flag(command, "quiet") &&
		!command_flag(command, "detach")) {
		printf("Fixing drift for stack: %s\n\n", fix->stack);
		fflush(stdout);
	}
	r = r < 0 ? r : start(fix);
	if (r == 0 && command_flag(command, "detach"))
		return follow_or_detach(command, fix->run);
	r = r < 0 ? r : follow(fix, &summary);
	r = r < 0 ? r : take_results(fix);
	return r < 0 ? r : tell(fix, summary);
}

int drift_fix_run(struct command *command)
{
	CLEANUP(fix_done) struct fix fix = { .command = command, .stack = command->operands[0] };
	int r = drift_resource(command, &fix.resource);

	r = r < 0 ? r : detach_check(command);
	r = r < 0 ? r : plan(&fix);
	if (r < 0)
		return r;
	if (!fixable_count(fix.before))
		return nothing_to_fix(&fix);
	return command_flag(command, "dry-run") ? dry_run(&fix) : act(&fix);
}
