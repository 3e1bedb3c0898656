/* SPDX-License-Identifier: MIT */
/* What is below run: attach, list, show, of runs that are there already. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/executions.h"
#include "cli/follow.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/run-find.h"
#include "cli/table.h"

enum { LIMIT = 20 };

const char attach_more[] =
	"RUN is a number, a workflow's name (its newest run) or \"latest\", which it is without\n"
	"one. Ctrl-C leaves the run alone. The exit status is that of sloth run.";

const struct option attach_options[] = {
	FOLLOW_OPTIONS,
	{ NULL },
};

static const struct option list_options[] = {
	{ "name", 0, "WORKFLOW", "only of this workflow" },
	{ "stack", 's', "NAME", "only on this stack" },
	{ "status", 0, "STATUS", "only with this status: pending, running, success, failed, rolled_back" },
	{ "limit", 'n', "NUMBER", "at most so many, the newest (20)" },
	{ NULL },
};

int attach_run(struct command *command)
{
	int64_t run;
	int r = run_find_operand(command, &run);

	return r < 0 ? r : follow_run(command, run);
}

static int run_row(struct table *table, const json_t *run)
{
	const json_t *ms = json_object_get(run, "duration_ms");
	char id[32], time[32], took[32];

	snprintf(id, sizeof(id), "%lld", (long long)json_integer_value(json_object_get(run, "id")));
	return table_row(
		table, (const char *[]){ id, print_text(run, "name"), print_text(run, "stack"),
			       print_text(run, "run_status"), print_text(run, "user"),
			       print_time(print_ms(json_object_get(run, "started")), time),
			       print_duration(json_is_integer(ms) ? json_integer_value(ms) : -1, took) });
}

static int list_run(struct command *command)
{
	static const struct column columns[] = {
		{ "RUN", .right = true },
		{ "WORKFLOW" },
		{ "STACK" },
		{ "STATUS" },
		{ "USER" },
		{ "STARTED" },
		{ "DURATION", .right = true },
		{ NULL },
	};
	struct execution_filter filter = { .name = command_option(command, "name"),
		.stack = command_option(command, "stack"),
		.status = command_option(command, "status"),
		.limit = LIMIT };
	json_auto_t *list = NULL;
	int r = execution_status_check(command, filter.status);

	if (r == 0)
		r = command_number(command, "limit", 1, &filter.limit);
	if (r == 0)
		r = executions_list(command, &filter, &list);
	if (r < 0)
		return r;
	return command->format != FORMAT_TEXT ? print_value(command, json_incref(list))
					      : table_list(columns, list, run_row);
}

static int show_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_t *summary;
	char path[64];
	int64_t run;
	int r = run_find_operand(command, &run);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/runs/%lld/summary%s", (long long)run,
		command->format == FORMAT_TEXT ? "" : ".json");
	if (command->format != FORMAT_TEXT) {
		r = tree_json(command, path, &summary);
		return r < 0 ? r : print_value(command, summary);
	}
	r = client_read(&command->client, path, &command->fault, &text);
	if (r == 0)
		fwrite(buffer_text(&text), 1, text.size, stdout);
	return r;
}

const struct verb run_verbs[] = {
	{ "attach", .alias = "follow", .operands = "[RUN]", .help = "Follow a run that goes on",
		.more = attach_more, .options = attach_options, .run = attach_run },
	{ "list", .alias = "ls", .help = "List runs, the newest first", .options = list_options,
		.run = list_run },
	{ "logs", .operands = "[RUN]", .help = "Print what the tasks of a run have printed",
		.more = logs_more, .options = logs_options, .run = logs_run },
	{ "retry", .operands = "RUN [WHAT]", .help = "Run again what failed, or all of it",
		.more = retry_more, .options = retry_options, .run = retry_run },
	{ "show", .operands = "[RUN]",
		.help = "Tell how a run went: slowest tasks, critical path, what failed", .run = show_run },
	{ NULL },
};
