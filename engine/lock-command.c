/* SPDX-License-Identifier: MIT */
/* The control file of a lock: a line is a verb with words, words alone, or a reason as it stands. */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/lock-table.h"

enum { LINE_MAX_SIZE = 2048 };

enum {
	WORD_REASON = 1 << 0,
	WORD_OPERATION = 1 << 1,
	WORD_BY = 1 << 2,
	WORD_TTL = 1 << 3,
	WORD_WAIT = 1 << 4
};

struct command {
	struct lock_request request;
	int64_t wait_ms;
	bool has_wait;
	unsigned given; /* WORD_* */
	/* How lock_command() was called. */
	struct engine *engine;
	struct caller *caller;
	int64_t stack_id;
	void (*done)(void *userdata, int result, int64_t token, const struct fault *fault);
	void *userdata;
	struct fault *fault;
	struct lock_wait **ret_wait;
};

/* A word is a text of the request, or a duration of the command. */
static const struct word {
	const char *name;
	unsigned bit;
	bool is_duration;
	size_t offset; /* within struct command */
} words[] = {
	{ "reason", WORD_REASON, false, offsetof(struct command, request.reason) },
	{ "operation", WORD_OPERATION, false, offsetof(struct command, request.operation) },
	{ "by", WORD_BY, false, offsetof(struct command, request.by) },
	{ "ttl", WORD_TTL, true, offsetof(struct command, request.ttl_ms) },
	{ "wait", WORD_WAIT, true, offsetof(struct command, wait_ms) },
};

enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

static int run_acquire(struct command *command)
{
	int64_t token;

	if (command->wait_ms > 0)
		return lock_wait(command->engine, command->caller, command->stack_id, &command->request,
			command->wait_ms, command->done, command->userdata, command->fault, &token,
			command->ret_wait);
	return lock_acquire(command->engine, command->caller, command->stack_id, &command->request,
		command->fault, &token);
}

static int run_unlock(struct command *command)
{
	return lock_release(command->engine, command->caller, command->stack_id, command->fault);
}

static int run_renew(struct command *command)
{
	return lock_renew(
		command->engine, command->caller, command->stack_id, command->request.ttl_ms, command->fault);
}

static int run_force(struct command *command)
{
	return lock_force(
		command->engine, command->caller, command->stack_id, command->request.reason, command->fault);
}

/* The first row is what a line without a verb does. */
static const struct verb {
	const char *name;
	unsigned words;
	int (*run)(struct command *command);
} verbs[] = {
	{ "", WORD_REASON | WORD_OPERATION | WORD_BY | WORD_TTL | WORD_WAIT, run_acquire },
	{ "unlock", 0, run_unlock },
	{ "renew", WORD_TTL, run_renew },
	{ "force", WORD_REASON, run_force },
};

static const struct verb *verb_find(const char *text, size_t size)
{
	for (size_t i = 1; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strlen(verbs[i].name) == size && !memcmp(verbs[i].name, text, size))
			return &verbs[i];
	return NULL;
}

/* Whether a word of the line looks like name=value; else an apostrophe in it is no quote. */
static bool has_assignment(const char *line)
{
	for (const char *p = line; *p;) {
		size_t n;

		p += strspn(p, " \t");
		n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
		if (n > 0 && p[n] == '=')
			return true;
		p += strcspn(p, " \t");
	}
	return false;
}

/* The next word, with the quotes of a shell taken off. 1: a word; 0: the end; -EINVAL. */
static int word_next(const char **line, char ret_word[LINE_MAX_SIZE])
{
	const char *p = *line + strspn(*line, " \t");
	size_t n = 0;
	char quote = 0;

	if (!*p)
		return 0;
	for (; *p && (quote || (*p != ' ' && *p != '\t')); p++) {
		if (quote ? *p == quote : *p == '"' || *p == '\'') {
			quote = quote ? 0 : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'' && p[1])
			p++;
		ret_word[n++] = *p;
	}
	if (quote)
		return -EINVAL;
	ret_word[n] = '\0';
	*line = p;
	return 1;
}

static int duration_word(struct command *command, const struct word *word, const char *value)
{
	int64_t ms;

	if (duration_parse(value, &ms) < 0)
		return fault_set(command->fault, EINVAL, "%s=%.100s: a duration is like 30s, 5m, 1h30m",
			word->name, value);
	if (ms == 0 && word->bit == WORD_TTL)
		return fault_set(command->fault, EINVAL, "ttl=%.100s: a lock must last for a while", value);
	*(int64_t *)((char *)command + word->offset) = ms;
	return 0;
}

static int text_word(struct command *command, const struct word *word, const char *value)
{
	size_t n = strlen(value);

	if (n >= LOCK_WORD_MAX)
		return fault_set(command->fault, EINVAL, "%s has %zu bytes, and may have %d", word->name, n,
			LOCK_WORD_MAX - 1);
	memcpy((char *)command + word->offset, value, n + 1);
	return 0;
}

static int unknown_word(struct command *command, const char *text)
{
	const char *names[WORD_COUNT], *near;

	for (size_t i = 0; i < WORD_COUNT; i++)
		names[i] = words[i].name;
	near = text_nearest(text, names, WORD_COUNT);
	return fault_set(command->fault, EINVAL,
		"%.100s= is unknown%s%s%s. The words are reason= operation= ttl= by= wait=, their values in "
		"quotes where "
		"there are blanks",
		text, near ? "; did you mean " : "", near ? near : "", near ? "=?" : "");
}

static int assign(struct command *command, const struct verb *verb, char *text)
{
	char *value = strchr(text, '=');

	if (!value)
		return fault_set(command->fault, EINVAL,
			"%.100s: this word has no name=; put quotes around values with blanks", text);
	*value++ = '\0';
	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (strcmp(words[i].name, text) != 0)
			continue;
		if (!(verb->words & words[i].bit))
			return fault_set(command->fault, EINVAL, "%s does not take %s=", verb->name, text);
		if (command->given & words[i].bit)
			return fault_set(command->fault, EINVAL, "%s= stands there twice", text);
		command->given |= words[i].bit;
		return words[i].is_duration ? duration_word(command, &words[i], value)
					    : text_word(command, &words[i], value);
	}
	return unknown_word(command, text);
}

static int words_parse(struct command *command, const struct verb *verb, const char *line)
{
	char word[LINE_MAX_SIZE];
	int r;

	while ((r = word_next(&line, word)) > 0) {
		r = assign(command, verb, word);
		if (r < 0)
			return r;
	}
	return r < 0 ? fault_set(command->fault, EINVAL, "a quote is not closed: %.200s", line) : 0;
}

static int line_run(struct command *command, const char *line)
{
	size_t first = strcspn(line, " \t");
	const struct verb *verb = verb_find(line, first);
	int r;

	if (verb)
		r = words_parse(command, verb, line + first);
	else if (has_assignment(line))
		r = words_parse(command, verb = &verbs[0], line);
	else
		r = text_word(command, (verb = &verbs[0], &words[0]), line);
	return r < 0 ? r : verb->run(command);
}

int lock_command(struct engine *engine, struct caller *caller, int64_t stack_id, const char *line,
	size_t size, void (*done)(void *userdata, int result, int64_t token, const struct fault *fault),
	void *userdata, struct fault *fault, struct lock_wait **ret_wait)
{
	struct command command = {
		.request = { .kind = LOCK_DURABLE },
		.engine = engine,
		.caller = caller,
		.stack_id = stack_id,
		.done = done,
		.userdata = userdata,
		.fault = fault,
		.ret_wait = ret_wait,
	};
	char text[LINE_MAX_SIZE];

	*ret_wait = NULL;
	while (size > 0 && isspace((unsigned char)line[size - 1]))
		size--;
	while (size > 0 && isspace((unsigned char)*line)) {
		line++;
		size--;
	}
	if (size == 0)
		return fault_set(fault, EINVAL, "write a reason: echo 'Deploying v2' > lock");
	if (size >= sizeof(text))
		return fault_set(fault, EINVAL, "a line of %zu bytes is too long for a lock", size);
	if (memchr(line, '\0', size) || memchr(line, '\n', size))
		return fault_set(fault, EINVAL, "a lock takes one line of text at a time");
	memcpy(text, line, size);
	text[size] = '\0';
	return line_run(&command, text);
}
