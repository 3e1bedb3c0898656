/* SPDX-License-Identifier: MIT */
/* state lock and unlock: the named locks of /locks, which workflows take by state.lock. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/control.h"
#include "cli/print.h"
#include "cli/state.h"

const struct option state_lock_options[] = {
	{ "ttl", 't', "DURATION", "it ends by itself after this time" },
	{ "wait", 'w', "DURATION", "wait so long until it is free" },
	{ "reason", 'r', "TEXT", "why; others will read it" },
	{ NULL },
};

enum { PATH_SIZE = NAME_SIZE + 16 };

static int lock_path(struct command *command, char ret_path[PATH_SIZE])
{
	const char *name = command->operands[0];

	if (name_check(name) < 0)
		return fault_set(&command->fault, EINVAL,
			"\"%s\" is no name of a lock: letters, digits, '.', '_' and '-', at most %d", name,
			NAME_MAX_LENGTH);
	snprintf(ret_path, PATH_SIZE, "/locks/%s", name);
	return command_client(command) ? 0 : -command->fault.code;
}

static int say(struct command *command, bool locked)
{
	const char *name = command->operands[0];

	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sssb}", "name", name, "locked", locked));
	print_done(locked ? "Locked '%s'" : "Unlocked '%s'", name);
	return 0;
}

int state_lock_run(struct command *command)
{
	static const char *const durations[] = { "ttl", "wait" };
	const char *reason = command_option(command, "reason");
	CLEANUP(buffer_done) struct buffer line = { 0 };
	char path[PATH_SIZE];
	int64_t ms;
	int r = lock_path(command, path);

	/* An empty line is no command: without a reason, an empty one. */
	r = r < 0 ? r : control_word(command, &line, "reason", reason ? reason : "");
	for (size_t i = 0; r == 0 && i < sizeof(durations) / sizeof(durations[0]); i++) {
		r = command_duration(command, durations[i], &ms);
		r = r < 0 ? r
			  : control_word(command, &line, durations[i], command_option(command, durations[i]));
	}
	r = r < 0 ? r : client_write(&command->client, path, line.data, line.size, &command->fault, NULL);
	return r < 0 ? r : say(command, true);
}

int state_unlock_run(struct command *command)
{
	char path[PATH_SIZE];
	json_t *attr = NULL;
	int r = lock_path(command, path);

	/* Writing would make a name that is not there. */
	r = r < 0 ? r : client_stat(&command->client, path, NULL, &attr);
	json_decref(attr);
	if (r == -ENOENT)
		return fault_set(&command->fault, ENOENT, "nobody holds a lock %s", command->operands[0]);
	r = r < 0 ? r : client_write(&command->client, path, "unlock\n", 7, &command->fault, NULL);
	return r < 0 ? r : say(command, false);
}
