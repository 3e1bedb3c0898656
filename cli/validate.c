/* SPDX-License-Identifier: MIT */
/* stack validate: what stacks/NAME/validate.json says, for people. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"

const struct option validate_options[] = {
	{ "strict", 's', NULL, "warnings fail, too" },
	{ NULL },
};

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* As the daemon judges, or more strictly. */
static bool passed(const struct command *command, const json_t *report)
{
	return json_is_true(json_object_get(report, "passed")) &&
	       !(command_flag(command, "strict") && number(report, "warnings"));
}

static void mark(enum style style, const char *sign, const char *text)
{
	printf("%s%s%s %s\n", print_style(stdout, style), sign, print_style(stdout, STYLE_END), text);
}

static void print_problem(const json_t *result)
{
	const char *advice = print_text(result, "advice");

	fputs("  - ", stdout);
	text_write_safe(stdout, print_text(result, "message"));
	if (*advice)
		printf("\n    %s%s%s", print_style(stdout, STYLE_DIM), advice,
			print_style(stdout, STYLE_END));
	putchar('\n');
}

static bool status_is(const json_t *result, const char *status)
{
	return !strcmp(print_text(result, "status"), status);
}

/* The results of one check, which stand together: from `first` on. Gives where the next begin. */
static size_t print_check(json_t *results, size_t first)
{
	json_t *result = json_array_get(results, first), *worst = result;
	const char *id = print_text(result, "id");
	size_t end = first;

	for (; end < json_array_size(results); end++) {
		result = json_array_get(results, end);
		if (strcmp(print_text(result, "id"), id) != 0)
			break;
		if (status_is(result, "fail") || (status_is(result, "warn") && !status_is(worst, "fail")))
			worst = result;
	}
	if (status_is(worst, "ok"))
		mark(STYLE_GREEN, "✓", print_text(worst, "title"));
	else if (status_is(worst, "skip"))
		mark(STYLE_DIM, "–", print_text(worst, "message"));
	else if (status_is(worst, "warn"))
		mark(STYLE_YELLOW, "⚠", print_text(worst, "title"));
	else
		mark(STYLE_RED, "✗", print_text(worst, "title"));
	for (size_t i = first; i < end; i++)
		if (status_is(json_array_get(results, i), "fail") ||
			status_is(json_array_get(results, i), "warn"))
			print_problem(json_array_get(results, i));
	return end;
}

static void print_report(const struct command *command, const json_t *report)
{
	json_t *results = json_object_get(report, "results");
	long long errors = number(report, "errors"), warnings = number(report, "warnings");

	printf("Validating stack: %s\n\n", print_text(report, "stack"));
	for (size_t i = 0; i < json_array_size(results);)
		i = print_check(results, i);
	putchar('\n');
	if (passed(command, report)) {
		printf("Validation passed: %s is ready for execution\n", print_text(report, "stack"));
		return;
	}
	printf("%s✗%s Validation failed: ", print_style(stdout, STYLE_RED), print_style(stdout, STYLE_END));
	if (errors)
		printf("%lld error%s found\n", errors, errors == 1 ? "" : "s");
	else
		printf("%lld warning%s found, and it is strict\n", warnings, warnings == 1 ? "" : "s");
	puts("\nFix these issues before running the stack.");
}

static int validate_one(struct command *command, const char *name)
{
	json_auto_t *report = NULL;
	int r = stack_json(command, name, "validate.json", &report);

	if (r < 0)
		return r;
	if (command->format == FORMAT_TEXT)
		print_report(command, report);
	else
		r = print_value(command, json_incref(report));
	return r < 0 ? r : passed(command, report) ? 0 : fault_exit_status(EINVAL);
}

static void print_summary(const struct command *command, const json_t *report)
{
	bool good = passed(command, report);
	json_t *result;
	size_t i;

	printf("Stack: %s\n  Status: %s%s%s\n", print_text(report, "stack"),
		print_style(stdout, good ? STYLE_GREEN : STYLE_RED), good ? "✓ PASS" : "✗ FAIL",
		print_style(stdout, STYLE_END));
	if (!good)
		puts(number(report, "errors") ? "  Errors:" : "  Warnings:");
	json_array_foreach (json_object_get(report, "results"), i, result)
		if (!good && status_is(result, number(report, "errors") ? "fail" : "warn")) {
			fputs("    - ", stdout);
			text_write_safe(stdout, print_text(result, "message"));
			putchar('\n');
		}
	putchar('\n');
}

static int validate_all(struct command *command)
{
	json_auto_t *reports = NULL;
	json_t *report;
	size_t i, good = 0, total;
	int r = stack_each_json(command, "validate.json", &reports);

	if (r < 0)
		return r;
	total = json_array_size(reports);
	json_array_foreach (reports, i, report)
		good += passed(command, report);
	if (command->format != FORMAT_TEXT) {
		r = print_value(command, json_incref(reports));
		return r < 0 ? r : good == total ? 0 : fault_exit_status(EINVAL);
	}
	puts("Validating all stacks...\n");
	json_array_foreach (reports, i, report)
		print_summary(command, report);
	printf("Summary:\n  Total:    %zu stack%s\n  Passed:   %zu stack%s\n  Failed:   %zu "
	       "stack%s\n\nOverall: %s\n",
		total, total == 1 ? "" : "s", good, good == 1 ? "" : "s", total - good,
		total - good == 1 ? "" : "s", good == total ? "PASSED" : "FAILED");
	return good == total ? 0 : fault_exit_status(EINVAL);
}

/* "all" means all stacks, where none is called so. */
int validate_run(struct command *command)
{
	const char *name = command->operands[0];
	json_t *attr;

	if (strcmp(name, "all") != 0)
		return validate_one(command, name);
	if (!command_client(command))
		return -command->fault.code;
	if (client_stat(&command->client, "/stacks/all", NULL, &attr) < 0)
		return validate_all(command);
	json_decref(attr);
	return validate_one(command, name);
}
