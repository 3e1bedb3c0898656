/* SPDX-License-Identifier: MIT */
/* stack snapshot: create, list, show, delete, pin, unpin. /stacks/NAME/snapshots/ does the work. */
#include "cli/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/control.h"
#include "cli/confirm.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "cli/table.h"

static const struct option create_options[] = {
	{ "description", 'd', "TEXT", "what it is" },
	{ "creator", 0, "NAME", "who takes it, as others will read it (your user name)" },
	{ "tags", 't', "TAG,...", "words to find it by" },
	{ "name", 'n', "NAME", "a name, which pins it" },
	{ NULL },
};

static const struct option delete_options[] = {
	{ "force", 'f', NULL, "do not ask" },
	{ "yes", 'y', NULL, "do not ask" },
	{ NULL },
};

int version_word(struct command *command, const char *text)
{
	if (name_check(text) < 0 || strstr(text, ".."))
		return fault_set(&command->fault, EINVAL,
			"\"%.140s\" is no version: v38, 38, current, or a name", text);
	return 0;
}

int latest_version(struct command *command, const char *stack, int64_t *ret_number)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_free) char *target = NULL;
	int r = stack_path(command, stack, "snapshots/latest", &path);

	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	r = r < 0 ? r : client_readlink(&command->client, path, &command->fault, &target);
	if (r == 0 && (*target != 'v' || parse_int64(target + 1, ret_number) < 0))
		r = fault_set(&command->fault, EPROTO, "%s: no version", target);
	return r;
}

/* The folder of a version that was given by number or name: "snapshots/v38" and the number. */
static int version_find(struct command *command, const char *stack, const char *text, int64_t *ret_number)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_free) char *target = NULL;
	CLEANUP(cleanup_free) char *file = NULL;
	int r = version_word(command, text);

	if (r < 0)
		return r;
	if (parse_int64(*text == 'v' ? text + 1 : text, ret_number) == 0)
		return 0;
	if (!strcmp(text, "current"))
		return latest_version(command, stack, ret_number);
	if (asprintf(&file, "snapshots/%s", text) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	r = stack_path(command, stack, file, &path);
	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	r = r < 0 ? r : client_readlink(&command->client, path, &command->fault, &target);
	if (r == -ENOENT || r == -EINVAL)
		return fault_set(&command->fault, ENOENT, "stack \"%s\" has no version \"%s\"", stack, text);
	if (r == 0 && (*target != 'v' || parse_int64(target + 1, ret_number) < 0))
		r = fault_set(&command->fault, EPROTO, "%s: no version", target);
	return r;
}

/* The object of a version in list.json or history.json; NULL: it is in neither. Borrowed. */
static const json_t *version_in(const json_t *list, int64_t number)
{
	const json_t *object;
	size_t i;

	json_array_foreach (list, i, object)
		if (json_integer_value(json_object_get(object, "version")) == number)
			return object;
	return NULL;
}

static const char *creator_of(const json_t *snapshot)
{
	const char *creator = print_text(snapshot, "creator");

	return *creator ? creator : print_text(snapshot, "user");
}

static void names_of(const json_t *snapshot, struct buffer *ret_names)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(snapshot, "names"), i, name) {
		if (i)
			buffer_append_text(ret_names, ",");
		buffer_append_text(ret_names, json_string_value(name) ? json_string_value(name) : "");
	}
}

static void detail(const char *label, const char *text)
{
	if (*text)
		print_detail(label, text);
}

static void print_snapshot(const json_t *snapshot)
{
	CLEANUP(buffer_done) struct buffer names = { 0 };
	char number[32], time[32];

	names_of(snapshot, &names);
	snprintf(number, sizeof(number), "v%lld",
		(long long)json_integer_value(json_object_get(snapshot, "version")));
	print_detail("Version", number);
	detail("Creator", creator_of(snapshot));
	detail("Description", print_text(snapshot, "description"));
	detail("Tags", print_text(snapshot, "tags"));
	detail("Names", buffer_text(&names));
	print_detail("Created", print_local_time(print_ms(json_object_get(snapshot, "time")), time));
}

static int create_line(struct command *command, struct buffer *line)
{
	static const char *const words[] = { "description", "creator", "tags", "name" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(words) / sizeof(words[0]); i++)
		r = control_word(command, line, words[i], command_option(command, words[i]));
	return r;
}

/* Ours is the newest that has our words: others may have taken one meanwhile. */
static const json_t *find_created(struct command *command, const json_t *list)
{
	const char *description = command_option(command, "description");
	const json_t *object;
	size_t i;

	json_array_foreach (list, i, object)
		if (!strcmp(print_text(object, "description"), description ? description : "") &&
			!strcmp(print_text(object, "trigger"), "manual"))
			return object;
	return NULL;
}

static int create_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	const char *stack = command->operands[0];
	json_auto_t *list = NULL;
	const json_t *snapshot;
	int r = create_line(command, &line);

	r = r < 0 ? r : control_write(command, stack, "snapshots/new", buffer_text(&line));
	r = r < 0 ? r : stack_json(command, stack, "snapshots/list.json", &list);
	if (r < 0)
		return r;
	snapshot = find_created(command, list);
	if (!snapshot)
		return fault_set(&command->fault, ESTALE, "the snapshot was taken, and deleted since");
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_deep_copy(snapshot));
	print_done("Snapshot created for stack '%s'", stack);
	print_heading("Snapshot Details");
	print_snapshot(snapshot);
	return 0;
}

static int list_row(struct table *table, const json_t *snapshot)
{
	CLEANUP(buffer_done) struct buffer names = { 0 };
	const char *description = print_text(snapshot, "description");
	char number[32], time[32];

	names_of(snapshot, &names);
	snprintf(number, sizeof(number), "v%lld",
		(long long)json_integer_value(json_object_get(snapshot, "version")));
	return table_row(table,
		(const char *[]){ number, creator_of(snapshot),
			*description ? description : print_text(snapshot, "what"),
			print_time(print_ms(json_object_get(snapshot, "time")), time),
			print_text(snapshot, "trigger"), print_text(snapshot, "tags"), buffer_text(&names) });
}

static int list_table(const char *stack, const json_t *list)
{
	static const struct column columns[] = { { "VERSION" }, { "CREATOR" },
		{ "DESCRIPTION", .shrinks = true }, { "CREATED AT" }, { "TRIGGER" }, { "TAGS" }, { "NAMES" },
		{ NULL } };
	return table_list_counted(columns, list, list_row, "Snapshots for stack: ", stack, "snapshot");
}

static int list_run(struct command *command)
{
	json_auto_t *list = NULL;
	int r = stack_json(command, command->operands[0], "snapshots/list.json", &list);

	if (r < 0)
		return r;
	return command->format != FORMAT_TEXT ? print_value(command, json_incref(list))
					      : list_table(command->operands[0], list);
}

/* How many entries a folder of the version has, and the bytes of its files; folders in it count with theirs.
 */
static int folder_sum(struct command *command, const char *path, json_int_t *ret_files, json_int_t *ret_bytes)
{
	json_auto_t *entries = NULL;
	const json_t *entry;
	size_t i;
	int r = client_list(&command->client, path, true, &command->fault, &entries);

	json_array_foreach (entries, i, entry) {
		CLEANUP(cleanup_free) char *below = NULL;

		if (r < 0 || asprintf(&below, "%s/%s", path, print_text(entry, "name")) < 0)
			break;
		if (!strcmp(print_text(entry, "type"), "directory")) {
			r = folder_sum(command, below, ret_files, ret_bytes);
			continue;
		}
		++*ret_files;
		*ret_bytes += json_integer_value(json_object_get(json_object_get(entry, "attr"), "size"));
	}
	return r;
}

/* What is in the version: how many of each kind, and the bytes of all of its files. */
static int summary_json(struct command *command, const char *stack, int64_t number, json_t *object)
{
	static const char *const folders[] = { "/resources", "/outputs.d", "/state", "/tags", "/deps", "" };
	static const char *const names[] = { "resources", "outputs", "keys", "tag_count", "dependencies",
		"files" };
	json_int_t files, bytes = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
		CLEANUP(cleanup_free) char *file = NULL;
		CLEANUP(cleanup_free) char *path = NULL;

		if (asprintf(&file, "snapshots/v%" PRId64 "%s", number, folders[i]) < 0)
			return fault_set(&command->fault, ENOMEM, "no memory");
		r = stack_path(command, stack, file, &path);
		files = bytes = 0;
		r = r < 0 ? r : folder_sum(command, path, &files, &bytes);
		json_object_set_new(object, names[i], json_integer(files));
	}
	json_object_set_new(object, "size", json_integer(bytes));
	return r;
}

/* Who made it, when and why, as far as that is still listed; else only when. */
static int version_json(struct command *command, const char *stack, int64_t number, json_t **ret_object)
{
	static const char *const files[] = { "snapshots/list.json", "history.json" };
	CLEANUP(cleanup_free) char *file = NULL;
	CLEANUP(cleanup_free) char *path = NULL;
	json_auto_t *attr = NULL;
	int r;

	if (asprintf(&file, "snapshots/v%" PRId64, number) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	r = stack_path(command, stack, file, &path);
	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	r = r < 0 ? r : client_stat(&command->client, path, &command->fault, &attr);
	if (r == -ENOENT)
		return fault_set(
			&command->fault, ENOENT, "stack \"%s\" has no version v%" PRId64, stack, number);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		json_auto_t *list = NULL;
		const json_t *found;

		r = stack_json(command, stack, files[i], &list);
		found = r == 0 ? version_in(list, number) : NULL;
		if (found) {
			*ret_object = json_deep_copy(found);
			return 0;
		}
	}
	if (r == 0)
		*ret_object = json_pack(
			"{s:I, s:O?}", "version", (json_int_t)number, "time", json_object_get(attr, "mtime"));
	return r;
}

static void print_count(const char *label, const json_t *object, const char *key)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(json_object_get(object, key)));
	print_detail(label, text);
}

static int show_run(struct command *command)
{
	const char *stack = command->operands[0];
	json_auto_t *object = NULL;
	int64_t number;
	char size[32];
	int r = version_find(command, stack, command->operands[1], &number);

	r = r < 0 ? r : version_json(command, stack, number, &object);
	r = r < 0 ? r : summary_json(command, stack, number, object);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT) {
		json_object_set_new(object, "stack", json_string(stack));
		return print_value(command, json_incref(object));
	}
	print_heading("Snapshot Details");
	print_detail("Stack", stack);
	print_snapshot(object);
	detail("Change", print_text(object, "what"));
	print_detail("Size", print_size(json_integer_value(json_object_get(object, "size")), size));
	print_heading("State Summary");
	print_count("Resources", object, "resources");
	print_count("Outputs", object, "outputs");
	print_count("Keys", object, "keys");
	print_count("Tags", object, "tag_count");
	print_count("Dependencies", object, "dependencies");
	return 0;
}

static int delete_run(struct command *command)
{
	const char *stack = command->operands[0];
	CLEANUP(cleanup_free) char *file = NULL;
	CLEANUP(cleanup_free) char *path = NULL;
	char question[NAME_SIZE + 64];
	int64_t number;
	int r = version_find(command, stack, command->operands[1], &number);

	if (r < 0)
		return r;
	snprintf(question, sizeof(question), "This deletes version v%" PRId64 " of stack %s", number, stack);
	r = confirm(command, question);
	if (r == 0 && asprintf(&file, "snapshots/v%" PRId64, number) < 0)
		r = fault_set(&command->fault, ENOMEM, "no memory");
	r = r < 0 ? r : stack_path(command, stack, file, &path);
	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	r = r < 0 ? r
		  : client_call(&command->client, "rmdir", json_pack("{ss}", "path", path), NULL, 0,
			    &command->fault, NULL);
	if (r == -ENOENT)
		return fault_set(
			&command->fault, ENOENT, "stack \"%s\" has no version v%" PRId64, stack, number);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command,
			json_pack("{sssIsb}", "stack", stack, "version", (json_int_t)number, "deleted", 1));
	print_done("Snapshot v%" PRId64 " of stack '%s' deleted", number, stack);
	return 0;
}

static int pin_path(struct command *command, const char *name, char **ret_path)
{
	CLEANUP(cleanup_free) char *file = NULL;
	int r = version_word(command, name);

	if (r == 0 && asprintf(&file, "snapshots/%s", name) < 0)
		r = fault_set(&command->fault, ENOMEM, "no memory");
	r = r < 0 ? r : stack_path(command, command->operands[0], file, ret_path);
	return r == 0 && !command_client(command) ? -command->fault.code : r;
}

static int pin_run(struct command *command)
{
	const char *stack = command->operands[0], *name = command->operands[2];
	CLEANUP(cleanup_free) char *path = NULL;
	char target[32];
	int64_t number;
	int r = version_find(command, stack, command->operands[1], &number);

	r = r < 0 ? r : pin_path(command, name, &path);
	if (r < 0)
		return r;
	snprintf(target, sizeof(target), "v%" PRId64, number);
	r = client_call(&command->client, "symlink", json_pack("{ssss}", "path", path, "target", target),
		NULL, 0, &command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command,
			json_pack("{sssIss}", "stack", stack, "version", (json_int_t)number, "name", name));
	print_done("v%" PRId64 " of stack '%s' is pinned as '%s'", number, stack, name);
	return 0;
}

static int unpin_run(struct command *command)
{
	const char *stack = command->operands[0], *name = command->operands[1];
	CLEANUP(cleanup_free) char *path = NULL;
	int r = pin_path(command, name, &path);

	r = r < 0 ? r
		  : client_call(&command->client, "unlink", json_pack("{ss}", "path", path), NULL, 0,
			    &command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssssb}", "stack", stack, "name", name, "pinned", 0));
	print_done("The name '%s' of stack '%s' is gone; the version stays", name, stack);
	return 0;
}

const struct verb snapshot_verbs[] = {
	{ "create", .alias = "new", .operands = "NAME", .help = "Keep a stack as it is now",
		.options = create_options, .run = create_run },
	{ "list", .alias = "ls", .operands = "NAME", .help = "List what is kept of a stack",
		.run = list_run },
	{ "show", .operands = "NAME VERSION", .help = "Show one version: who, when, what is in it",
		.run = show_run },
	{ "restore", .operands = "NAME VERSION", .help = "Make a stack what it was in a version",
		.options = restore_options, .run = restore_run },
	{ "compare", .alias = "diff", .operands = "NAME VERSION VERSION",
		.help = "Show what differs between two versions; exit status 2 when something does",
		.run = compare_run },
	{ "delete", .operands = "NAME VERSION", .help = "Delete a version", .options = delete_options,
		.run = delete_run },
	{ "pin", .operands = "NAME VERSION LABEL", .help = "Give a version a name, with which it stays",
		.run = pin_run },
	{ "unpin", .operands = "NAME LABEL", .help = "Take a name away again", .run = unpin_run },
	{ NULL },
};
