/* SPDX-License-Identifier: MIT */
/* state workflow: the executions of workflows, as other tools show them. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/confirm.h"
#include "cli/drift.h"
#include "cli/executions.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "cli/table.h"

static const struct option list_options[] = {
	{ "name", 'n', "WORKFLOW", "only of this workflow" },
	{ "status", 's', "STATUS", "only with this status: pending, running, success, failed, rolled_back" },
	{ "limit", 0, "NUMBER", "at most so many, the newest (100)" },
	{ NULL },
};

static const struct option touched_options[] = {
	{ "type", 't', "TYPE", "only of this type" },
	{ NULL },
};

static const struct option ask_options[] = {
	CONFIRM_OPTIONS,
	{ NULL },
};

enum { LIMIT = 100, NUMBER_SIZE = 32 };

static const char *number_text(
	const json_t *object, const char *key, const char *prefix, char ret_text[NUMBER_SIZE])
{
	const json_t *value = json_object_get(object, key);

	ret_text[0] = '\0';
	if (json_is_integer(value))
		snprintf(ret_text, NUMBER_SIZE, "%s%lld", prefix, (long long)json_integer_value(value));
	return ret_text;
}

static const char *duration_text(const json_t *execution, char ret_text[32])
{
	const json_t *ms = json_object_get(execution, "duration_ms");

	return print_duration(json_is_integer(ms) ? json_integer_value(ms) : -1, ret_text);
}

static int execution_row(struct table *table, const json_t *execution)
{
	char id[NUMBER_SIZE], version[NUMBER_SIZE], time[32], took[32];

	return table_row(table,
		(const char *[]){ number_text(execution, "id", "", id), print_text(execution, "name"),
			print_text(execution, "stack"), number_text(execution, "version", "v", version),
			print_text(execution, "status"),
			print_time(print_ms(json_object_get(execution, "started")), time),
			duration_text(execution, took) });
}

/* The list as it was asked for; it is stolen. */
static int print_list(struct command *command, const struct column *columns, json_t *list,
	int (*row)(struct table *table, const json_t *object))
{
	int r;

	if (command->format != FORMAT_TEXT)
		return print_value(command, list);
	r = table_list(columns, list, row);
	json_decref(list);
	return r;
}

static int list_run(struct command *command)
{
	static const struct column columns[] = {
		{ "ID", .right = true },
		{ "NAME" },
		{ "STACK" },
		{ "VERSION", .right = true },
		{ "STATUS" },
		{ "STARTED" },
		{ "DURATION", .right = true },
		{ NULL },
	};
	struct execution_filter filter = { .name = command_option(command, "name"),
		.status = command_option(command, "status"),
		.limit = LIMIT };
	json_t *list;
	int r = execution_status_check(command, filter.status);

	if (r == 0)
		r = command_number(command, "limit", 1, &filter.limit);
	if (r == 0)
		r = executions_list(command, &filter, &list);
	return r < 0 ? r : print_list(command, columns, list, execution_row);
}

static int resource_row(struct table *table, const json_t *resource)
{
	return table_row(table, (const char *[]){ print_text(resource, "type"), print_text(resource, "name"),
					print_text(resource, "action"), print_text(resource, "status") });
}

static const struct column resource_columns[] = {
	{ "TYPE" },
	{ "NAME" },
	{ "ACTION" },
	{ "STATUS" },
	{ NULL },
};

static int execution_outputs(struct command *command, const json_t *execution, json_t **ret_outputs)
{
	char path[64];

	snprintf(path, sizeof(path), "/runs/%lld/outputs.json",
		(long long)json_integer_value(json_object_get(execution, "id")));
	return tree_json(command, path, ret_outputs);
}

static void show_basic(const json_t *execution)
{
	static const struct {
		const char *label, *key;
	} texts[] = {
		{ "Name", "name" },
		{ "Stack", "stack" },
		{ "Status", "status" },
		{ "User", "user" },
		{ "Error", "error" },
	};
	int64_t started = print_ms(json_object_get(execution, "started"));
	int64_t finished = print_ms(json_object_get(execution, "finished"));
	char number[NUMBER_SIZE], time[32];

	print_heading("Basic Information");
	print_detail("ID", number_text(execution, "id", "", number));
	if (*number_text(execution, "version", "", number))
		print_detail("Version", number);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (*print_text(execution, texts[i].key))
			print_detail(texts[i].label, print_text(execution, texts[i].key));
	if (started)
		print_detail("Started At", print_local_time(started, time));
	if (finished)
		print_detail("Completed At", print_local_time(finished, time));
	if (json_is_integer(json_object_get(execution, "duration_ms")))
		print_detail("Duration", duration_text(execution, time));
}

static int show_page(const json_t *execution)
{
	json_t *resources = json_object_get(execution, "resources");
	json_t *outputs = json_object_get(execution, "outputs");
	char version[NUMBER_SIZE], title[NAME_SIZE + NUMBER_SIZE + 4];
	int r = 0;

	number_text(execution, "version", " (v", version);
	snprintf(title, sizeof(title), "%s%s%s", print_text(execution, "name"), version, *version ? ")" : "");
	print_title("Workflow", title);
	show_basic(execution);
	if (json_array_size(resources)) {
		print_heading("Resources");
		r = table_list(resource_columns, resources, resource_row);
	}
	if (r == 0 && json_object_size(outputs)) {
		print_heading("Outputs");
		outputs_print(outputs, "  ");
	}
	return r;
}

static int show_run(struct command *command)
{
	json_auto_t *execution = NULL;
	json_t *part;
	int r = execution_find(command, command->operands[0], &execution);

	r = r < 0 ? r : execution_resources(command, execution, &part);
	r = r < 0 ? r : json_object_set_new(execution, "resources", part);
	r = r < 0 ? r : execution_outputs(command, execution, &part);
	r = r < 0 ? r : json_object_set_new(execution, "outputs", part);
	if (r < 0)
		return r;
	return command->format != FORMAT_TEXT ? print_value(command, json_incref(execution))
					      : show_page(execution);
}

static int version_row(struct table *table, const json_t *version)
{
	const char *description = print_text(version, "description");
	char number[NUMBER_SIZE], run[NUMBER_SIZE], time[32];

	return table_row(table, (const char *[]){ number_text(version, "version", "v", number),
					number_text(version, "run", "", run),
					print_time(print_ms(json_object_get(version, "time")), time),
					print_text(version, "user"),
					*description ? description : print_text(version, "what") });
}

static bool is_number(const char *word)
{
	int64_t number;

	return parse_int64(word, &number) == 0;
}

static int versions_run(struct command *command)
{
	static const struct column columns[] = {
		{ "VERSION", .right = true },
		{ "EXECUTION", .right = true },
		{ "CREATED" },
		{ "CREATED BY" },
		{ "DESCRIPTION", .shrinks = true },
		{ NULL },
	};
	json_auto_t *execution = NULL;
	json_t *versions;
	int r = execution_find(command, command->operands[0], &execution);

	if (r == 0)
		r = execution_versions(command, execution, !is_number(command->operands[0]), &versions);
	return r < 0 ? r : print_list(command, columns, versions, version_row);
}

/* Into the control file snapshots/restore of the execution's stack. */
static int restore(struct command *command, const char *stack, const char *version)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_free) char *line = NULL;
	int r = stack_path(command, stack, "snapshots/restore", &path);

	if (r < 0)
		return r;
	if (asprintf(&line, "%s\n", version) < 0) {
		line = NULL;
		return fault_set(&command->fault, ENOMEM, "no memory");
	}
	return client_write(&command->client, path, line, strlen(line), &command->fault, NULL);
}

static int rollback_run(struct command *command)
{
	const char *version = command->operands[1], *stack;
	json_auto_t *execution = NULL;
	char question[2 * NAME_SIZE + 64];
	int r = name_check(version) < 0 ? fault_set(&command->fault, EINVAL,
						  "\"%.140s\" is no version: v38, 38, or a name", version)
					: execution_find(command, command->operands[0], &execution);

	if (r < 0)
		return r;
	stack = print_text(execution, "stack");
	if (!*stack)
		return fault_set(&command->fault, ENOENT, "execution %s has no stack", command->operands[0]);
	snprintf(question, sizeof(question), "This makes the stack \"%s\" what it was in version %s", stack,
		version);
	r = confirm_word(command, question, stack);
	if (r == 0)
		r = restore(command, stack, version);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(
			command, json_pack("{sssssb}", "stack", stack, "version", version, "restored", 1));
	print_done("Stack '%s' is what it was in version %s", stack, version);
	return 0;
}

static int touched_run(struct command *command)
{
	const char *type = command_option(command, "type");
	json_auto_t *execution = NULL;
	json_t *resources;
	int r = execution_find(command, command->operands[0], &execution);

	r = r < 0 ? r : execution_resources(command, execution, &resources);
	if (r < 0)
		return r;
	for (size_t i = json_array_size(resources); type && i > 0; i--)
		if (strcmp(print_text(json_array_get(resources, i - 1), "type"), type))
			json_array_remove(resources, i - 1);
	return print_list(command, resource_columns, resources, resource_row);
}

static int outputs_run(struct command *command)
{
	json_auto_t *execution = NULL;
	json_t *outputs;
	int r = execution_find(command, command->operands[0], &execution);

	r = r < 0 ? r : execution_outputs(command, execution, &outputs);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, outputs);
	outputs_print(outputs, "");
	json_decref(outputs);
	return 0;
}

static int delete_run(struct command *command)
{
	json_auto_t *execution = NULL;
	char number[NUMBER_SIZE], path[64], question[128];
	int r = execution_find(command, command->operands[0], &execution);

	if (r < 0)
		return r;
	number_text(execution, "id", "", number);
	snprintf(question, sizeof(question), "This deletes execution %s, with its logs", number);
	snprintf(path, sizeof(path), "/runs/%s", number);
	r = confirm_word(command, question, number);
	if (r == 0)
		r = client_call(&command->client, "rmdir", json_pack("{ss}", "path", path), NULL, 0,
			&command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(
			command, json_pack("{sOsb}", "id", json_object_get(execution, "id"), "deleted", 1));
	print_done("Execution %s deleted", number);
	return 0;
}

const struct verb state_workflow_verbs[] = {
	{ "list", .alias = "ls", .help = "List the executions of workflows, the newest first",
		.options = list_options, .run = list_run },
	{ "show", .operands = "WORKFLOW", .help = "Show one execution: status, resources, outputs",
		.run = show_run },
	{ "versions", .operands = "WORKFLOW", .help = "List the versions of the stack that it made",
		.run = versions_run },
	{ "rollback", .operands = "WORKFLOW VERSION", .help = "Make its stack what it was in a version",
		.options = ask_options, .run = rollback_run },
	{ "drift", .operands = "WORKFLOW", .run = drift_of_execution_run, .options = drift_look_options,
		.help = "The same as stack drift detect, for its stack" },
	{ "resources", .operands = "WORKFLOW", .help = "List what it did to resources",
		.options = touched_options, .run = touched_run },
	{ "outputs", .operands = "WORKFLOW", .help = "Print what it set", .run = outputs_run },
	{ "delete", .alias = "rm", .operands = "WORKFLOW", .help = "Delete an execution and its logs",
		.options = ask_options, .run = delete_run },
	{ NULL },
};
