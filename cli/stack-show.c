/* SPDX-License-Identifier: MIT */
/* stack show: all about one stack on a page. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"

static void detail_text(const char *label, const json_t *object, const char *key)
{
	const char *text = print_text(object, key);

	if (*text)
		print_detail(label, text);
}

static void detail_time(const char *label, const json_t *object, const char *key)
{
	int64_t ms = print_ms(json_object_get(object, key));
	char text[32];

	if (ms > 0)
		print_detail(label, print_local_time(ms, text));
}

static void detail_number(const char *label, const json_t *object, const char *key)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(json_object_get(object, key)));
	print_detail(label, text);
}

static void detail_duration(const char *label, const json_t *object, const char *key)
{
	const json_t *ms = json_object_get(object, key);
	char text[32];

	if (json_is_integer(ms))
		print_detail(label, print_duration(json_integer_value(ms), text));
}

/* "production, critical" */
static void detail_list(const char *label, const json_t *object, const char *key)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	const json_t *list = json_object_get(object, key), *value;
	size_t i;

	json_array_foreach (list, i, value) {
		if (i)
			buffer_append_text(&text, ", ");
		buffer_append_text(&text, json_string_value(value) ? json_string_value(value) : "");
	}
	if (text.size)
		print_detail(label, buffer_text(&text));
}

/* "Outputs (3)" */
static void heading_count(const char *what, size_t count)
{
	char text[64];

	snprintf(text, sizeof(text), "%s (%zu)", what, count);
	print_heading(text);
}

static void show_general(const json_t *stack)
{
	print_heading("General Information");
	detail_text("Status", stack, "status");
	detail_text("Version", stack, "version");
	detail_text("Description", stack, "description");
	detail_list("Tags", stack, "tags");
	detail_text("Owner", stack, "owner");
	detail_time("Created", stack, "created");
	detail_time("Last Updated", stack, "updated");
	detail_number("Total Executions", stack, "runs");
}

static void show_last_run(const json_t *stack)
{
	const json_t *run = json_object_get(stack, "last_run");

	if (!json_is_object(run))
		return;
	print_heading("Latest Execution");
	detail_number("Run", run, "id");
	detail_time("Started", run, "started");
	detail_time("Completed", run, "finished");
	detail_duration("Duration", run, "duration_ms");
	detail_text("Status", run, "status");
}

static void show_outputs(const json_t *stack)
{
	size_t count = json_object_size(json_object_get(stack, "outputs"));

	if (!count)
		return;
	heading_count("Outputs", count);
	outputs_print(json_object_get(stack, "outputs"), "  ");
}

/* The first few: `stack resources` has them all. */
static void show_resources(const json_t *stack)
{
	enum { ALL = 5, SHOWN = 4 };
	const json_t *list = json_object_get(stack, "resources"), *resource;
	size_t i, count = json_array_size(list), shown = count > ALL ? SHOWN : count;

	if (!count)
		return;
	heading_count("Resources", count);
	json_array_foreach (list, i, resource) {
		if (i == shown)
			break;
		printf("  • %s/", print_text(resource, "type"));
		text_write_safe(stdout, print_text(resource, "name"));
		printf(" (%s)\n", print_text(resource, "status"));
	}
	if (count > shown)
		printf("  ... %zu more\n", count - shown);
}

static void show_dependencies(const json_t *stack)
{
	const json_t *list = json_object_get(json_object_get(stack, "dependencies"), "depends"), *other;
	size_t i;

	if (!json_array_size(list))
		return;
	heading_count("Dependencies", json_array_size(list));
	json_array_foreach (list, i, other) {
		const char *requires = print_text(other, "requires"), *state = print_text(other, "state");

		printf("  • %s%s%s", print_text(other, "name"), *requires ? " " : "", requires);
		printf(strcmp(state, "ok") ? " (%s)\n" : "\n", state);
	}
}

static void show_lock(const json_t *stack)
{
	print_heading("Lock Status");
	lock_print(json_object_get(stack, "lock"));
}

/* The newest is the first. */
static void show_snapshots(const json_t *stack)
{
	const json_t *list = json_object_get(stack, "snapshots"), *latest = json_array_get(list, 0);
	char number[32], time[32], text[96];

	if (!latest)
		return;
	print_heading("Snapshots");
	snprintf(number, sizeof(number), "%zu", json_array_size(list));
	print_detail("Total Snapshots", number);
	snprintf(text, sizeof(text), "v%lld (%s)",
		(long long)json_integer_value(json_object_get(latest, "version")),
		print_local_time(print_ms(json_object_get(latest, "time")), time));
	print_detail("Latest Snapshot", text);
}

static void (*const sections[])(const json_t *stack) = { show_general, show_last_run, show_resources,
	show_dependencies, show_outputs, show_lock, show_snapshots };

/* What is put together, and where it stands. */
static const struct {
	const char *member, *file;
} parts[] = {
	{ "lock", "lock.json" },
	{ "outputs", "outputs.json" },
	{ "resources", "resources.json" },
	{ "dependencies", "depends.json" },
	{ "snapshots", "snapshots/list.json" },
};

int stack_show_run(struct command *command)
{
	const char *name = command->operands[0];
	json_t *stack, *part;
	int r = stack_json(command, name, "status.json", &stack);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		r = stack_json(command, name, parts[i].file, &part);
		r = r < 0 ? r : json_object_set_new(stack, parts[i].member, part);
	}
	if (r == 0 && command->format != FORMAT_TEXT)
		return print_value(command, stack);
	if (r == 0) {
		print_title("Stack", name);
		for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
			sections[i](stack);
	}
	json_decref(stack);
	return r;
}
