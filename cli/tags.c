/* SPDX-License-Identifier: MIT */
/* stack tags: add, list, remove. The files of /stacks/NAME/tags/ are the tags. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"

static int tag_path(struct command *command, const char *stack, const char *tag, char **ret_path)
{
	CLEANUP(cleanup_free) char *file = NULL;

	if (name_check(tag) < 0)
		return fault_set(&command->fault, EINVAL,
			"\"%s\" is no tag: letters, digits, '.', '_' and '-', at most %d", tag,
			NAME_MAX_LENGTH);
	if (asprintf(&file, "tags/%s", tag) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	return stack_path(command, stack, file, ret_path);
}

/* As touch(1) does. */
static int touch(struct client *client, const char *path, struct fault *fault)
{
	int64_t handle;
	int r = client_file_open(client, path, json_pack("[ss]", "read", "create"), fault, &handle);

	return r < 0 ? r : client_file_close(client, handle, fault, NULL);
}

static int unlink_path(struct client *client, const char *path, struct fault *fault)
{
	return client_call(client, "unlink", json_pack("{ss}", "path", path), NULL, 0, fault, NULL);
}

/* Does the same with all tags that were named; the first that fails ends it. */
static int change_tags(struct command *command, const char *word,
	int (*change)(struct client *client, const char *path, struct fault *fault))
{
	const char *stack = command->operands[0];
	json_t *tags = json_array();
	int r = 0;

	for (int i = 1; r == 0 && i < command->operand_count; i++) {
		CLEANUP(cleanup_free) char *path = NULL;

		r = tag_path(command, stack, command->operands[i], &path);
		if (r == 0 && !command_client(command))
			r = -command->fault.code;
		r = r < 0 ? r : change(&command->client, path, &command->fault);
		if (r == 0 && command->format == FORMAT_TEXT)
			print_done("Tag '%s' %s stack '%s'", command->operands[i], word, stack);
		json_array_append_new(tags, json_string(command->operands[i]));
	}
	if (r == 0 && command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{ssso}", "stack", stack, "tags", tags));
	json_decref(tags);
	return r;
}

static int add_run(struct command *command)
{
	return change_tags(command, "added to", touch);
}

static int remove_run(struct command *command)
{
	return change_tags(command, "removed from", unlink_path);
}

static int list_run(struct command *command)
{
	CLEANUP(cleanup_free) char *path = NULL;
	json_t *entries, *entry, *tags;
	size_t i;
	int r = 0;

	if (command->operand_count)
		r = stack_path(command, command->operands[0], "tags", &path);
	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	r = r < 0 ? r
		  : client_list(&command->client, path ? path : "/tags", false, &command->fault, &entries);
	if (r < 0)
		return r;
	tags = json_array();
	json_array_foreach (entries, i, entry)
		json_array_append(tags, json_object_get(entry, "name"));
	json_decref(entries);
	if (command->format != FORMAT_TEXT)
		return print_value(command, tags);
	json_array_foreach (tags, i, entry)
		puts(json_string_value(entry));
	json_decref(tags);
	return 0;
}

const struct verb tags_verbs[] = {
	{ "add", .operands = "NAME TAG...", .help = "Put tags on a stack", .run = add_run },
	{ "list", .alias = "ls", .operands = "[NAME]",
		.help = "Print the tags of a stack, or all that stacks bear", .run = list_run },
	{ "remove", .alias = "rm", .operands = "NAME TAG...", .help = "Take tags from a stack",
		.run = remove_run },
	{ NULL },
};
