/* SPDX-License-Identifier: MIT */
/* stack history and stack blame: the files history.json and blame.json of a stack, as tables. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
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

/* "resource file/%2Fetc%2Fmotd" for people; malloc'ed. */
static char *what_text(const char *what)
{
	return strncmp(what, "resource ", 9) ? strdup(what) : name_readable(what);
}

static int history_row(struct table *table, const json_t *version)
{
	CLEANUP(cleanup_free) char *what = what_text(print_text(version, "what"));
	const char *description = print_text(version, "description");
	char number[32], run[32], time[32];

	number_text(version, "version", "v", number);
	number_text(version, "run", "", run);
	return table_row(
		table, (const char *[]){ number, print_time(print_ms(json_object_get(version, "time")), time),
			       print_text(version, "user"), run, what,
			       *description ? description : print_text(version, "trigger") });
}

/* The name of an item for people; malloc'ed. */
static char *item_name(const json_t *item)
{
	const char *name = print_text(item, "name");

	return strcmp(print_text(item, "kind"), "resource") ? strdup(name) : name_readable(name);
}

static int blame_row(struct table *table, const json_t *item)
{
	CLEANUP(cleanup_free) char *name = item_name(item);
	char number[32], run[32], time[32];

	number_text(item, "version", "v", number);
	number_text(item, "run", "", run);
	return table_row(table, (const char *[]){ print_text(item, "kind"), name, number,
					print_time(print_ms(json_object_get(item, "time")), time),
					print_text(item, "user"), run });
}

static int attribute_row(struct table *table, const json_t *attribute)
{
	char number[32], run[32], time[32];

	number_text(attribute, "version", "v", number);
	number_text(attribute, "run", "", run);
	return table_row(table, (const char *[]){ print_text(attribute, "attribute"), number,
					print_time(print_ms(json_object_get(attribute, "time")), time),
					print_text(attribute, "user"), run });
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

static bool is_named(const char *wanted, const char *kind, const char *name)
{
	size_t n = strlen(kind);

	return !strcmp(name, wanted) ||
	       (!strncmp(wanted, kind, n) && wanted[n] == '/' && !strcmp(wanted + n + 1, name));
}

/* Keeps what has this name, or is KIND/NAME: as it stands in the tree, or as people write it. */
static void filter_name(json_t *list, const char *wanted)
{
	for (size_t i = json_array_size(list); i > 0; i--) {
		const json_t *item = json_array_get(list, i - 1);
		const char *kind = print_text(item, "kind"), *name = print_text(item, "name");
		CLEANUP(cleanup_free) char *readable = item_name(item);

		if (!is_named(wanted, kind, name) && (!readable || !is_named(wanted, kind, readable)))
			json_array_remove(list, i - 1);
	}
}

/* The one resource that was asked for, attribute by attribute. */
static int blame_resource(struct command *command, const json_t *item)
{
	static const struct column columns[] = { { "ATTRIBUTE" }, { "VERSION" }, { "TIME" }, { "USER" },
		{ "RUN" }, { NULL } };
	CLEANUP(cleanup_free) char *file = NULL;
	json_auto_t *list = NULL;
	int r = 0;

	if (asprintf(&file, "resources/%s/blame.json", print_text(item, "name")) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	r = stack_json(command, command->operands[0], file, &list);
	if (r < 0)
		return r;
	return command->format != FORMAT_TEXT ? print_value(command, json_incref(list))
					      : table_list(columns, list, attribute_row);
}

int blame_run(struct command *command)
{
	static const struct column columns[] = { { "KIND" }, { "NAME" }, { "VERSION" }, { "TIME" },
		{ "USER" }, { "RUN" }, { NULL } };
	json_auto_t *list = NULL;
	const json_t *first;
	int r = stack_json(command, command->operands[0], "blame.json", &list);

	if (r < 0)
		return r;
	if (command->operand_count > 1) {
		filter_name(list, command->operands[1]);
		first = json_array_get(list, 0);
		if (!first)
			return fault_set(&command->fault, ENOENT, "stack \"%s\" has no %s now",
				command->operands[0], command->operands[1]);
		if (json_array_size(list) == 1 && !strcmp(print_text(first, "kind"), "resource"))
			return blame_resource(command, first);
	}
	return command->format != FORMAT_TEXT ? print_value(command, json_incref(list))
					      : table_list(columns, list, blame_row);
}
