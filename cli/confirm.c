/* SPDX-License-Identifier: MIT */
/* Asking before something is lost. */
#include "cli/confirm.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

int confirm(struct command *command, const char *question, const char *word)
{
	char line[NAME_SIZE + 2] = "";

	if (command_flag(command, "force") || command_flag(command, "yes"))
		return 0;
	if (!isatty(STDIN_FILENO))
		return fault_set(&command->fault, EPERM, "%s: say --force if you mean it", question);
	fprintf(stderr, "%s. Type \"%s\" to go on: ", question, word);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, word) ? fault_set(&command->fault, ECANCELED, "nothing was changed") : 0;
}
