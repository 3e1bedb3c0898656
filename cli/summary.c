/* SPDX-License-Identifier: MIT */
/* What is printed of a run that is over, from its summary.json. */
#include "cli/summary.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/print.h"
#include "cli/run-model.h"

enum {
	SHORT_MS = 1000, /* of a run that is over so soon nobody asks what took long */
	PATH_MAX_SHOWN = 8,
};

static json_int_t integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void write_name(const json_t *object)
{
	text_write_safe(stdout, print_text(object, "task"));
}

static void write_took(const json_t *object)
{
	char text[32];

	printf(" %s", duration_format(integer(object, "duration_ms"), text));
}

static void print_slowest(const json_t *tasks)
{
	json_t *task;
	size_t i;

	fputs("Slowest: ", stdout);
	json_array_foreach (tasks, i, task) {
		fputs(i ? ", " : "", stdout);
		write_name(task);
		write_took(task);
	}
	putchar('\n');
}

/* "build 2.1s → test 45s (waited 3s) → … 5 more … → deploy 1s": its ends, where it is long. */
static void print_path(const json_t *tasks)
{
	size_t count = json_array_size(tasks), half = PATH_MAX_SHOWN / 2, i;
	char text[32];
	json_t *task;

	fputs("Critical path: ", stdout);
	json_array_foreach (tasks, i, task) {
		if (count > PATH_MAX_SHOWN && i >= half && i < count - half) {
			if (i == half)
				printf(" → … %zu more …", count - 2 * half);
			continue;
		}
		fputs(i ? " → " : "", stdout);
		write_name(task);
		write_took(task);
		if (integer(task, "wait_ms") > 0)
			printf(" (waited %s)", duration_format(integer(task, "wait_ms"), text));
	}
	putchar('\n');
}

/* "5 success, 1 failed" */
static void write_counts(const json_t *counts)
{
	const char *separator = "";

	/* In the order of the states, not of their names. */
	for (int i = 0; i < MODEL_STATUS_COUNT; i++) {
		const char *status = model_status_name((enum model_status)i);

		if (!integer(counts, status))
			continue;
		printf("%s%lld %s", separator, (long long)integer(counts, status), status);
		separator = ", ";
	}
}

/* What the run says of itself, and no task has said: all of it, for it stands in no log. */
static void print_error(const json_t *summary)
{
	const char *error = print_text(summary, "error");

	if (!*error || json_is_true(json_object_get(summary, "error_of_task")))
		return;
	while (*error) {
		size_t line = strcspn(error, "\n");

		fputs("  ", stdout);
		text_write_safe_n(stdout, error, line);
		putchar('\n');
		error += line + (error[line] == '\n');
	}
}

void summary_print(const json_t *summary)
{
	const json_t *counts = json_object_get(summary, "counts"),
		     *slowest = json_object_get(summary, "slowest");
	bool good = !strcmp(print_text(summary, "status"), "success");
	char took[32];

	if (integer(summary, "duration_ms") >= SHORT_MS && json_array_size(slowest) > 1) {
		print_slowest(slowest);
		print_path(json_object_get(summary, "critical_path"));
	}
	if (!good)
		print_error(summary);
	printf("%s%s%s Run %lld of %s", print_style(stdout, good ? STYLE_GREEN : STYLE_RED), good ? "✓" : "✗",
		print_style(stdout, STYLE_END), (long long)integer(summary, "id"),
		print_text(summary, "file"));
	if (*print_text(summary, "stack"))
		printf(" on %s", print_text(summary, "stack"));
	printf(": %s in %s", print_text(summary, "status"),
		duration_format(integer(summary, "duration_ms"), took));
	if (json_object_size(counts)) {
		fputs(" (", stdout);
		write_counts(counts);
		putchar(')');
	}
	putchar('\n');
}
