/* SPDX-License-Identifier: MIT */
/* workflow: looks at workflows without running them, and keeps them. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/plan.h"
#include "cli/origin.h"
#include "cli/print.h"
#include "cli/submission.h"
#include "cli/table.h"
#include "cli/confirm.h"
#include "cli/input.h"

static const struct option plan_options[] = {
	{ "stack", 's', "NAME", "as it would be on this stack, with its values" },
	SUBMISSION_OPTIONS,
	{ "format", 'F', "FORMAT", "text, json, dot or svg (text)" },
	{ NULL },
};

static const struct option validate_workflow_options[] = {
	{ "stack", 's', "NAME", "with the values of this stack" },
	SUBMISSION_OPTIONS,
	{ NULL },
};

static int plan_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer workflow = { 0 };
	json_auto_t *options = submission_options(command);
	char name[NAME_SIZE + 16];
	int r = submission_read(command, command->operands[0], false, name, &workflow);

	if (r == 0)
		origin_add_folder(command->operands[0], &workflow, options);
	return r < 0 ? r : plan_print(command, name, &workflow, options, command_option(command, "format"));
}

/* All are looked at; the first failure is the exit status. */
static int validate_one(struct command *command, const char *word, const json_t *common)
{
	CLEANUP(buffer_done) struct buffer workflow = { 0 };
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *options = json_copy((json_t *)(uintptr_t)common);
	json_auto_t *plan = NULL;
	char name[NAME_SIZE + 16];
	size_t count;
	int r = submission_read(command, word, false, name, &workflow);

	if (r == 0)
		origin_add_folder(word, &workflow, options);
	if (r == 0)
		r = plan_ask(command, name, &workflow, options, "json", &text);
	if (r < 0)
		return r;
	plan = json_loadb(buffer_text(&text), text.size, 0, NULL);
	count = json_array_size(json_object_get(plan, "tasks"));
	if (command->format != FORMAT_TEXT)
		return print_value(
			command, json_pack("{ss sb sO sI}", "file", word, "valid", 1, "workflow",
					 json_object_get(plan, "workflow"), "tasks", (json_int_t)count));
	print_done("%s: workflow %s, %zu task%s", word, print_text(plan, "workflow"), count,
		count == 1 ? "" : "s");
	return 0;
}

static int validate_workflow_run(struct command *command)
{
	json_auto_t *options = submission_options(command);
	struct fault first = { 0 };
	int result = 0;

	for (int i = 0; i < command->operand_count; i++) {
		int r = validate_one(command, command->operands[i], options);

		if (r < 0 && result == 0) {
			result = r;
			first = command->fault;
		} else if (r < 0) {
			print_fault(&command->fault, -r);
		}
		command->fault = (struct fault){ 0 };
	}
	command->fault = first;
	return result;
}

/* Saved ones. */

static const struct option show_workflow_options[] = {
	{ "version", 'V', "NUMBER", "the text that was saved as this version: 3" },
	{ NULL },
};

static const struct option save_options[] = {
	{ "name", 'n', "NAME", "save it under this name; without it, the file's" },
	{ NULL },
};

static const struct option delete_workflow_options[] = {
	CONFIRM_OPTIONS,
	{ NULL },
};

static const struct column list_columns[] = {
	{ "NAME" },
	{ "WORKFLOW" },
	{ "VERSION", .right = true },
	{ "TASKS", .right = true },
	{ "OWNER" },
	{ "SAVED" },
	{ "DESCRIPTION", .shrinks = true },
	{ NULL },
};

static int list_row(struct table *table, const json_t *saved)
{
	char version[32], tasks[32], time[32];
	const char *texts[] = { print_text(saved, "name"), print_text(saved, "workflow"), version, tasks,
		print_text(saved, "owner"), print_time(print_ms(json_object_get(saved, "saved")), time),
		print_text(saved, "description") };

	snprintf(version, sizeof(version), "%lld",
		(long long)json_integer_value(json_object_get(saved, "version")));
	snprintf(
		tasks, sizeof(tasks), "%lld", (long long)json_integer_value(json_object_get(saved, "tasks")));
	return table_row(table, texts);
}

static bool is_description(const char *name)
{
	size_t n = strlen(name), m = strlen(".json");

	return n > m && !strcmp(name + n - m, ".json");
}

/* One that the caller may not read is left out, or went away meanwhile. */
static int list_saved(struct command *command, json_t *list)
{
	json_auto_t *entries = NULL;
	json_t *entry;
	size_t i;
	int r;

	if (!command_client(command))
		return -command->fault.code;
	r = client_list(&command->client, "/workflows", false, &command->fault, &entries);
	json_array_foreach (entries, i, entry) {
		const char *name = print_text(entry, "name");
		char path[NAME_SIZE + 48];
		json_t *saved;

		if (r < 0 || !is_description(name))
			continue;
		snprintf(path, sizeof(path), "/workflows/%s", name);
		r = tree_json(command, path, &saved);
		if (r == 0)
			json_array_append_new(list, saved);
		else if (r == -EACCES || r == -ENOENT)
			r = 0;
	}
	return r;
}

static int list_run(struct command *command)
{
	json_auto_t *list = json_array();
	int r = list_saved(command, list);

	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_incref(list));
	return table_list(list_columns, list, list_row);
}

/* "/workflows/deploy.sloth", whatever of it was said. */
static int saved_path(struct command *command, const char *word, char *ret_name)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };

	return submission_read(command, word, true, ret_name, &text);
}

static int show_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	char name[NAME_SIZE + 16], path[NAME_SIZE + 80];
	int64_t version = 0;
	json_t *saved;
	int r = command_number(command, "version", 1, &version);

	r = r < 0 ? r : saved_path(command, command->operands[0], name);
	if (r == 0 && command->format != FORMAT_TEXT) {
		snprintf(path, sizeof(path), "/workflows/%s.json", name);
		r = tree_json(command, path, &saved);
		return r < 0 ? r : print_value(command, saved);
	}
	if (version)
		snprintf(path, sizeof(path), "/workflows/%s.d/v%lld", name, (long long)version);
	else
		snprintf(path, sizeof(path), "/workflows/%s", name);
	r = r < 0 ? r : client_read(&command->client, path, &command->fault, &text);
	if (r == -ENOENT)
		return fault_set(&command->fault, ENOENT,
			"%s has no version %lld; sloth workflow show %s --json lists them", name,
			(long long)version, name);
	if (r == 0)
		fwrite(buffer_text(&text), 1, text.size, stdout);
	return r;
}

static int save_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	const char *file = command->operands[0], *own = command_option(command, "name");
	char name[NAME_SIZE + 16], path[NAME_SIZE + 48];
	json_auto_t *saved = NULL;
	int r = submission_name(command, own ? own : file, name, sizeof(name));

	r = r < 0 ? r : input_read(command, file, &text);
	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	snprintf(path, sizeof(path), "/workflows/%s", name);
	if (r == 0)
		r = client_write(
			&command->client, path, buffer_text(&text), text.size, &command->fault, NULL);
	snprintf(path, sizeof(path), "/workflows/%s.json", name);
	r = r < 0 ? r : tree_json(command, path, &saved);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_incref(saved));
	print_done("Saved %s, version %lld", name,
		(long long)json_integer_value(json_object_get(saved, "version")));
	return 0;
}

static int delete_run(struct command *command)
{
	char name[NAME_SIZE + 16], path[NAME_SIZE + 48];
	int r = saved_path(command, command->operands[0], name);

	r = r < 0 ? r : confirm_name(command, "saved workflow", name);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/workflows/%s", name);
	r = client_call(
		&command->client, "unlink", json_pack("{ss}", "path", path), NULL, 0, &command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{ss sb}", "name", name, "deleted", 1));
	print_done("Deleted %s", name);
	return 0;
}

const struct verb workflow_verbs[] = {
	{ "list", .alias = "ls", .help = "List saved workflows", .run = list_run },
	{ "show", .operands = "NAME", .help = "Print a saved workflow", .options = show_workflow_options,
		.run = show_run },
	{ "save", .operands = "FILE", .help = "Check a workflow and keep it", .options = save_options,
		.run = save_run },
	{ "delete", .alias = "rm", .operands = "NAME", .help = "Delete a saved workflow and its versions",
		.options = delete_workflow_options, .run = delete_run },
	{ "plan", .operands = "WORKFLOW", .help = "Show what a workflow would do, and run nothing",
		.options = plan_options, .run = plan_run },
	{ "validate", .alias = "check", .operands = "WORKFLOW...",
		.help = "Load workflows and check their graphs, and run nothing",
		.options = validate_workflow_options, .run = validate_workflow_run },
	{ NULL },
};
