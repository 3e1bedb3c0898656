/* SPDX-License-Identifier: MIT */
/* From words to a verb with its options. */
#include "cli/command.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const struct option common_options[] = {
	{ "json", 0, NULL, "print JSON" },
	{ "format", 'o', "FORMAT", "table, json or yaml" },
	{ "help", 'h', NULL, "show what this command does" },
	{ "output", 0, "FORMAT", "the same as --format" },
	{ NULL },
};

enum { NEAREST_MAX = 64 };

static bool verb_is(const struct verb *verb, const char *word)
{
	return !strcmp(verb->name, word) || (verb->alias && !strcmp(verb->alias, word));
}

const struct verb *verb_find(const struct verb *verbs, const char *word)
{
	for (; verbs->name; verbs++)
		if (verb_is(verbs, word))
			return verbs;
	return NULL;
}

void verb_operands(const struct verb *verb, int *ret_min, int *ret_max)
{
	int min = 0, max = 0;

	for (const char *p = verb->operands; p && *p;) {
		size_t n = strcspn(p, " ");

		if (*p != '[')
			min++;
		if (max >= 0)
			max++;
		if (memmem(p, n, "...", 3))
			max = -1;
		p += n + strspn(p + n, " ");
	}
	*ret_min = min;
	*ret_max = max;
}

static int unknown_verb(struct command *command, const struct verb *verbs, const char *word)
{
	const char *names[NEAREST_MAX], *nearest;
	const char *space = *command->title ? " " : "";
	size_t count = 0;

	for (; verbs->name && count < NEAREST_MAX; verbs++)
		names[count++] = verbs->name;
	nearest = text_nearest(word, names, count);
	if (nearest)
		return fault_set(&command->fault, EINVAL,
			"there is no command \"%s%s%s\"; did you mean \"%s%s%s\"?", command->title, space,
			word, command->title, space, nearest);
	return fault_set(&command->fault, EINVAL, "there is no command \"%s%s%s\"; see \"sloth help%s%s\"",
		command->title, space, word, space, command->title);
}

static int unknown_option(struct command *command, const char *word)
{
	const char *names[NEAREST_MAX], *nearest;
	size_t count = 0;

	for (const struct option *o = command->verb ? command->verb->options : NULL; o && o->name; o++)
		if (count < NEAREST_MAX)
			names[count++] = o->name;
	for (const struct option *o = common_options; o->name && count < NEAREST_MAX; o++)
		names[count++] = o->name;
	nearest = strncmp(word, "--", 2) ? NULL : text_nearest(word + 2, names, count);
	if (nearest)
		return fault_set(&command->fault, EINVAL, "%s%sthere is no option %s; did you mean --%s?",
			command->title, *command->title ? ": " : "", word, nearest);
	return fault_set(&command->fault, EINVAL, "%s%sthere is no option %s; see \"sloth help%s%s\"",
		command->title, *command->title ? ": " : "", word, *command->title ? " " : "",
		command->title);
}

static const struct option *find_long(const struct option *options, const char *name, size_t size)
{
	for (; options && options->name; options++)
		if (strlen(options->name) == size && !strncmp(options->name, name, size))
			return options;
	return NULL;
}

static const struct option *find_letter(const struct option *options, char letter)
{
	for (; options && options->name; options++)
		if (options->letter == letter)
			return options;
	return NULL;
}

static int give(struct command *command, const struct option *option, const char *value)
{
	static const struct {
		const char *name;
		enum format format;
	} formats[] = {
		{ "table", FORMAT_TEXT },
		{ "text", FORMAT_TEXT },
		{ "json", FORMAT_JSON },
		{ "yaml", FORMAT_YAML },
	};

	command->given[command->given_count++] = (struct given){ option, value };
	if (option == &common_options[0])
		command->format = FORMAT_JSON;
	if (option == &common_options[2])
		command->help = true;
	if ((option != &common_options[1] && option != &common_options[3]) || !value)
		return 0;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(formats[i].name, value)) {
			command->format = formats[i].format;
			return 0;
		}
	return fault_set(
		&command->fault, EINVAL, "--%s %s: it must be table, json or yaml", option->name, value);
}

/* The verb's own rows come first: `mount -o` has a meaning of its own. */
static int parse_long(struct command *command, const char *word, char **next, int *ret_used)
{
	size_t size = strcspn(word + 2, "=");
	const char *value = word[2 + size] ? word + 2 + size + 1 : NULL;
	const struct option *option =
		find_long(command->verb ? command->verb->options : NULL, word + 2, size);

	if (!option)
		option = find_long(common_options, word + 2, size);
	if (!option)
		return unknown_option(command, word);
	if (!option->value && value)
		return fault_set(&command->fault, EINVAL, "--%s takes no value", option->name);
	if (option->value && !value) {
		if (!*next)
			return fault_set(&command->fault, EINVAL, "--%s needs a value: --%s %s", option->name,
				option->name, option->value);
		value = *next;
		*ret_used = 1;
	}
	return give(command, option, value);
}

static int parse_letters(struct command *command, const char *word, char **next, int *ret_used)
{
	for (const char *p = word + 1; *p; p++) {
		const struct option *option = find_letter(command->verb ? command->verb->options : NULL, *p);
		int r;

		if (!option)
			option = find_letter(common_options, *p);
		if (!option)
			return unknown_option(command, (char[]){ '-', *p, '\0' });
		if (option->value) {
			if (!p[1] && !*next)
				return fault_set(&command->fault, EINVAL, "-%c needs a value: -%c %s", *p, *p,
					option->value);
			*ret_used = p[1] ? 0 : 1;
			return give(command, option, p[1] ? p + 1 : *next);
		}
		r = give(command, option, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static void add_title(struct command *command, const struct verb *verb)
{
	size_t n = strlen(command->title);

	snprintf(command->title + n, sizeof(command->title) - n, "%s%s", n ? " " : "", verb->name);
	command->verb = verb;
}

static int check_operands(struct command *command)
{
	const struct verb *verb = command->verb;
	int min, max;

	verb_operands(verb, &min, &max);
	if (command->operand_count < min || (max == 0 && command->operand_count > 0) ||
		(max > 0 && command->operand_count > max))
		return fault_set(&command->fault, EINVAL, "%s: usage: sloth %s%s%s",
			command->operand_count < min ? "something is missing" : "that is too much",
			command->title, verb->operands ? " " : "", verb->operands ? verb->operands : "");
	return 0;
}

static int missing_verb(struct command *command, const struct verb *verbs)
{
	char list[512] = "";
	size_t n = 0;

	for (; verbs->name && n < sizeof(list) - NAME_SIZE; verbs++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", verbs->name);
	return fault_set(&command->fault, EINVAL, "%s%swhich command? There are: %s", command->title,
		*command->title ? ": " : "", list);
}

/* A group that does something without a verb below it, too. */
static bool takes_operands(const struct command *command)
{
	return command->verb && command->verb->run && command->verb->operands;
}

int command_parse(struct command *command, const struct verb *verbs, int argc, char **argv)
{
	bool options_end = false;

	*command = (struct command){ .root = verbs, .client = { .fd = -1 } };
	/* Every letter of a word may be an option. */
	size_t most = 1;
	for (int i = 1; i < argc; i++)
		most += strlen(argv[i]) + 1;
	command->operands = calloc((size_t)argc + 1, sizeof(*command->operands));
	command->given = calloc(most, sizeof(*command->given));
	if (!command->operands || !command->given)
		return fault_set(&command->fault, ENOMEM, "no memory");

	for (int i = 1; i < argc; i++) {
		char *word = argv[i];
		int r = 0, used = 0;

		if (!options_end && !strcmp(word, "--")) {
			options_end = true;
		} else if (!options_end && !strncmp(word, "--", 2)) {
			r = parse_long(command, word, argv + i + 1, &used);
		} else if (!options_end && word[0] == '-' && word[1]) {
			r = parse_letters(command, word, argv + i + 1, &used);
		} else if (verbs) {
			const struct verb *verb = verb_find(verbs, word);

			if (verb) {
				add_title(command, verb);
				verbs = verb->verbs;
			} else if (takes_operands(command)) {
				/* `run list` is a verb below run, `run deploy.sloth` is none. */
				command->operands[command->operand_count++] = word;
				verbs = NULL;
			} else {
				return unknown_verb(command, verbs, word);
			}
		} else {
			command->operands[command->operand_count++] = word;
		}
		if (r < 0)
			return r;
		i += used;
	}
	if (command->help)
		return 0;
	if (verbs && !(command->verb && command->verb->run))
		return missing_verb(command, verbs);
	return check_operands(command);
}

void command_done(struct command *command)
{
	client_close(&command->client);
	free(command->operands);
	free(command->given);
}

const char *command_next(const struct command *command, const char *name, int *position)
{
	assert(find_long(command->verb->options, name, strlen(name)) ||
		find_long(common_options, name, strlen(name)));
	while (*position < command->given_count) {
		const struct given *given = &command->given[(*position)++];

		if (!strcmp(given->option->name, name))
			return given->value ? given->value : "";
	}
	return NULL;
}

const char *command_option(const struct command *command, const char *name)
{
	const char *value, *last = NULL;
	int position = 0;

	while ((value = command_next(command, name, &position)))
		last = value;
	return last;
}

bool command_flag(const struct command *command, const char *name)
{
	return command_option(command, name) != NULL;
}

int command_duration(struct command *command, const char *name, int64_t *ret_ms)
{
	const char *text = command_option(command, name);

	if (text && duration_parse(text, ret_ms) < 0)
		return fault_set(&command->fault, EINVAL,
			"--%s %s: it must be a duration like 30s, 5m or 1h30m", name, text);
	return 0;
}

int command_number(struct command *command, const char *name, int64_t min, int64_t *ret_number)
{
	const char *text = command_option(command, name);
	int64_t number;

	if (!text)
		return 0;
	if (parse_int64(text, &number) < 0 || number < min)
		return fault_set(&command->fault, EINVAL, "--%s %s: it must be a number from %lld", name,
			text, (long long)min);
	*ret_number = number;
	return 0;
}

struct client *command_client(struct command *command)
{
	if (command->client.fd >= 0)
		return &command->client;
	if (place_find(&command->place, false, &command->fault) < 0 ||
		client_open(&command->client, &command->place, true, &command->fault) < 0)
		return NULL;
	return &command->client;
}
