/* SPDX-License-Identifier: MIT */
/* stack resources: what the workflows of a stack look after. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "cli/table.h"

const struct option resources_options[] = {
	{ "type", 't', "TYPE", "only resources of this type" },
	{ "status", 's', "STATUS",
		"only resources with this status: pending, applied, failed, drifted, unknown" },
	{ NULL },
};

/* Keeps what has the value. */
static void filter(json_t *resources, const char *key, const char *value)
{
	for (size_t i = json_array_size(resources); value && i > 0; i--)
		if (strcmp(print_text(json_array_get(resources, i - 1), key), value))
			json_array_remove(resources, i - 1);
}

static int add_row(struct table *table, const json_t *resource)
{
	char time[32];

	return table_row(table, (const char *[]){ print_text(resource, "type"), print_text(resource, "name"),
					print_text(resource, "action"), print_text(resource, "status"),
					print_text(resource, "module"),
					print_time(print_ms(json_object_get(resource, "updated")), time) });
}

static int show_table(const char *stack, json_t *resources)
{
	static const struct column columns[] = {
		{ "TYPE" },
		{ "NAME" },
		{ "ACTION" },
		{ "STATUS" },
		{ "MODULE" },
		{ "UPDATED" },
		{ NULL },
	};
	return table_list_counted(columns, resources, add_row, "Resources of: ", stack, "resource");
}

int resources_run(struct command *command)
{
	static const char *const statuses[] = { "pending", "applied", "failed", "drifted", "unknown" };
	const char *status = command_option(command, "status");
	size_t known = 0, count = sizeof(statuses) / sizeof(statuses[0]);
	json_t *resources;
	int r;

	while (status && known < count && strcmp(statuses[known], status))
		known++;
	if (known == count)
		return fault_set(&command->fault, EINVAL,
			"--status %s: it must be pending, applied, failed, drifted or unknown", status);
	r = stack_json(command, command->operands[0], "resources.json", &resources);
	if (r < 0)
		return r;
	filter(resources, "type", command_option(command, "type"));
	filter(resources, "status", status);
	if (command->format != FORMAT_TEXT)
		return print_value(command, resources);
	r = show_table(command->operands[0], resources);
	json_decref(resources);
	return r;
}
