/* SPDX-License-Identifier: MIT */
/* stack: list, show, new, output, delete. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/alias.h"
#include "cli/confirm.h"
#include "cli/drift.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/snapshot.h"
#include "cli/stack.h"
#include "cli/table.h"

static const struct option list_options[] = {
	{ "status", 's', "STATUS", "only stacks with this status: created, running, completed, failed" },
	{ "tag", 't', "TAG", "only stacks with this tag; may be repeated: those that bear all" },
	{ NULL },
};

static const struct option new_options[] = {
	{ "description", 'd', "TEXT", "what the stack is" },
	{ NULL },
};

static const struct option delete_options[] = {
	{ "force", 'f', NULL, "do not ask for the name, and go on where other stacks depend on it" },
	{ "yes", 'y', NULL, "do not ask for the name" },
	{ NULL },
};

int stack_path(struct command *command, const char *name, const char *file, char **ret_path)
{
	/* A name with a slash would be another path: it is refused here, not by what it happens to hit. */
	if (name_check(name) < 0)
		return fault_set(&command->fault, EINVAL,
			"\"%s\" is no name of a stack: letters, digits, '.', '_' and '-', at most %d", name,
			NAME_MAX_LENGTH);
	if (asprintf(ret_path, "/stacks/%s%s%s", name, *file ? "/" : "", file) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	return 0;
}

int stack_json(struct command *command, const char *name, const char *file, json_t **ret_value)
{
	CLEANUP(cleanup_free) char *path = NULL;
	int r = stack_path(command, name, file, &path);

	return r < 0 ? r : tree_json(command, path, ret_value);
}

/* How many questions may be under way: enough to keep the daemon busy, few enough for socket buffers. */
enum { WINDOW = 64 };

/* Asks for the file of one stack; 0 where it has no such name. */
static int64_t ask(struct command *command, const json_t *entry, const char *file)
{
	char path[NAME_SIZE + 64];

	snprintf(path, sizeof(path), "/stacks/%s/%s", print_text(entry, "name"), file);
	return client_send(
		&command->client, "read", json_pack("{ss}", "path", path), NULL, 0, &command->fault);
}

/* A stack that went away meanwhile, or that we may not see, is left out. */
static int take(struct command *command, int64_t id, const json_t *entry, json_t *values)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	struct fault fault = { 0 };
	int r = client_receive(&command->client, id, &fault, &answer);

	if (r == -ENOENT || r == -EACCES || r == -ESTALE)
		return 0;
	if (r < 0) {
		command->fault = fault;
		return r;
	}
	json_t *value = json_loadb(buffer_text(&answer.body), answer.body.size, 0, NULL);
	if (!json_is_object(value)) {
		json_decref(value);
		return fault_set(&command->fault, EPROTO, "the daemon's answer is not JSON");
	}
	/* Whose it is, where the content does not say so. */
	if (!json_object_get(value, "name"))
		json_object_set(value, "stack", json_object_get(entry, "name"));
	return json_array_append_new(values, value);
}

int stack_each_json(struct command *command, const char *file, json_t **ret_values)
{
	json_t *entries = NULL, *values;
	int64_t ids[WINDOW];
	size_t count, asked = 0;
	int r;

	if (!command_client(command))
		return -command->fault.code;
	r = client_list(&command->client, "/stacks", false, &command->fault, &entries);
	if (r < 0)
		return r;
	values = json_array();
	count = json_array_size(entries);
	for (size_t i = 0; r == 0 && i < count; i++) {
		for (; r == 0 && asked < count && asked < i + WINDOW; asked++) {
			ids[asked % WINDOW] = ask(command, json_array_get(entries, asked), file);
			r = ids[asked % WINDOW] < 0 ? (int)ids[asked % WINDOW] : 0;
		}
		r = r < 0 ? r : take(command, ids[i % WINDOW], json_array_get(entries, i), values);
	}
	json_decref(entries);
	if (r < 0)
		json_decref(values);
	else
		*ret_values = values;
	return r;
}

static int list_row(struct table *table, const json_t *stack)
{
	const json_t *run = json_object_get(stack, "last_run");
	const json_t *duration = json_object_get(run, "duration_ms");
	int64_t started = print_ms(json_object_get(run, "started"));
	char time[32], took[32], runs[32];

	snprintf(runs, sizeof(runs), "%lld", (long long)json_integer_value(json_object_get(stack, "runs")));
	return table_row(table,
		(const char *[]){ print_text(stack, "name"), print_text(stack, "status"),
			print_time(started, time),
			print_duration(json_is_integer(duration) ? json_integer_value(duration) : -1, took),
			runs });
}

static int list_table(json_t *stacks)
{
	static const struct column columns[] = {
		{ "NAME" },
		{ "STATUS" },
		{ "LAST RUN" },
		{ "DURATION", .right = true },
		{ "EXECUTIONS", .right = true },
		{ NULL },
	};
	return table_list_counted(columns, stacks, list_row, "Workflow Stacks", "", "stack");
}

/* Keeps what has the status. */
static void filter_status(json_t *stacks, const char *status)
{
	for (size_t i = json_array_size(stacks); status && i > 0; i--)
		if (strcmp(print_text(json_array_get(stacks, i - 1), "status"), status))
			json_array_remove(stacks, i - 1);
}

static bool has_text(const json_t *list, const char *text)
{
	const json_t *value;
	size_t i;

	json_array_foreach (list, i, value)
		if (!strcmp(json_string_value(value) ? json_string_value(value) : "", text))
			return true;
	return false;
}

/* Keeps what bears the tag. */
static void filter_tag(json_t *stacks, const char *tag)
{
	for (size_t i = json_array_size(stacks); i > 0; i--)
		if (!has_text(json_object_get(json_array_get(stacks, i - 1), "tags"), tag))
			json_array_remove(stacks, i - 1);
}

static int list_run(struct command *command)
{
	static const char *const statuses[] = { "created", "running", "completed", "failed" };
	const char *status = command_option(command, "status"), *tag;
	size_t known = 0;
	int position = 0;
	json_t *stacks;
	int r;

	while (status && known < 4 && strcmp(statuses[known], status))
		known++;
	if (known == 4)
		return fault_set(&command->fault, EINVAL,
			"--status %s: it must be created, running, completed or failed", status);
	r = tree_json(command, "/stacks.json", &stacks);
	if (r < 0)
		return r;
	filter_status(stacks, status);
	while ((tag = command_next(command, "tag", &position)))
		filter_tag(stacks, tag);
	if (command->format != FORMAT_TEXT)
		return print_value(command, stacks);
	r = list_table(stacks);
	json_decref(stacks);
	return r;
}

static int new_run(struct command *command)
{
	const char *name = command->operands[0], *description = command_option(command, "description");
	struct client *client;
	char *path = NULL, *file = NULL;
	int r = stack_path(command, name, "", &path);

	r = r < 0 ? r : stack_path(command, name, "description", &file);
	client = r < 0 ? NULL : command_client(command);
	if (!client)
		r = -command->fault.code;
	r = r < 0 ? r : client_mkdir(client, path, &command->fault);
	if (r == 0 && description)
		r = client_write(client, file, description, strlen(description), &command->fault, NULL);
	free(path);
	free(file);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "stack", name, "created", 1));
	print_done("Stack '%s' created", name);
	return 0;
}

static void output_line(
	const char *indent, const char *key, int width, const json_t *value, const char *equals)
{
	CLEANUP(cleanup_free) char *text = NULL;

	printf("%s%-*s%s", indent, width, key, equals);
	if (json_is_string(value))
		text_write_safe(stdout, json_string_value(value));
	else if ((text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(16))))
		text_write_safe(stdout, text);
	putchar('\n');
}

void outputs_print(json_t *outputs, const char *indent)
{
	bool terminal = print_is_terminal(stdout);
	const char *key;
	json_t *value;
	int width = 0;

	json_object_foreach (outputs, key, value)
		if ((int)strlen(key) > width)
			width = (int)strlen(key);
	json_object_foreach (outputs, key, value)
		output_line(indent, key, terminal || *indent ? width : 0, value,
			terminal || *indent ? " = " : "=");
}

/* One value, as the file outputs.d/KEY has it. */
static int output_one(struct command *command, const char *stack, const char *key)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	CLEANUP(cleanup_free) char *file = NULL;
	CLEANUP(cleanup_free) char *path = NULL;
	int r = 0;

	if (name_check(key) < 0)
		return fault_set(&command->fault, EINVAL, "\"%s\" is no name of an output", key);
	if (asprintf(&file, "outputs.d/%s", key) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	r = stack_path(command, stack, file, &path);
	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	r = r < 0 ? r : client_read(&command->client, path, &command->fault, &content);
	if (r == -ENOENT)
		return fault_set(&command->fault, ENOENT,
			"stack \"%s\" has no output \"%s\", or there is no such stack", stack, key);
	if (r == 0)
		fwrite(content.data, 1, content.size, stdout);
	return r;
}

static int output_run(struct command *command)
{
	const char *stack = command->operands[0],
		   *key = command->operand_count > 1 ? command->operands[1] : NULL;
	json_t *outputs, *value;
	int r;

	if (key && command->format == FORMAT_TEXT)
		return output_one(command, stack, key);
	r = stack_json(command, stack, "outputs.json", &outputs);
	if (r < 0)
		return r;
	if (key) {
		value = json_incref(json_object_get(outputs, key));
		json_decref(outputs);
		return value ? print_value(command, value)
			     : fault_set(&command->fault, ENOENT, "stack \"%s\" has no output \"%s\"", stack,
				       key);
	}
	if (command->format != FORMAT_TEXT)
		return print_value(command, outputs);
	if (print_is_terminal(stdout))
		printf("Outputs for: %s\n\n", stack);
	outputs_print(outputs, "");
	json_decref(outputs);
	return 0;
}

static int delete_run(struct command *command)
{
	const char *name = command->operands[0];
	CLEANUP(cleanup_free) char *path = NULL;
	json_t *attr;
	int r = stack_path(command, name, "", &path);

	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	if (r == 0 && !command_flag(command, "force") && !command_flag(command, "yes")) {
		r = client_stat(&command->client, path, &command->fault, &attr);
		if (r == 0) {
			json_decref(attr);
			r = confirm_name(command, "stack", name);
		}
	}
	if (r == 0 && command_flag(command, "force"))
		r = deps_let_go(command, name);
	r = r < 0 ? r
		  : client_call(&command->client, "rmdir", json_pack("{ss}", "path", path), NULL, 0,
			    &command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "stack", name, "deleted", 1));
	print_done("Stack '%s' deleted", name);
	return 0;
}

const struct verb stack_verbs[] = {
	{ "list", .alias = "ls", .help = "List the stacks", .options = list_options, .run = list_run },
	{ "show", .operands = "NAME", .run = stack_show_run,
		.help = "Show one stack: status, latest run, resources, dependencies, outputs, lock, "
			"snapshots" },
	{ "resources", .alias = "resource", .operands = "NAME", .help = "List the resources of a stack",
		.options = resources_options, .run = resources_run },
	{ "export", .operands = "NAME [FILE]", .help = "Write the whole stack into one document",
		.run = export_run },
	{ "import", .operands = "FILE", .help = "Make a stack from such a document",
		.options = import_options, .run = import_run },
	{ "new", .alias = "create", .operands = "NAME", .help = "Create a stack", .options = new_options,
		.run = new_run },
	{ "output", .alias = "outputs", .operands = "NAME [KEY]",
		.help = "Print the outputs of a stack, or one of them", .run = output_run },
	{ "delete", .alias = "destroy", .operands = "NAME", .help = "Destroy a stack",
		.options = delete_options, .run = delete_run },
	{ "deps", .help = "Dependencies of stacks: show, change, draw, check, order", .verbs = deps_verbs },
	{ "drift", .help = "Where the world differs from what a stack asks for: detect, show, fix, ignore",
		.verbs = drift_verbs },
	{ "adopt", .operands = "NAME TYPE SELECTOR", .options = stack_adopt_options, .run = stack_adopt_run,
		.more = stack_adopt_more,
		.help = "Take things that are there already under management, as they are" },
	{ "coverage", .operands = "NAME", .options = coverage_options, .run = coverage_run,
		.more = coverage_more,
		.help = "Show what of the stack's folders is looked after, and what is not" },
	{ "snapshot", .alias = "snapshots", .help = "Keep, list, compare and restore versions of a stack",
		.verbs = snapshot_verbs },
	{ "destroyed", .help = "Stacks that were destroyed: list, restore, purge", .verbs = destroyed_verbs },
	{ "history", .operands = "NAME", .help = "List the versions of a stack, the newest first",
		.options = history_options, .run = history_run },
	{ "blame", .operands = "NAME [ITEM]",
		.help = "Show since which version things are as they are, and by whom", .run = blame_run },
	{ "undo", .operands = "NAME [COUNT]",
		.help = "Undo the last change of a stack, or the last few, or a run", .options = undo_options,
		.run = undo_run },
	{ "tags", .alias = "tag", .help = "Add, list and remove the tags of a stack", .verbs = tags_verbs },
	{ "validate", .operands = "NAME",
		.help = "Check what must be in order before a run; all: every stack",
		.options = validate_options, .run = validate_run },
	{ "activity", .operands = "NAME", .help = "Show what happened to a stack, also to one that is gone",
		.options = activity_options, .run = activity_run },
	{ "lock", .help = "Acquire, show and release the locks of stacks", .verbs = lock_verbs },
	{ "state", .help = "Older names for the same commands", .verbs = stack_state_verbs },
	{ NULL },
};
