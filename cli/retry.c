/* SPDX-License-Identifier: MIT */
/* retry: a run again, as a new one, which is followed as that of sloth run. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/follow.h"
#include "cli/groups.h"
#include "cli/run-find.h"

const char retry_more[] =
	"RUN is a number, a workflow's name (its newest run) or \"latest\". Without a further word, and\n"
	"with \"failed\", the tasks that had succeeded are not run again: what they gave back and kept is\n"
	"there. With \"all\" all are. The workflow, its values and its options are those of that run.\n"
	"Ctrl-C and the exit status are as for sloth run.";

const struct option retry_options[] = {
	FOLLOW_OPTIONS,
	{ "detach", 'd', NULL, "print the new run's number and do not wait for it" },
	{ NULL },
};

/* What stands in the control file for the word. */
static const struct {
	const char *word, *line;
} kinds[] = {
	{ "failed", "retry failed\n" },
	{ "all", "retry\n" },
};

static int find_line(struct command *command, const char **ret_line)
{
	const char *word = command->operand_count > 1 ? command->operands[1] : kinds[0].word;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].word, word)) {
			*ret_line = kinds[i].line;
			return 0;
		}
	return fault_set(&command->fault, EINVAL, "\"%.140s\": what to retry is \"failed\" or \"all\"", word);
}

static int retry(struct command *command, int64_t run, const char *line, int64_t *ret_run)
{
	char path[64];

	snprintf(path, sizeof(path), "/runs/%lld/ctl", (long long)run);
	/* From here on an interrupt is meant for the run. */
	follow_catch_signals();
	return client_write(&command->client, path, line, strlen(line), &command->fault, ret_run);
}

int retry_run(struct command *command)
{
	const char *line = NULL;
	int64_t before, run = 0;
	int r = find_line(command, &line);

	r = r < 0 ? r : detach_check(command);
	if (r == 0)
		r = run_find(command, command->operands[0], &before);
	if (r == 0)
		r = retry(command, before, line, &run);
	if (r < 0)
		return r;
	if (!run)
		return fault_set(&command->fault, EPROTO, "the daemon started no run");
	return follow_or_detach(command, run);
}
