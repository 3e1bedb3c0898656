/* SPDX-License-Identifier: MIT */
/* stack snapshot restore, stack snapshot compare, stack undo. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/confirm.h"
#include "cli/control.h"
#include "cli/follow.h"
#include "cli/print.h"
#include "cli/snapshot.h"
#include "cli/stack.h"
#include "cli/undo.h"

const struct option restore_options[] = {
	{ "dry-run", 'n', NULL, "only show what would change" },
	{ "only", 0, "WHAT,...",
		"a part: resources, outputs, state, tags, deps, config, values, workflow, KIND/NAME" },
	{ "verbose", 'v', NULL, "say item by item what was restored" },
	CONFIRM_OPTIONS,
	{ NULL },
};

const struct option undo_options[] = {
	{ "dry-run", 'n', NULL, "only check whether it could be" },
	{ "only", 0, "WHAT,...", "a part: as of snapshot restore" },
	{ "run", 'r', "ID",
		"all that this run changed, in the world, too; --force: though later runs changed it again" },
	CONFIRM_OPTIONS,
	FOLLOW_OPTIONS,
	{ "detach", 'd', NULL, "with --run: print the new run's number and do not wait for it" },
	{ NULL },
};

int compare_json(
	struct command *command, const char *stack, const char *from, const char *to, json_t **ret_changes)
{
	CLEANUP(cleanup_free) char *file = NULL;
	int r = version_word(command, from);

	r = r < 0 ? r : version_word(command, to);
	if (r == 0 && asprintf(&file, "snapshots/compare/%s..%s.json", from, to) < 0)
		r = fault_set(&command->fault, ENOMEM, "no memory");
	return r < 0 ? r : stack_json(command, stack, file, ret_changes);
}

static const struct {
	const char *op, *verb, *task;
	enum style style;
} words[] = {
	{ "+", "Added", "New task", STYLE_GREEN },
	{ "-", "Removed", "Removed task", STYLE_RED },
	{ "~", "Modified", "Modified task", STYLE_YELLOW },
};

static size_t word_of(const json_t *change)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].op, print_text(change, "op")))
			return i;
	return 2;
}

static void print_side(const json_t *value, bool duration)
{
	CLEANUP(cleanup_free) char *text = NULL;
	char time[32];

	if (duration && json_is_integer(value)) {
		fputs(duration_format(json_integer_value(value), time), stdout);
		return;
	}

	if (json_is_string(value)) {
		text_write_safe(stdout, json_string_value(value));
		return;
	}
	text = value && !json_is_null(value)
		       ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)
		       : NULL;
	text_write_safe(stdout, text ? text : "none");
}

/* "replicas: 2 -> 4": properties of a resource are what everybody calls its attributes. */
static void print_part(const json_t *change)
{
	static const char prefix[] = "properties.";
	const char *attribute = print_text(change, "attribute");
	bool duration = !strcmp(attribute, "timeout_ms");

	if (!strncmp(attribute, prefix, sizeof(prefix) - 1))
		attribute += sizeof(prefix) - 1;
	text_write_safe(stdout, duration ? "timeout" : attribute);
	if (*attribute)
		fputs(": ", stdout);
	print_side(json_object_get(change, "from"), duration);
	fputs(" -> ", stdout);
	print_side(json_object_get(change, "to"), duration);
}

/* As people write it: resources are called after files, packages … */
static void print_name(const json_t *change)
{
	const char *name = print_text(change, "name");
	CLEANUP(cleanup_free)
	char *readable = strcmp(print_text(change, "kind"), "resource") ? NULL : name_readable(name);

	text_write_safe(stdout, readable ? readable : name);
}

static bool same_thing(const json_t *a, const json_t *b)
{
	return a && b && !strcmp(print_text(a, "kind"), print_text(b, "kind")) &&
	       !strcmp(print_text(a, "name"), print_text(b, "name")) && json_object_get(b, "to") &&
	       json_object_get(b, "from");
}

/* One line a thing, its parts in brackets; tasks on their own, or all but them. */
static size_t print_changes(const json_t *changes, bool tasks)
{
	const json_t *change, *before = NULL;
	bool open = false;
	size_t i, lines = 0;

	json_array_foreach (changes, i, change) {
		const char *kind = print_text(change, "kind");
		size_t word = word_of(change);

		if (!strcmp(kind, "task") != tasks)
			continue;
		if (same_thing(before, change)) {
			fputs(", ", stdout);
			print_part(change);
			continue;
		}
		if (before)
			puts(open ? ")" : "");
		else
			print_heading(tasks ? "Task Changes" : "Changes");
		printf("  %s%s%s ", print_style(stdout, words[word].style), words[word].op,
			print_style(stdout, STYLE_END));
		if (tasks)
			printf("%s: ", words[word].task);
		else if (!strcmp(kind, "text"))
			printf("%s ", words[word].verb);
		else
			printf("%s %s: ", words[word].verb, kind);
		print_name(change);
		open = json_object_get(change, "from") && json_object_get(change, "to");
		if (open) {
			fputs(" (", stdout);
			print_part(change);
		}
		before = change;
		lines++;
	}
	if (before)
		puts(open ? ")" : "");
	return lines;
}

void compare_print(const json_t *changes)
{
	print_changes(changes, false);
	print_changes(changes, true);
	if (!json_array_size(changes))
		puts("No differences");
}

enum { STATUS_DIFFERENT = 2 };

int compare_run(struct command *command)
{
	const char *from = command->operands[1], *to = command->operands[2];
	json_auto_t *changes = NULL;
	int r = compare_json(command, command->operands[0], from, to, &changes);

	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT) {
		r = print_value(command, json_incref(changes));
		return r < 0 ? r : json_array_size(changes) ? STATUS_DIFFERENT : 0;
	}
	printf("Comparing snapshots: %s -> %s\n", from, to);
	compare_print(changes);
	return json_array_size(changes) ? STATUS_DIFFERENT : 0;
}

/* What restoring will do: from what is now to the version. */
static int preview(struct command *command, const char *stack, const char *version, json_t **ret_changes)
{
	int r = compare_json(command, stack, "current", version, ret_changes);

	if (r == 0 && command->format == FORMAT_TEXT)
		compare_print(*ret_changes);
	return r;
}

static int restore_line(struct command *command, const char *start, bool dry_run, struct buffer *line)
{
	int r = buffer_append_text(line, start);

	if (r == 0 && dry_run)
		r = buffer_append_text(line, " dry-run");
	return r < 0 ? r : control_word(command, line, "only", command_option(command, "only"));
}

/* From what it was to what it has become: what was restored and nothing else, also of a part. NULL without
 * --verbose. */
static int restored_changes(
	struct command *command, const char *stack, int64_t before, int64_t number, json_t **ret_changes)
{
	char from[32], to[32];

	if (!command_flag(command, "verbose"))
		return 0;
	snprintf(from, sizeof(from), "v%" PRId64, before);
	snprintf(to, sizeof(to), "v%" PRId64, number);
	return compare_json(command, stack, from, to, ret_changes);
}

/* What it has become. */
static int restored(struct command *command, const char *stack, int64_t before, const char *what)
{
	json_auto_t *changes = NULL;
	const struct passwd *user;
	int64_t number;
	char text[32];
	int r = latest_version(command, stack, &number);

	r = r < 0 ? r : restored_changes(command, stack, before, number, &changes);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command,
			json_pack("{sssssIsbsO*}", "stack", stack, "restored", what, "version",
				(json_int_t)number, "changed", number != before, "changes", changes));
	if (number == before) {
		print_done("Stack '%s' is what it was then: nothing to do", stack);
		return 0;
	}
	print_done("Snapshot restored successfully");
	if (changes)
		compare_print(changes);
	print_heading("Current State");
	snprintf(text, sizeof(text), "v%" PRId64, number);
	print_detail("Version", text);
	snprintf(text, sizeof(text), "v%" PRId64, before);
	print_detail("Before", text);
	print_detail("Restored At", print_local_time(time_now_ms(), text));
	user = getpwuid(geteuid());
	snprintf(text, sizeof(text), "%ld", (long)geteuid());
	print_detail("Restored By", user ? user->pw_name : text);
	return 0;
}

static int ask(struct command *command, const char *stack, const char *version)
{
	char question[2 * NAME_SIZE + 64];

	snprintf(question, sizeof(question), "This will restore stack %s to snapshot %s", stack, version);
	return confirm(command, question);
}

static int ask_undo(struct command *command, const char *stack, int64_t count)
{
	char question[NAME_SIZE + 64];

	if (count == 1)
		snprintf(question, sizeof(question), "This will undo the last change of stack %s", stack);
	else
		snprintf(question, sizeof(question),
			"This will undo the last %" PRId64 " changes of stack %s", count, stack);
	return confirm(command, question);
}

int restore_run(struct command *command)
{
	const char *stack = command->operands[0], *version = command->operands[1];
	bool dry_run = command_flag(command, "dry-run");
	CLEANUP(buffer_done) struct buffer line = { 0 };
	json_auto_t *changes = NULL;
	int64_t before;
	int r = version_word(command, version);

	r = r < 0 ? r : latest_version(command, stack, &before);
	r = r < 0 ? r : restore_line(command, version, dry_run, &line);
	if (r == 0 && !dry_run && command->format == FORMAT_TEXT)
		print_warning("WARNING: This will restore stack to snapshot %s", version);
	if (r == 0 && !command_option(command, "only"))
		r = preview(command, stack, version, &changes);
	if (r == 0 && !dry_run)
		r = ask(command, stack, version);
	r = r < 0 ? r : control_write(command, stack, "snapshots/restore", buffer_text(&line));
	if (r < 0)
		return r;
	if (!dry_run)
		return restored(command, stack, before, version);
	if (command->format != FORMAT_TEXT)
		return print_value(command, changes ? json_incref(changes) : json_array());
	print_done("It can be restored; nothing was changed");
	return 0;
}

/* The stack alone. */
static int undo_changes(struct command *command)
{
	const char *stack = command->operands[0];
	const char *count = command->operand_count > 1 ? command->operands[1] : "1";
	CLEANUP(buffer_done) struct buffer line = { 0 };
	bool dry_run = command_flag(command, "dry-run");
	char start[64];
	int64_t number, before;
	int r = latest_version(command, stack, &before);

	if (r == 0 && (parse_int64(count, &number) < 0 || number < 1))
		r = fault_set(&command->fault, EINVAL, "%.20s: how many changes are to be undone?", count);
	if (r < 0)
		return r;
	snprintf(start, sizeof(start), "undo %" PRId64, number);
	r = restore_line(command, start, dry_run, &line);
	if (r == 0 && !dry_run)
		r = ask_undo(command, stack, number);
	r = r < 0 ? r : control_write(command, stack, "snapshots/restore", buffer_text(&line));
	if (r < 0)
		return r;
	if (!dry_run)
		return restored(command, stack, before, start);
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "stack", stack, "changed", 0));
	print_done("It can be undone; nothing was changed");
	return 0;
}

int undo_run(struct command *command)
{
	if (command_option(command, "run"))
		return undo_run_of_stack(command);
	return undo_changes(command);
}
