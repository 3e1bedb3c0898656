/* SPDX-License-Identifier: MIT */
/* Asking before something is lost. */
#include "cli/confirm.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum { ANSWER_SIZE = NAME_SIZE + 2 };

/* 1: asked, and this is the answer without its newline; 0: nobody needs to be asked. */
static int ask(struct command *command, const char *question, const char *way, char ret_answer[ANSWER_SIZE])
{
	if (command_flag(command, "force") || command_flag(command, "yes"))
		return 0;
	if (!isatty(STDIN_FILENO))
		return fault_set(&command->fault, EPERM, "%s: say --force if you mean it", question);
	fprintf(stderr, "%s. %s: ", question, way);
	if (!fgets(ret_answer, ANSWER_SIZE, stdin))
		ret_answer[0] = '\0';
	ret_answer[strcspn(ret_answer, "\n")] = '\0';
	return 1;
}

static int refused(struct command *command)
{
	return fault_set(&command->fault, ECANCELED, "nothing was changed");
}

int confirm_word(struct command *command, const char *question, const char *word)
{
	char answer[ANSWER_SIZE], way[NAME_SIZE + 32];
	int r;

	snprintf(way, sizeof(way), "Type \"%s\" to go on", word);
	r = ask(command, question, way, answer);
	return r > 0 && strcmp(answer, word) != 0 ? refused(command) : r < 0 ? r : 0;
}

int confirm(struct command *command, const char *question)
{
	char answer[ANSWER_SIZE];
	int r = ask(command, question, "Are you sure? (yes/no)", answer);

	return r > 0 && strcasecmp(answer, "yes") != 0 && strcasecmp(answer, "y") != 0 ? refused(command)
	       : r < 0								       ? r
										       : 0;
}

int confirm_name(struct command *command, const char *what, const char *name)
{
	char question[NAME_SIZE + 64];

	snprintf(question, sizeof(question), "This destroys the %s \"%s\"", what, name);
	return confirm_word(command, question, name);
}
