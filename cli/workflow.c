/* SPDX-License-Identifier: MIT */
/* workflow: looks at workflows without running them. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/plan.h"
#include "cli/origin.h"
#include "cli/print.h"
#include "cli/submission.h"

static const struct option plan_options[] = {
	{ "stack", 's', "NAME", "as it would be on this stack, with its values" },
	SUBMISSION_OPTIONS,
	{ "format", 'F', "FORMAT", "text, json, dot or svg (text)" },
	{ NULL },
};

static const struct option validate_workflow_options[] = {
	{ "stack", 's', "NAME", "with the values of this stack" },
	SUBMISSION_OPTIONS,
	{ NULL },
};

static int plan_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer workflow = { 0 };
	json_auto_t *options = submission_options(command);
	char name[NAME_SIZE + 16];
	int r = submission_read(command, command->operands[0], false, name, &workflow);

	if (r == 0)
		origin_add_folder(command->operands[0], &workflow, options);
	return r < 0 ? r : plan_print(command, name, &workflow, options, command_option(command, "format"));
}

/* All are looked at; the first failure is the exit status. */
static int validate_one(struct command *command, const char *word, const json_t *common)
{
	CLEANUP(buffer_done) struct buffer workflow = { 0 };
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_auto_t *options = json_copy((json_t *)(uintptr_t)common);
	json_auto_t *plan = NULL;
	char name[NAME_SIZE + 16];
	size_t count;
	int r = submission_read(command, word, false, name, &workflow);

	if (r == 0)
		origin_add_folder(word, &workflow, options);
	if (r == 0)
		r = plan_ask(command, name, &workflow, options, "json", &text);
	if (r < 0)
		return r;
	plan = json_loadb(buffer_text(&text), text.size, 0, NULL);
	count = json_array_size(json_object_get(plan, "tasks"));
	if (command->format != FORMAT_TEXT)
		return print_value(
			command, json_pack("{ss sb sO sI}", "file", word, "valid", 1, "workflow",
					 json_object_get(plan, "workflow"), "tasks", (json_int_t)count));
	print_done("%s: workflow %s, %zu task%s", word, print_text(plan, "workflow"), count,
		count == 1 ? "" : "s");
	return 0;
}

static int validate_workflow_run(struct command *command)
{
	json_auto_t *options = submission_options(command);
	struct fault first = { 0 };
	int result = 0;

	for (int i = 0; i < command->operand_count; i++) {
		int r = validate_one(command, command->operands[i], options);

		if (r < 0 && result == 0) {
			result = r;
			first = command->fault;
		} else if (r < 0) {
			print_fault(&command->fault, -r);
		}
		command->fault = (struct fault){ 0 };
	}
	command->fault = first;
	return result;
}

const struct verb workflow_verbs[] = {
	{ "plan", .operands = "WORKFLOW", .help = "Show what a workflow would do, and run nothing",
		.options = plan_options, .run = plan_run },
	{ "validate", .alias = "check", .operands = "WORKFLOW...",
		.help = "Load workflows and check their graphs, and run nothing",
		.options = validate_workflow_options, .run = validate_workflow_run },
	{ NULL },
};
