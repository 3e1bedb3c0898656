/* SPDX-License-Identifier: MIT */
/* Help, from the tables of verbs and options. */
#include <string.h>

#include "cli/command.h"

enum { COLUMN = 26 }; /* where the words begin that explain */

static void show_row(FILE *out, const char *left, const char *right)
{
	if (strlen(left) < COLUMN - 2)
		fprintf(out, "  %-*s%s\n", COLUMN - 2, left, right);
	else
		fprintf(out, "  %s\n%*s%s\n", left, COLUMN, "", right);
}

static void show_options(FILE *out, const struct option *options)
{
	for (; options && options->name; options++) {
		char left[128];
		int n = 0;

		n = options->letter ? snprintf(left, sizeof(left), "-%c, ", options->letter)
				    : snprintf(left, sizeof(left), "    ");
		snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", options->name,
			options->value ? " " : "", options->value ? options->value : "");
		show_row(out, left, options->help);
	}
}

static void show_verbs(FILE *out, const struct verb *verbs)
{
	for (; verbs->name; verbs++) {
		char left[128];

		snprintf(left, sizeof(left), "%s%s%s", verbs->name, verbs->operands ? " " : "",
			verbs->operands ? verbs->operands : "");
		show_row(out, left, verbs->help);
	}
}

void help_show(FILE *out, const struct verb *verbs, const struct command *command)
{
	const struct verb *verb = command->verb;

	if (!verb) {
		fputs("Usage: sloth COMMAND [OPTION...]\n\nSloth runs workflows and keeps the state of "
		      "deployments.\n\n"
		      "Commands:\n",
			out);
		show_verbs(out, verbs);
		fputs("\n\"sloth help COMMAND\" tells more. Everything is also a file: \"sloth cat "
		      "/README\".\n",
			out);
		return;
	}
	fprintf(out, "Usage: sloth %s%s%s%s\n\n%s.\n", command->title, verb->verbs ? " COMMAND" : "",
		verb->operands ? " " : "", verb->operands ? verb->operands : "", verb->help);
	if (verb->more)
		fprintf(out, "\n%s\n", verb->more);
	if (verb->alias)
		fprintf(out, "\nAlso called: %s\n", verb->alias);
	if (verb->verbs) {
		fputs("\nCommands:\n", out);
		show_verbs(out, verb->verbs);
	}
	fputs("\nOptions:\n", out);
	show_options(out, verb->options);
	show_options(out, common_options);
}

static void option_words(FILE *out, const struct option *options)
{
	for (; options && options->name; options++)
		fprintf(out, "\t--%s%s", options->name, options->value ? "=" : "");
}

static void lines_below(FILE *out, const struct verb *verbs, const char *prefix)
{
	for (; verbs->name; verbs++) {
		char title[128];

		snprintf(title, sizeof(title), "%s%s%s", prefix, *prefix ? " " : "", verbs->name);
		if (verbs->verbs) {
			lines_below(out, verbs->verbs, title);
			if (!verbs->run)
				continue;
		}
		fputs(title, out);
		option_words(out, verbs->options);
		option_words(out, common_options);
		fputc('\n', out);
	}
}

void help_lines(FILE *out, const struct verb *verbs)
{
	lines_below(out, verbs, "");
}
