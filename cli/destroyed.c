/* SPDX-License-Identifier: MIT */
/* stack destroyed: list, restore, purge. The folder /destroyed does the work. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/confirm.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"

static const struct option restore_options[] = {
	{ "name", 'n', "NAME", "the stack's name from now on (the one that it had)" },
	{ NULL },
};

static const struct option purge_options[] = {
	{ "force", 'f', NULL, "do not ask" },
	{ "yes", 'y', NULL, "do not ask" },
	{ NULL },
};

static int list_json(struct command *command, json_t **ret_list)
{
	json_auto_t *entries = NULL;
	json_t *list = json_array();
	const json_t *entry;
	size_t i;
	int r = command_client(command) ? 0 : -command->fault.code;

	r = r < 0 ? r : client_list(&command->client, "/destroyed", true, &command->fault, &entries);
	json_array_foreach (entries, i, entry) {
		const json_t *attr = json_object_get(entry, "attr");
		char time[32];

		json_array_append_new(
			list, json_pack("{s:s, s:s}", "name", print_text(entry, "name"), "destroyed",
				      time_format(json_integer_value(json_object_get(attr, "mtime")), time)));
	}
	if (r < 0) {
		json_decref(list);
		return r;
	}
	*ret_list = list;
	return 0;
}

static int list_run(struct command *command)
{
	json_auto_t *list = NULL;
	const json_t *entry;
	size_t i;
	int r = list_json(command, &list);

	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_incref(list));
	json_array_foreach (list, i, entry)
		puts(print_text(entry, "name"));
	return 0;
}

/* The folder of "prod.7", or of "prod" where that was destroyed once only. */
static int find(struct command *command, const char *wanted, const char *file, char **ret_path)
{
	json_auto_t *list = NULL;
	const char *found = NULL;
	const json_t *entry;
	size_t i, n = strlen(wanted), hits = 0;
	int r = list_json(command, &list);

	if (r < 0)
		return r;
	json_array_foreach (list, i, entry) {
		const char *name = print_text(entry, "name"), *dot = strrchr(name, '.');

		if (!strcmp(name, wanted)) {
			found = name;
			hits = 1;
			break;
		}
		if (dot && (size_t)(dot - name) == n && !strncmp(name, wanted, n)) {
			found = name;
			hits++;
		}
	}
	if (hits != 1)
		return fault_set(&command->fault, hits ? EINVAL : ENOENT,
			hits ? "\"%.140s\" was destroyed more than once: say which (sloth stack destroyed "
			       "list)"
			     : "there is no destroyed stack \"%.140s\"",
			wanted);
	if (asprintf(ret_path, "/destroyed/%s%s%s", found, *file ? "/" : "", file) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	return 0;
}

static int restore_run(struct command *command)
{
	const char *name = command_option(command, "name"), *wanted = command->operands[0];
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_free) char *line = NULL;
	int r = find(command, wanted, "restore", &path);

	if (r == 0 && name && name_check(name) < 0)
		r = fault_set(&command->fault, EINVAL, "\"%.140s\" is no name of a stack", name);
	if (r == 0 && asprintf(&line, "%s\n", name ? name : "") < 0)
		r = fault_set(&command->fault, ENOMEM, "no memory");
	r = r < 0 ? r : client_write(&command->client, path, line, strlen(line), &command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(
			command, json_pack("{sssb}", "stack", name ? name : wanted, "restored", 1));
	print_done("Stack '%s' is there again", name ? name : wanted);
	return 0;
}

static int purge_run(struct command *command)
{
	CLEANUP(cleanup_free) char *path = NULL;
	char question[NAME_SIZE + 64];
	int r = find(command, command->operands[0], "", &path);

	snprintf(question, sizeof(question), "This removes all that is left of stack %.140s",
		command->operands[0]);
	r = r < 0 ? r : confirm(command, question);
	r = r < 0 ? r
		  : client_call(&command->client, "rmdir", json_pack("{ss}", "path", path), NULL, 0,
			    &command->fault, NULL);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "stack", command->operands[0], "purged", 1));
	print_done("Nothing is left of stack '%s' but its events", command->operands[0]);
	return 0;
}

const struct verb destroyed_verbs[] = {
	{ "list", .alias = "ls", .help = "List stacks that were destroyed and can be brought back",
		.run = list_run },
	{ "restore", .operands = "NAME", .help = "Bring a destroyed stack back", .options = restore_options,
		.run = restore_run },
	{ "purge", .operands = "NAME", .help = "Remove what is left of a destroyed stack",
		.options = purge_options, .run = purge_run },
	{ NULL },
};
