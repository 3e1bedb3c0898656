/* SPDX-License-Identifier: MIT */
/* Other names for commands: the words are put as the command is called now, and that is run. */
#include "cli/alias.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { WORDS_MAX = 6 };

/* `to` NULL: the value alone, as an operand behind the others. What is not named here is called the same. */
struct spelling {
	const char *option, *to;
};

static const struct alias {
	const char *title, *target;
	struct spelling spellings[4];
} aliases[] = {
	{ "stack state list", "stack list" },
	{ "stack state show", "stack show" },
	{ "stack state versions", "stack history" },
	{ "stack state snapshot", "stack snapshot create" },
	{ "stack state rollback", "stack snapshot restore", { { "version", NULL } } },
	{ "stack state diff", "stack snapshot compare", { { "from", NULL }, { "to", NULL } } },
	{ "stack state drift", "stack drift detect" },
	{ "stack state lock", "stack lock acquire", { { "who", "locked-by" } } },
	{ "stack state unlock", "stack lock release", { { "lock-id", "token" } } },
	{ "stack state activity", "stack activity" },
	{ "stack state tags add", "stack tags add" },
	{ "stack state tags list", "stack tags list" },
	{ "stack state tags remove", "stack tags remove" },
};

static const struct alias *find(const char *title)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcmp(aliases[i].title, title))
			return &aliases[i];
	return NULL;
}

static const struct spelling *find_spelling(const struct alias *alias, const char *option)
{
	for (const struct spelling *s = alias->spellings; s->option; s++)
		if (!strcmp(s->option, option))
			return s;
	return NULL;
}

/* What it is called with; owned word by word. */
struct words {
	char **words;
	int count;
};

static void words_done(struct words *words)
{
	for (int i = 0; i < words->count; i++)
		free(words->words[i]);
	free(words->words);
}

static int add(struct words *words, const char *text, size_t size)
{
	char *copy = strndup(text, size);

	if (!copy)
		return -ENOMEM;
	words->words[words->count++] = copy;
	return 0;
}

/* --name=value in one word, so that a value that begins with a dash is not taken for an option. */
static int add_option(struct words *words, const char *name, const char *value)
{
	char *text;

	if (asprintf(&text, "--%s%s%s", name, value ? "=" : "", value ? value : "") < 0)
		return -ENOMEM;
	words->words[words->count++] = text;
	return 0;
}

static int add_given(const struct alias *alias, const struct command *command, struct words *words)
{
	int r = 0;

	for (int i = 0; r == 0 && i < command->given_count; i++) {
		const struct given *given = &command->given[i];
		const struct spelling *spelling = find_spelling(alias, given->option->name);

		if (!spelling)
			r = add_option(words, given->option->name, given->value);
		else if (spelling->to)
			r = add_option(words, spelling->to, given->value);
	}
	return r;
}

/* Operands that were given as options, in the order of the table. */
static int add_operands(const struct alias *alias, const struct command *command, struct words *words)
{
	int r = add(words, "--", 2);

	for (int i = 0; r == 0 && i < command->operand_count; i++)
		r = add(words, command->operands[i], strlen(command->operands[i]));
	for (const struct spelling *s = alias->spellings; r == 0 && s->option; s++) {
		const char *value = s->to ? NULL : command_option(command, s->option);

		if (value)
			r = add(words, value, strlen(value));
	}
	return r;
}

static int respell(const struct alias *alias, const struct command *command, struct words *words)
{
	int r;

	words->words = calloc((size_t)(WORDS_MAX + 4 + command->given_count + command->operand_count + 2),
		sizeof(*words->words));
	if (!words->words)
		return -ENOMEM;
	r = add(words, "sloth", 5);
	for (const char *p = alias->target; r == 0 && *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		r = add(words, p, n);
		p += n;
	}
	r = r < 0 ? r : add_given(alias, command, words);
	return r < 0 ? r : add_operands(alias, command, words);
}

static int call(struct command *command, int count, char **words)
{
	struct command now;
	int r = command_parse(&now, command->root, count, words);

	if (r == 0 && now.format == FORMAT_TEXT)
		now.format = command->format;
	if (r == 0)
		r = now.verb->run(&now);
	command->fault = now.fault;
	command_done(&now);
	return r;
}

/* The target would ask for operands, which are options here. */
static int check_operands(const struct alias *alias, struct command *command)
{
	for (const struct spelling *s = alias->spellings; s->option; s++)
		if (!s->to && !command_option(command, s->option))
			return fault_set(
				&command->fault, EINVAL, "%s: --%s is missing", alias->title, s->option);
	return 0;
}

int alias_run(struct command *command)
{
	CLEANUP(words_done) struct words words = { 0 };
	const struct alias *alias = find(command->title);

	assert(alias);
	if (check_operands(alias, command) < 0)
		return -EINVAL;
	if (respell(alias, command, &words) < 0)
		return fault_set(&command->fault, ENOMEM, "no memory");
	return call(command, words.count, words.words);
}

static const struct option list_options[] = {
	{ "status", 's', "STATUS", "only stacks with this status" },
	{ NULL },
};

static const struct option versions_options[] = {
	{ "limit", 'n', "NUMBER", "at most so many, the newest" },
	{ NULL },
};

static const struct option snapshot_options[] = {
	{ "description", 'd', "TEXT", "what it is" },
	{ NULL },
};

static const struct option rollback_options[] = {
	{ "version", 'v', "VERSION", "the version to go back to; must be given" },
	{ "force", 'f', NULL, "do not ask" },
	{ NULL },
};

static const struct option diff_options[] = {
	{ "from", 0, "VERSION", "the older version; must be given" },
	{ "to", 0, "VERSION", "the newer version; must be given" },
	{ NULL },
};

static const struct option unlock_options[] = {
	{ "lock-id", 0, "TOKEN", "only the lock with this token" },
	{ NULL },
};

static const struct option activity_options[] = {
	{ "limit", 'n', "NUMBER", "at most so many" },
	{ NULL },
};

static const struct option lock_options[] = {
	{ "operation", 0, "NAME", "what is being done" },
	{ "who", 0, "NAME", "who locks, as others will read it (your user name)" },
	{ "duration", 0, "TIME", "the lock ends after this time: 30m, 2h" },
	{ NULL },
};

static const struct verb tags_verbs_of_state[] = {
	{ "add", .operands = "NAME TAG...", .help = "The same as stack tags add", .run = alias_run },
	{ "list", .operands = "NAME", .help = "The same as stack tags list", .run = alias_run },
	{ "remove", .alias = "rm", .operands = "NAME TAG...", .help = "The same as stack tags remove",
		.run = alias_run },
	{ NULL },
};

const struct verb stack_state_verbs[] = {
	{ "list", .help = "The same as stack list", .options = list_options, .run = alias_run },
	{ "show", .operands = "NAME", .help = "The same as stack show", .run = alias_run },
	{ "versions", .operands = "NAME", .help = "The same as stack history", .options = versions_options,
		.run = alias_run },
	{ "snapshot", .operands = "NAME", .help = "The same as stack snapshot create",
		.options = snapshot_options, .run = alias_run },
	{ "rollback", .operands = "NAME", .help = "The same as stack snapshot restore",
		.options = rollback_options, .run = alias_run },
	{ "diff", .operands = "NAME", .help = "The same as stack snapshot compare", .options = diff_options,
		.run = alias_run },
	{ "drift", .operands = "NAME", .help = "The same as stack drift detect", .run = alias_run },
	{ "unlock", .operands = "NAME", .help = "The same as stack lock release", .options = unlock_options,
		.run = alias_run },
	{ "activity", .operands = "NAME", .help = "The same as stack activity", .options = activity_options,
		.run = alias_run },
	{ "lock", .operands = "NAME", .help = "The same as stack lock acquire", .options = lock_options,
		.run = alias_run },
	{ "tags", .help = "The same as stack tags", .verbs = tags_verbs_of_state },
	{ NULL },
};
