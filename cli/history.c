/* SPDX-License-Identifier: MIT */
/* stack history and stack blame: the files history.json and blame.json of a stack, as tables. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/print.h"
#include "cli/snapshot.h"
#include "cli/stack.h"
#include "cli/table.h"

const struct option history_options[] = {
	{ "limit", 'n', "NUMBER", "only so many, the newest" },
	{ NULL },
};

static void number_text(const json_t *object, const char *key, const char *prefix, char ret_text[32])
{
	const json_t *value = json_object_get(object, key);

	ret_text[0] = '\0';
	if (json_is_integer(value))
		snprintf(ret_text, 32, "%s%lld", prefix, (long long)json_integer_value(value));
}

static int history_row(struct table *table, const json_t *version)
{
	const char *description = print_text(version, "description");
	char number[32], run[32], time[32];

	number_text(version, "version", "v", number);
	number_text(version, "run", "", run);
	return table_row(
		table, (const char *[]){ number, print_time(print_ms(json_object_get(version, "time")), time),
			       print_text(version, "user"), run, print_text(version, "what"),
			       *description ? description : print_text(version, "trigger") });
}

static int blame_row(struct table *table, const json_t *item)
{
	char number[32], run[32], time[32];

	number_text(item, "version", "v", number);
	number_text(item, "run", "", run);
	return table_row(table, (const char *[]){ print_text(item, "kind"), print_text(item, "name"), number,
					print_time(print_ms(json_object_get(item, "time")), time),
					print_text(item, "user"), run });
}

int history_run(struct command *command)
{
	static const struct column columns[] = { { "VERSION" }, { "TIME" }, { "USER" }, { "RUN" },
		{ "CHANGE" }, { "KEPT FOR", .shrinks = true }, { NULL } };
	json_auto_t *list = NULL;
	int64_t limit = INT64_MAX;
	int r = command_number(command, "limit", 1, &limit);

	r = r < 0 ? r : stack_json(command, command->operands[0], "history.json", &list);
	if (r < 0)
		return r;
	while ((int64_t)json_array_size(list) > limit)
		json_array_remove(list, json_array_size(list) - 1);
	return command->format != FORMAT_TEXT ? print_value(command, json_incref(list))
					      : table_list(columns, list, history_row);
}

/* Keeps what has this name, or is KIND/NAME. */
static void filter_name(json_t *list, const char *wanted)
{
	for (size_t i = json_array_size(list); i > 0; i--) {
		const json_t *item = json_array_get(list, i - 1);
		const char *kind = print_text(item, "kind"), *name = print_text(item, "name");
		size_t n = strlen(kind);

		if (strcmp(name, wanted) != 0 && (strncmp(wanted, kind, n) != 0 || wanted[n] != '/' ||
							 strcmp(wanted + n + 1, name) != 0))
			json_array_remove(list, i - 1);
	}
}

int blame_run(struct command *command)
{
	static const struct column columns[] = { { "KIND" }, { "NAME" }, { "VERSION" }, { "TIME" },
		{ "USER" }, { "RUN" }, { NULL } };
	json_auto_t *list = NULL;
	int r = stack_json(command, command->operands[0], "blame.json", &list);

	if (r < 0)
		return r;
	if (command->operand_count > 1) {
		filter_name(list, command->operands[1]);
		if (!json_array_size(list))
			return fault_set(&command->fault, ENOENT, "stack \"%s\" has no %s now",
				command->operands[0], command->operands[1]);
	}
	return command->format != FORMAT_TEXT ? print_value(command, json_incref(list))
					      : table_list(columns, list, blame_row);
}
