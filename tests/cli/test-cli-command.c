/* SPDX-License-Identifier: MIT */
/* From words to a verb with its options. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command.h"

static const struct option make_options[] = {
	{ "name", 'n', "NAME", "a name" },
	{ "force", 'f', NULL, "do it" },
	{ "output", 'o', "FILE", "where to" },
	{ "time", 0, "TIME", "how long" },
	{ NULL },
};

static const struct verb below[] = {
	{ "make", .alias = "create", .operands = "A [B]", .help = "Make", .options = make_options },
	{ "many", .operands = "A...", .help = "Many" },
	{ NULL },
};

static const struct verb verbs[] = {
	{ "thing", .help = "Things", .verbs = below },
	{ "plain", .help = "Nothing" },
	{ NULL },
};

/* Splits at blanks, parses, and compares result and sentence. */
static int parse(struct command *command, const char *line)
{
	static char words[256];
	static char *argv[32];
	int argc = 0;

	snprintf(words, sizeof(words), "sloth %s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return command_parse(command, verbs, argc, argv);
}

static void refuse(const char *line, const char *sentence)
{
	struct command command;

	assert_int_equal(parse(&command, line), -EINVAL);
	if (!strstr(command.fault.text, sentence))
		fail_msg("\"%s\": \"%s\" lacks \"%s\"", line, command.fault.text, sentence);
	command_done(&command);
}

static void test_verbs(void **state)
{
	struct command command;

	assert_int_equal(parse(&command, "thing make x"), 0);
	assert_string_equal(command.title, "thing make");
	assert_int_equal(command.operand_count, 1);
	assert_string_equal(command.operands[0], "x");
	command_done(&command);
	assert_int_equal(parse(&command, "thing create x y"), 0);
	assert_string_equal(command.title, "thing make");
	command_done(&command);
	assert_int_equal(parse(&command, "thing many a b c d"), 0);
	assert_int_equal(command.operand_count, 4);
	command_done(&command);
}

static void test_options(void **state)
{
	struct command command;
	int position = 0;
	int64_t ms = 7;

	assert_int_equal(parse(&command, "thing make -fn one --name=two x --time 1m30s -nthree"), 0);
	assert_true(command_flag(&command, "force"));
	assert_string_equal(command_option(&command, "name"), "three");
	assert_string_equal(command_next(&command, "name", &position), "one");
	assert_string_equal(command_next(&command, "name", &position), "two");
	assert_string_equal(command_next(&command, "name", &position), "three");
	assert_null(command_next(&command, "name", &position));
	assert_null(command_option(&command, "output"));
	assert_int_equal(command_duration(&command, "time", &ms), 0);
	assert_int_equal(ms, 90000);
	command_done(&command);
}

static void test_end_of_options(void **state)
{
	struct command command;

	assert_int_equal(parse(&command, "thing make - -- --force"), 0);
	assert_int_equal(command.operand_count, 2);
	assert_string_equal(command.operands[0], "-");
	assert_string_equal(command.operands[1], "--force");
	assert_false(command_flag(&command, "force"));
	command_done(&command);
}

/* A verb's own -o goes before everybody's. */
static void test_formats(void **state)
{
	struct command command;

	assert_int_equal(parse(&command, "plain -o json"), 0);
	assert_int_equal(command.format, FORMAT_JSON);
	command_done(&command);
	assert_int_equal(parse(&command, "plain --format=yaml"), 0);
	assert_int_equal(command.format, FORMAT_YAML);
	command_done(&command);
	assert_int_equal(parse(&command, "--json thing make -o json x"), 0);
	assert_int_equal(command.format, FORMAT_JSON);
	assert_string_equal(command_option(&command, "output"), "json");
	command_done(&command);
	assert_int_equal(parse(&command, "thing make -o json x"), 0);
	assert_int_equal(command.format, FORMAT_TEXT);
	command_done(&command);
}

static void test_help(void **state)
{
	struct command command;

	assert_int_equal(parse(&command, "thing --help"), 0);
	assert_true(command.help);
	command_done(&command);
	/* Also with what would be refused otherwise. */
	assert_int_equal(parse(&command, "thing make -h"), 0);
	assert_true(command.help);
	command_done(&command);
}

static void test_refusals(void **state)
{
	struct command command;
	int64_t ms = 7;

	refuse("", "which command? There are: thing, plain");
	refuse("thing", "thing: which command? There are: make, many");
	refuse("thin", "did you mean \"thing\"?");
	refuse("thing mak x", "there is no command \"thing mak\"; did you mean \"thing make\"?");
	refuse("zebra", "see \"sloth help\"");
	refuse("thing make --forse x", "there is no option --forse; did you mean --force?");
	refuse("thing make --jsno x", "did you mean --json?");
	refuse("thing make -x y", "there is no option -x");
	refuse("thing make --force=1 x", "--force takes no value");
	refuse("thing make x --name", "--name needs a value");
	refuse("thing make x -n", "-n needs a value");
	refuse("thing make", "usage: sloth thing make A [B]");
	refuse("thing make a b c", "that is too much");
	refuse("thing many", "something is missing");
	refuse("plain x", "that is too much");
	refuse("plain --format csv", "table, json or yaml");
	assert_int_equal(parse(&command, "thing make --time soon x"), 0);
	assert_int_equal(command_duration(&command, "time", &ms), -EINVAL);
	assert_int_equal(ms, 7);
	command_done(&command);
}

static void test_help_text(void **state)
{
	struct command command;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(parse(&command, "thing make -h"), 0);
	help_show(out, verbs, &command);
	help_lines(out, verbs);
	fclose(out);
	assert_non_null(strstr(text, "Usage: sloth thing make A [B]\n"));
	assert_non_null(strstr(text, "-n, --name NAME"));
	assert_non_null(strstr(text, "Also called: create"));
	assert_non_null(strstr(text, "thing make\t--name=\t--force\t"));
	assert_null(strstr(text, "\nthing\t"));
	free(text);
	command_done(&command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_end_of_options),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_help_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
