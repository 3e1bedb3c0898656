/* SPDX-License-Identifier: MIT */
/* metrics: the tree's file of that name, or a stack's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"

/* clang-format off */
static const struct option delete_options[] = {
	{ "all", 'a', NULL, "all of the stack's" },
	{ NULL },
};

const struct option metrics_options[] = {
	{ "stack", 's', "NAME", "only those of this stack" },
	{ NULL },
};
/* clang-format on */

static int delete_run(struct command *command);

const struct verb metrics_verbs[] = {
	{ "delete", .operands = "STACK [NAME]", .help = "Forget a stack's series of a name",
		.options = delete_options, .run = delete_run },
	{ NULL },
};

/* The path of the file; malloc'ed. */
static int metrics_path(struct command *command, const char *stack, const char *file, char **ret_path)
{
	if (stack)
		return stack_path(command, stack, file, ret_path);
	return asprintf(ret_path, "/%s", file) < 0 ? fault_set(&command->fault, ENOMEM, "not enough memory")
						   : 0;
}

int metrics_run(struct command *command)
{
	bool text = command->format == FORMAT_TEXT;
	CLEANUP(buffer_done) struct buffer content = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	json_auto_t *value = NULL;
	int r = metrics_path(
		command, command_option(command, "stack"), text ? "metrics" : "metrics.json", &path);

	if (r < 0)
		return r;
	if (!text) {
		r = tree_json(command, path, &value);
		return r < 0 ? r : print_value(command, TAKE(value));
	}
	if (!command_client(command))
		return -command->fault.code;
	r = client_read(&command->client, path, &command->fault, &content);
	if (r < 0)
		return r;
	fwrite(buffer_text(&content), 1, content.size, stdout);
	return 0;
}

static int delete_run(struct command *command)
{
	const char *name = command->operand_count > 1 ? command->operands[1] : NULL;
	CLEANUP(cleanup_free) char *path = NULL, *line = NULL;
	int r = stack_path(command, command->operands[0], "metrics", &path);

	if (r < 0)
		return r;
	if (!name == !command_flag(command, "all"))
		return fault_set(&command->fault, EINVAL, "the name of a metric, or --all");
	if (asprintf(&line, "%s%s\n", name ? "delete " : "clear", name ? name : "") < 0) {
		line = NULL;
		return fault_set(&command->fault, ENOMEM, "not enough memory");
	}
	if (!command_client(command))
		return -command->fault.code;
	r = client_write(&command->client, path, line, strlen(line), &command->fault, NULL);
	if (r < 0)
		return r;
	print_done("%s%s of %s forgotten", name ? "Metric " : "All metrics", name ? name : "",
		command->operands[0]);
	return 0;
}
