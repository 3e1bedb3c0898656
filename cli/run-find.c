/* SPDX-License-Identifier: MIT */
/* Runs by what people call them. */
#include "cli/run-find.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/executions.h"

/* Where the link of runs/ leads; -ENOENT: there is none. */
static int by_link(struct command *command, const char *word, int64_t *ret_run)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_free) char *target = NULL;
	struct fault fault = { 0 };
	int r;

	if (asprintf(&path, "/runs/%s", word) < 0) {
		path = NULL;
		return fault_set(&command->fault, ENOMEM, "no memory");
	}
	r = client_readlink(&command->client, path, &fault, &target);
	if (r == 0)
		return parse_int64(target, ret_run);
	if (r == -EINVAL || r == -ENOENT)
		return -ENOENT; /* a file that runs, or nothing */
	command->fault = fault;
	return r;
}

/* Those that were submitted to a stack have no link there. */
static int by_name(struct command *command, const char *word, int64_t *ret_run)
{
	json_auto_t *execution = NULL;
	int r = execution_find(command, word, &execution);

	if (r == -ENOENT)
		return fault_set(&command->fault, ENOENT,
			"there is no run of \"%s\"; sloth run list shows what there is", word);
	if (r == 0)
		*ret_run = json_integer_value(json_object_get(execution, "id"));
	return r;
}

static int check_number(struct command *command, int64_t number)
{
	char path[64];
	json_auto_t *attr = NULL;
	int r;

	snprintf(path, sizeof(path), "/runs/%lld", (long long)number);
	r = client_stat(&command->client, path, &command->fault, &attr);
	return r == -ENOENT ? fault_set(&command->fault, ENOENT, "there is no run %lld", (long long)number)
			    : r;
}

int run_find(struct command *command, const char *word, int64_t *ret_run)
{
	const char *name = word ? word : "latest";
	int64_t number;
	int r;

	if (!command_client(command))
		return -command->fault.code;
	if (parse_int64(name, &number) == 0) {
		r = check_number(command, number);
		if (r == 0)
			*ret_run = number;
		return r;
	}
	if (name_check(name) < 0)
		return fault_set(&command->fault, EINVAL,
			"\"%.140s\" is neither a number nor a workflow's name", name);
	r = by_link(command, name, ret_run);
	if (r != -ENOENT)
		return r;
	if (!strcmp(name, "latest"))
		return fault_set(&command->fault, ENOENT, "there is no run yet");
	return by_name(command, name, ret_run);
}

int run_find_operand(struct command *command, int64_t *ret_run)
{
	return run_find(command, command->operand_count ? command->operands[0] : NULL, ret_run);
}
