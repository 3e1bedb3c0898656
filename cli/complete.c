/* SPDX-License-Identifier: MIT */
/* complete: what could stand at the end of a command line, for the completions of bash, zsh and fish. Verbs,
 * options and their values come from the tables, names from a daemon that is there: none is started for this.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"

/* Seconds after which a daemon that does not answer is not waited for. */
enum { PATIENCE = 1, TITLE_SIZE = 128, SHOWN_MAX = 2000 };

/* What stands before the word that is looked for. */
struct line {
	struct command *command;
	char title[TITLE_SIZE];
	const struct verb *verbs, *verb; /* what may come next, and what it is so far */
	const struct option *pending;	 /* the last word was this, and its value is missing */
	const char *operands[2];	 /* the first of those that are there already */
	int operand_count;
	bool options_over;
	const char *prefix; /* of the word, which is shown again: "--status=" */
	const char *word;   /* what the candidates must begin with */
};

/* Names that a folder of the tree has. %s is the first operand of the line. */
static const struct source {
	const char *title;	  /* a group that it counts in, "" for all */
	const char *name;	  /* the operand, or the option's value, as the tables call it */
	const char *folder, *end; /* end: only names with it, which are shown without */
	bool versions;		  /* not the files that stand beside them */
} sources[] = {
	{ "secrets", "NAME", "/secrets", "" },
	{ "backup", "NAME", "/backups", ".db" },
	{ "stack", "NAME", "/stacks", "" },
	{ "with-lock", "LOCKS", "/stacks", "" },
	{ "with-lock", "NAME", "/stacks", "" },
	{ "stack deps", "ON", "/stacks", "" },
	{ "stack", "KEY", "/stacks/%s/outputs.d", "" },
	{ "stack", "VERSION", "/stacks/%s/snapshots", "", .versions = true },
	{ "stack", "LABEL", "/stacks/%s/snapshots", "", .versions = true },
	{ "", "TAG", "/tags", "" },
	{ "", "RUN", "/runs", "" },
	{ "state workflow", "WORKFLOW", "/runs", "" },
	{ "run", "WORKFLOW", "/runs", "" },
};

/* What an option's value is, where its name says more than the word for its value. */
static const struct {
	const char *option, *folder;
} option_sources[] = {
	{ "stack", "/stacks" },
	{ "tag", "/tags" },
	{ "namespace", "/state" },
};

/* Values that are a choice of words. */
static const struct choice {
	const char *title, *name;
	const char *words[12];
} choices[] = {
	{ "", "FORMAT", { "table", "json", "yaml" } },
	{ "", "WHAT", { "failed", "all" } },
	{ "run", "STATUS", { "pending", "running", "success", "failed", "rolled_back" } },
	{ "", "STREAM", { "out", "err", "log" } },
	{ "state workflow", "STATUS", { "pending", "running", "success", "failed", "rolled_back" } },
	{ "stack", "STATUS", { "created", "running", "completed", "failed" } },
};

/* Told to the shell, which knows its files. */
static const struct {
	const char *name, *directive;
} files[] = {
	{ "FILE", ":files" },
	{ "DIR", ":folders" },
	{ "COMMAND", ":commands" },
	{ "USER", ":users" },
};

static bool begins(const char *title, const char *group)
{
	size_t n = strlen(group);

	return !strncmp(title, group, n) && (n == 0 || title[n] == ' ' || title[n] == '\0');
}

static void candidate(const struct line *line, const char *text, size_t size, const char *help)
{
	size_t n = strlen(line->word);

	if (size < n || strncmp(text, line->word, n))
		return;
	printf("%s%.*s", line->prefix, (int)size, text);
	if (help && *help)
		printf("\t%s", help);
	putchar('\n');
}

/* To a daemon that is there. */
static bool connect_there(const struct line *line)
{
	struct command *command = line->command;
	struct fault fault = { 0 };

	return command->client.fd >= 0 ||
	       (place_find(&command->place, false, &fault) == 0 &&
		       client_open(&command->client, &command->place, false, &fault) == 0);
}

/* No daemon, no rights, no such folder: nothing. */
static json_t *list_folder(const struct line *line, const char *folder)
{
	struct fault fault = { 0 };
	json_t *entries = NULL;

	if (!connect_there(line) || client_list(&line->command->client, folder, false, &fault, &entries) < 0)
		return NULL;
	return entries;
}

static bool is_version(const json_t *entry, const char *name)
{
	const char *type = json_string_value(json_object_get(entry, "type"));

	return (type && !strcmp(type, "link")) || (name[0] == 'v' && name[1] >= '0' && name[1] <= '9');
}

static void names_in(const struct line *line, const char *folder, const char *end, bool versions)
{
	json_t *entries = list_folder(line, folder), *entry;
	size_t i;

	json_array_foreach (entries, i, entry) {
		const char *name = json_string_value(json_object_get(entry, "name"));
		size_t n = name ? strlen(name) : 0, tail = strlen(end);

		if (i >= SHOWN_MAX)
			break;
		if (n > tail && !strcmp(name + n - tail, end) && (!versions || is_version(entry, name)))
			candidate(line, name, n - tail, NULL);
	}
	json_decref(entries);
}

static void names_of(const struct line *line, const struct source *source)
{
	const char *first = line->operand_count ? line->operands[0] : NULL;
	const char *hole = strstr(source->folder, "%s");
	CLEANUP(cleanup_free) char *folder = NULL;

	if (!hole) {
		names_in(line, source->folder, source->end, source->versions);
		return;
	}
	if (!first || name_check(first) < 0)
		return;
	if (asprintf(&folder, "%.*s%s%s", (int)(hole - source->folder), source->folder, first, hole + 2) < 0)
		folder = NULL;
	else
		names_in(line, folder, source->end, source->versions);
}

/* What a stack looks after and has drifted, by the names that the commands about it take. */
static void drifted_names(const struct line *line)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(cleanup_free) char *path = NULL;
	json_auto_t *report = NULL;
	struct fault fault = { 0 };
	const json_t *finding;
	const char *before = "";
	size_t i;

	if (!line->operand_count || name_check(line->operands[0]) < 0 || !connect_there(line) ||
		asprintf(&path, "/stacks/%s/drift.json", line->operands[0]) < 0 ||
		client_read(&line->command->client, path, &fault, &text) < 0)
		return;
	report = json_loadb(buffer_text(&text), text.size, 0, NULL);
	json_array_foreach (json_object_get(report, "findings"), i, finding) {
		const char *name = json_string_value(json_object_get(finding, "name"));

		if (i >= SHOWN_MAX)
			break;
		if (name && strcmp(name, before) != 0 && !strpbrk(name, "\n\t"))
			candidate(line, name, strlen(name), NULL);
		before = name ? name : before;
	}
}

/* Paths of the tree, a part at a time. */
static void tree_paths(const struct line *line)
{
	const char *slash = strrchr(line->word, '/');
	CLEANUP(cleanup_free) char *folder = NULL;
	struct line last = *line;
	json_t *entries, *entry;
	size_t i;

	if (asprintf(&folder, "/%.*s", slash ? (int)(slash - line->word) : 0, line->word) < 0) {
		folder = NULL;
		return;
	}
	if (slash)
		last.word = slash + 1;
	entries = list_folder(line, folder);
	json_array_foreach (entries, i, entry) {
		const char *name = json_string_value(json_object_get(entry, "name"));
		const char *type = json_string_value(json_object_get(entry, "type"));

		if (i >= SHOWN_MAX || !name || strncmp(name, last.word, strlen(last.word)))
			continue;
		printf("%s%.*s%s%s\n", line->prefix, slash ? (int)(slash + 1 - line->word) : 0, line->word,
			name, type && !strcmp(type, "dir") ? "/" : "");
	}
	json_decref(entries);
}

/* What the tables call `name`: an operand, or the value of an option. */
static void values(const struct line *line, const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strlen(files[i].name) == size && !strncmp(files[i].name, name, size))
			puts(files[i].directive);
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (strlen(choices[i].name) == size && !strncmp(choices[i].name, name, size) &&
			begins(line->title, choices[i].title)) {
			for (const char *const *w = choices[i].words; *w; w++)
				candidate(line, *w, strlen(*w), NULL);
			return;
		}
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (strlen(sources[i].name) == size && !strncmp(sources[i].name, name, size) &&
			begins(line->title, sources[i].title)) {
			names_of(line, &sources[i]);
			return;
		}
	if (size == 4 && !strncmp(name, "PATH", size))
		tree_paths(line);
	if (size == 8 && !strncmp(name, "RESOURCE", size) && begins(line->title, "stack drift"))
		drifted_names(line);
}

static void option_values(const struct line *line, const struct option *option)
{
	for (size_t i = 0; i < sizeof(option_sources) / sizeof(option_sources[0]); i++)
		if (!strcmp(option_sources[i].option, option->name)) {
			names_in(line, option_sources[i].folder, "", false);
			return;
		}
	values(line, option->value, strlen(option->value));
}

/* The operand that comes next; the last one again where there may be many. */
static void operand_values(const struct line *line)
{
	const char *p = line->verb ? line->verb->operands : NULL;
	int left = line->operand_count;

	while (p && *p) {
		size_t n = strcspn(p, " "), skip = *p == '[';
		size_t size = strcspn(p + skip, " ].");
		bool many = memmem(p, n, "...", 3) != NULL;

		if (left-- == 0 || many) {
			values(line, p + skip, size);
			return;
		}
		p += n + strspn(p + n, " ");
	}
}

static void option_names(const struct line *line, const struct option *options)
{
	for (; options && options->name; options++) {
		char text[96];
		int n = snprintf(text, sizeof(text), "--%s", options->name);

		candidate(line, text, (size_t)n, options->help);
	}
}

static const struct option *option_of(const struct line *line, const char *word)
{
	const struct option *tables[] = { line->verb ? line->verb->options : NULL, common_options };
	size_t size = strcspn(word + 2, "=");

	for (size_t i = 0; i < 2; i++)
		for (const struct option *o = tables[i]; o && o->name; o++) {
			if (word[1] == '-' && strlen(o->name) == size && !strncmp(o->name, word + 2, size))
				return o;
			if (word[1] != '-' && o->letter && o->letter == word[strlen(word) - 1])
				return o;
		}
	return NULL;
}

/* A word before the last one. False: no such verb, so that nothing can follow. */
static bool take_word(struct line *line, const char *word)
{
	size_t n = strlen(line->title);

	if (line->pending) {
		/* bash makes a word of its own of the sign in --status=failed. */
		if (strcmp(word, "="))
			line->pending = NULL;
		return true;
	}
	if (!line->options_over && !strcmp(word, "--")) {
		line->options_over = true;
	} else if (!line->options_over && word[0] == '-' && word[1]) {
		const struct option *option = option_of(line, word);

		line->pending = option && option->value && !strchr(word, '=') ? option : NULL;
	} else if (line->verbs) {
		const struct verb *verb = verb_find(line->verbs, word);

		if (!verb && line->verb && line->verb->run && line->verb->operands) {
			line->verbs = NULL;
			return take_word(line, word);
		}
		line->verb = verb;
		if (!line->verb)
			return false;
		snprintf(line->title + n, sizeof(line->title) - n, "%s%s", n ? " " : "", line->verb->name);
		line->verbs = line->verb->verbs;
	} else {
		if (line->operand_count < 2)
			line->operands[line->operand_count] = word;
		line->operand_count++;
	}
	return true;
}

static void last_word(struct line *line, char *word)
{
	char *equals = !strncmp(word, "--", 2) ? strchr(word, '=') : NULL;
	const struct option *option = equals && !line->options_over ? option_of(line, word) : NULL;

	line->prefix = "";
	line->word = word;
	if (line->pending) {
		line->word = strcmp(word, "=") ? word : "";
		option_values(line, line->pending);
	} else if (option && option->value) {
		CLEANUP(cleanup_free) char *prefix = strndup(word, (size_t)(equals + 1 - word));

		line->prefix = prefix ? prefix : "";
		line->word = equals + 1;
		option_values(line, option);
	} else if (word[0] == '-' && !line->options_over) {
		option_names(line, line->verb ? line->verb->options : NULL);
		option_names(line, common_options);
	} else if (line->verbs) {
		for (const struct verb *v = line->verbs; v->name; v++)
			candidate(line, v->name, strlen(v->name), v->help);
		if (line->verb && line->verb->run && line->verb->operands)
			operand_values(line);
	} else {
		operand_values(line);
	}
}

int complete_run(struct command *command)
{
	struct line line = { .command = command, .verbs = command->root };

	/* Whatever hangs, the shell gets its prompt back. */
	alarm(PATIENCE);
	for (int i = 0; i < command->operand_count - 1; i++)
		if (!take_word(&line, command->operands[i]))
			return 0;
	if (command->operand_count)
		last_word(&line, command->operands[command->operand_count - 1]);
	return 0;
}
