/* SPDX-License-Identifier: MIT */
/* The sloth command: finds the verb, calls it, says what went wrong. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "build.h"

static int version_run(struct command *command);
static int help_run(struct command *command);

static const struct option help_options[] = {
	{ "commands", 0, NULL, "all commands and options, in lines for programs" },
	{ NULL },
};

static const struct verb verbs[] = {
	{ "run", .operands = "[FILE]", .help = "Run a workflow and follow it", .more = run_more,
		.options = run_options, .run = run_run, .verbs = run_verbs },
	{ "follow", .operands = "[RUN]", .help = "Follow a run that goes on", .more = attach_more,
		.options = attach_options, .run = attach_run },
	{ "retry", .operands = "RUN [WHAT]", .help = "Run again what failed, or all of it",
		.more = retry_more, .options = retry_options, .run = retry_run },
	{ "logs", .operands = "[RUN]", .help = "Print what the tasks of a run have printed",
		.more = logs_more, .options = logs_options, .run = logs_run },
	{ "workflow", .help = "Workflows: plan, validate; saved ones: list, show, save, delete",
		.verbs = workflow_verbs },
	{ "stack", .help = "Stacks: list, show, new, delete, outputs, locks", .verbs = stack_verbs },
	{ "state", .help = "Keys and values: get, set, delete, list, incr, cas, watch, lock",
		.verbs = state_verbs },
	{ "secrets", .help = "Secrets: set, get, list, delete; new keys", .verbs = secrets_verbs },
	{ "lock", .help = "Locks with a name of their own: acquire, status, release",
		.verbs = named_lock_verbs },
	{ "with-lock", .operands = "LOCKS COMMAND...", .help = "Run a command while stacks are locked",
		.more = with_lock_more, .options = with_lock_options, .run = with_lock_run },
	{ "ls", .operands = "[PATH...]", .help = "List what is in a folder of the tree",
		.options = ls_options, .run = ls_run },
	{ "cat", .operands = "PATH...", .help = "Print files of the tree", .run = cat_run },
	{ "write", .operands = "PATH", .help = "Write standard input or a text into a file of the tree",
		.options = write_options, .run = write_run },
	{ "events", .help = "Show what happened, newest last", .options = events_options, .run = events_run,
		.verbs = events_verbs },
	{ "audit", .help = "Verify the trail of events", .verbs = audit_verbs },
	{ "metrics", .help = "Numbers for Prometheus: the daemon's, and those of workflows",
		.options = metrics_options, .run = metrics_run, .verbs = metrics_verbs },
	{ "quota", .help = "Show what users have, and what they may have", .options = quota_options,
		.run = quota_run },
	{ "mount", .operands = "[DIR]", .help = "Show the tree as a folder, /sloth if none is named",
		.options = mount_options, .run = mount_run },
	{ "umount", .alias = "unmount", .operands = "DIR", .help = "Take the folder away again",
		.run = umount_run },
	{ "backup", .help = "Backups of the database: create, list, verify, restore", .verbs = backup_verbs },
	{ "check", .help = "Look for damage in the database", .options = check_options, .run = check_run },
	{ "doctor", .help = "Look for what is missing on this machine", .run = doctor_run },
	{ "complete", .operands = "[WORD...]", .help = "Print what could end a command line: for shells",
		.run = complete_run },
	{ "version", .help = "Print the version", .run = version_run },
	{ "help", .operands = "[COMMAND...]", .help = "Explain a command", .options = help_options,
		.run = help_run },
	{ NULL },
};

static int version_run(struct command *command)
{
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{ss}", "version", SLOTH_VERSION));
	puts("sloth " SLOTH_VERSION);
	return 0;
}

static int help_run(struct command *command)
{
	struct command about = { 0 };
	const struct verb *below = verbs;

	if (command_flag(command, "commands")) {
		help_lines(stdout, verbs);
		return 0;
	}
	for (int i = 0; i < command->operand_count; i++) {
		const char *word = command->operands[i];
		const struct verb *verb = below ? verb_find(below, word) : NULL;
		size_t n = strlen(about.title);

		if (!verb)
			return fault_set(&command->fault, EINVAL, "there is no command \"%s%s%s\"",
				about.title, n ? " " : "", word);
		snprintf(about.title + n, sizeof(about.title) - n, "%s%s", n ? " " : "", verb->name);
		about.verb = verb;
		below = verb->verbs;
	}
	help_show(stdout, verbs, &about);
	return 0;
}

/* Output that was lost (a full disk, a closed descriptor) is a failure, except into a pipe whose reader has
 * seen enough: then SIGPIPE ends us before. */
static int finish_output(struct command *command, int r)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return r;
	return r < 0 ? r
		     : fault_set(&command->fault, errno ? errno : EIO, "can't write the output: %s",
			       strerror(errno ? errno : EIO));
}

int main(int argc, char **argv)
{
	struct command command;
	int r;

	if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")))
		argv[1] = (char *)"version";
	r = command_parse(&command, verbs, argc, argv);
	if (r == 0 && command.help)
		help_show(stdout, verbs, &command);
	else if (r == 0)
		r = command.verb->run(&command);
	else if (argc == 1)
		help_show(stderr, verbs, &command);
	r = finish_output(&command, r);
	if (r < 0) {
		if (argc > 1)
			print_fault(&command.fault, -r);
		r = fault_exit_status(-r);
	}
	command_done(&command);
	return r;
}
