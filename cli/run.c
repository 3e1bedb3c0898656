/* SPDX-License-Identifier: MIT */
/* run: submits a workflow as `cp` into runs/ would, and follows it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/follow.h"
#include "cli/groups.h"
#include "cli/input.h"
#include "cli/origin.h"
#include "cli/plan.h"
#include "cli/print.h"
#include "cli/submission.h"
#include "cli/values.h"

const char run_more[] =
	"FILE is a workflow (.sloth, .lua, .yaml; \"-\": standard input), or the name of a saved one where\n"
	"there is no such file (sloth workflow list). Its name is the run's name;\n"
	"with --file, the operand is the name. Ctrl-C cancels the run, a second one at once, a third\n"
	"one leaves it alone; a closed terminal leaves it running. The exit status is 0 for success,\n"
	"1 for failure, 15 cancelled, 6 timed out; 4 to 14 for a workflow that was refused.";

const struct option run_options[] = {
	{ "file", 'F', "FILE", "the workflow; then the operand is the name it runs under" },
	{ "stack", 's', "NAME", "run it on this stack, which is made if it is not there" },
	{ "workflow", 0, "NAME", "a saved workflow of this name, though there is a file that is called so" },
	SUBMISSION_OPTIONS,
	ORIGIN_OPTIONS,
	{ "pick", 0, NULL, "pick the tasks from a list, on a terminal" },
	{ "dry-run", 'n', NULL, "show the plan, and run nothing" },
	{ "plan", 0, NULL, "the same" },
	{ "wait", 'w', "TIME", "wait so long for the stack's lock, where another has it: 30s, 10m" },
	{ "validate", 0, NULL, "validate the stack first; what does not pass is not run" },
	FOLLOW_OPTIONS,
	{ "detach", 'd', NULL, "print the run's number and do not wait for it" },
	{ NULL },
};

struct draft {
	char path[2 * NAME_SIZE + 32];
	int64_t handle;
};

static int open_file(struct command *command, struct draft *draft)
{
	return client_file_open(&command->client, draft->path,
		json_pack("[sss]", "write", "create", "truncate"), &command->fault, &draft->handle);
}

/* In the stack's folder, which is made where there is none. */
static int open_on_stack(struct command *command, const char *stack, const char *name, struct draft *draft)
{
	char folder[NAME_SIZE + 16];
	int r;

	if (name_check(stack) < 0)
		return fault_set(&command->fault, EINVAL, "\"%s\" is no name of a stack", stack);
	snprintf(folder, sizeof(folder), "/stacks/%s", stack);
	snprintf(draft->path, sizeof(draft->path), "%s/runs/%s", folder, name);
	r = open_file(command, draft);
	if (r != -ENOENT)
		return r;
	r = client_mkdir(&command->client, folder, &command->fault);
	return r < 0 && r != -EEXIST ? r : open_file(command, draft);
}

static int open_draft(struct command *command, const char *name, struct draft *draft)
{
	const char *stack = command_option(command, "stack");

	if (!command_client(command))
		return -command->fault.code;
	if (stack)
		return open_on_stack(command, stack, name, draft);
	snprintf(draft->path, sizeof(draft->path), "/runs/%s", name);
	return open_file(command, draft);
}

static int set_option(
	struct command *command, const struct draft *draft, const char *name, const char *value, size_t size)
{
	return client_call(&command->client, "setxattr",
		json_pack("{ssss}", "path", draft->path, "name", name), value, size, &command->fault, NULL);
}

/* Each goes over the ones before. The sentence of a bad one gets the name of its file. */
static int set_values(struct command *command, const struct draft *draft, const char *assigned)
{
	const char *file;
	int position = 0, r = 0;

	while (r == 0 && (file = command_next(command, "values", &position))) {
		CLEANUP(buffer_done) struct buffer content = { 0 };

		r = input_read(command, file, &content);
		if (r < 0)
			return r;
		r = set_option(command, draft, "user.sloth.values", content.data, content.size);
		if (r < 0) {
			struct fault fault = command->fault;

			return fault_set(&command->fault, fault.code, "%s: %s", file, fault.text);
		}
	}
	return r < 0 || !assigned
		       ? r
		       : set_option(command, draft, "user.sloth.values", assigned, strlen(assigned));
}

static int set_run_options(struct command *command, const struct draft *draft, const json_t *options)
{
	CLEANUP(cleanup_free) char *text = json_dumps(options, JSON_COMPACT);

	return text ? set_option(command, draft, "user.sloth.options", text, strlen(text)) : -ENOMEM;
}

/* Like `cp`: what is not complete is dropped with the connection, and starts nothing. */
static int submit(struct command *command, const char *name, const struct buffer *workflow,
	const json_t *options, int64_t *ret_run)
{
	struct draft draft = { 0 };
	CLEANUP(cleanup_free) char *assigned = NULL;
	/* What can be refused without the daemon comes first. */
	int r = values_set_text(command, &assigned);

	r = r < 0 ? r : open_draft(command, name, &draft);
	r = r < 0 ? r : set_values(command, &draft, assigned);
	if (json_object_size(options))
		r = r < 0 ? r : set_run_options(command, &draft, options);
	r = r < 0 ? r
		  : client_file_write(&command->client, draft.handle, 0, workflow->data, workflow->size,
			    &command->fault);
	if (r < 0)
		return r;
	/* From here on an interrupt is meant for the run. */
	follow_catch_signals();
	return client_file_close(&command->client, draft.handle, &command->fault, ret_run);
}

static int read_workflow(struct command *command, char *ret_name, struct buffer *workflow)
{
	const char *file = command_option(command, "file"), *saved = command_option(command, "workflow");
	const char *operand = command->operand_count ? command->operands[0] : NULL;
	char own[NAME_SIZE + 16];
	int r;

	if (file && saved)
		return fault_set(&command->fault, EINVAL, "--file or --workflow: only one of them");
	if (!operand && !file && !saved)
		return fault_set(&command->fault, EINVAL, "which workflow? sloth run FILE");
	/* The operand is the name where the workflow comes from elsewhere. */
	if (operand && (file || saved)) {
		r = submission_name(command, operand, ret_name, NAME_SIZE + 16);
		ret_name = own;
		if (r < 0)
			return r;
	}
	return submission_read(command, saved ? saved : file ? file : operand, saved, ret_name, workflow);
}

/* The file that it was read from; NULL: a saved one. */
static const char *workflow_file(struct command *command)
{
	const char *file = command_option(command, "file");

	if (command_option(command, "workflow"))
		return NULL;
	return file || !command->operand_count ? file : command->operands[0];
}

int run_run(struct command *command)
{
	CLEANUP(buffer_done) struct buffer workflow = { 0 };
	json_auto_t *options = submission_options(command);
	char name[NAME_SIZE + 16];
	int64_t run = 0;
	int r = read_workflow(command, name, &workflow);

	r = r < 0 ? r : detach_check(command);
	origin_add_host(command, options);
	if (r == 0)
		origin_add_folder(workflow_file(command), &workflow, options);
	if (command_flag(command, "validate"))
		json_object_set_new(options, "validate", json_true());
	if (command_option(command, "wait"))
		json_object_set_new(options, "wait", json_string(command_option(command, "wait")));
	if (r == 0 && command_flag(command, "pick"))
		r = plan_pick(command, name, &workflow, options);
	if (r == 0 && (command_flag(command, "dry-run") || command_flag(command, "plan")))
		return plan_print(command, name, &workflow, options, NULL);
	r = r < 0 ? r : submit(command, name, &workflow, options, &run);
	if (r < 0)
		return r;
	if (!run)
		return fault_set(&command->fault, EPROTO, "the daemon started no run for %s", name);
	return follow_or_detach(command, run);
}
