/* SPDX-License-Identifier: MIT */
/* stack coverage: how much of the folders of a stack its resources look after. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "cli/state.h"

const char coverage_more[] =
	"The folders are 'roots' in the stack's config.yaml and in its workflow's config; patterns in\n"
	"'roots_ignore' leave things out. Looks with your rights; no file is opened. 'sloth stack adopt'\n"
	"takes what nobody looks after. The exit status is 2 with less than --require says.";

const struct option coverage_options[] = {
	{ "require", 0, "PERCENT", "that are to be looked after at least" },
	{ NULL },
};

static int print_text_file(struct command *command, const char *stack)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	int r = stack_path(command, stack, "coverage", &path);

	r = r < 0 ? r : client_read(&command->client, path, &command->fault, &text);
	if (r == 0)
		fwrite(text.data, 1, text.size, stdout);
	return r;
}

int coverage_run(struct command *command)
{
	const char *stack = command->operands[0];
	json_auto_t *report = NULL;
	int64_t required = 0;
	int r = command_number(command, "require", 0, &required);

	if (r == 0 && required > 100)
		r = fault_set(&command->fault, EINVAL, "--require: a number from 0 to 100");
	r = r < 0 ? r : stack_json(command, stack, "coverage.json", &report);
	if (r == 0 && command->format != FORMAT_TEXT)
		r = print_value(command, json_incref(report));
	else if (r == 0)
		r = print_text_file(command, stack);
	if (r < 0)
		return r;
	return required && json_integer_value(json_object_get(report, "percent")) < required ? 2 : 0;
}
