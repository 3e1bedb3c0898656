/* SPDX-License-Identifier: MIT */
/* The control files of locks: a line is a verb with words, words alone, or a reason as it stands. */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "engine/lock-table.h"
#include "engine/words.h"

enum {
	WORD_REASON = 1 << 0,
	WORD_OPERATION = 1 << 1,
	WORD_BY = 1 << 2,
	WORD_TTL = 1 << 3,
	WORD_WAIT = 1 << 4,
	WORD_PID = 1 << 5,
	WORD_TOKEN = 1 << 6,
	WORD_TAKE = 1 << 7, /* a bare word */
	WORDS_OF_A_LOCK = WORD_REASON | WORD_OPERATION | WORD_BY | WORD_TTL | WORD_PID,
};

struct command {
	struct lock_request request;
	int64_t wait_ms, pid, token;
	unsigned given; /* WORD_* */
	struct lock_target targets[LOCK_TARGETS_MAX];
	size_t target_count;
	bool takes_targets; /* they are words of the line */
	/* How lock_command() was called. */
	struct engine *engine;
	struct caller *caller;
	lock_done done;
	void *userdata;
	struct fault *fault;
	struct lock_wait **ret_wait;
};

enum word_kind { IS_TEXT, IS_DURATION, IS_NUMBER };

/* A word is a member of the request or of the command. */
static const struct word {
	const char *name;
	unsigned bit;
	enum word_kind kind;
	size_t offset; /* within struct command */
} words[] = {
	{ "reason", WORD_REASON, IS_TEXT, offsetof(struct command, request.reason) },
	{ "operation", WORD_OPERATION, IS_TEXT, offsetof(struct command, request.operation) },
	{ "by", WORD_BY, IS_TEXT, offsetof(struct command, request.by) },
	{ "ttl", WORD_TTL, IS_DURATION, offsetof(struct command, request.ttl_ms) },
	{ "wait", WORD_WAIT, IS_DURATION, offsetof(struct command, wait_ms) },
	{ "pid", WORD_PID, IS_NUMBER, offsetof(struct command, pid) },
	{ "token", WORD_TOKEN, IS_NUMBER, offsetof(struct command, token) },
};

enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

static int run_acquire(struct command *command)
{
	int64_t token;

	command->request.bound_pid = (pid_t)command->pid;
	if (command->wait_ms > 0)
		return lock_wait_all(command->engine, command->caller, command->targets,
			command->target_count, &command->request, command->wait_ms, command->done,
			command->userdata, command->fault, &token, command->ret_wait);
	return lock_acquire_all(command->engine, command->caller, command->targets, command->target_count,
		&command->request, command->fault, &token);
}

static int run_maintenance(struct command *command)
{
	command->request.kind = LOCK_MAINTENANCE;
	if (!*command->request.reason)
		return fault_set(command->fault, EINVAL,
			"say what is being done, others will read it: echo 'maint reason=\"disk swap\"' > "
			"lock");
	return run_acquire(command);
}

static int run_unlock(struct command *command)
{
	return lock_release(
		command->engine, command->caller, command->targets[0], command->token, command->fault);
}

static int run_release_all(struct command *command)
{
	return lock_release_all(
		command->engine, command->caller, command->targets, command->target_count, command->fault);
}

static int run_renew(struct command *command)
{
	return lock_renew(command->engine, command->caller, command->targets[0], command->request.ttl_ms,
		command->token, command->fault);
}

static int run_check(struct command *command)
{
	if (!(command->given & WORD_TOKEN))
		return fault_set(command->fault, EINVAL, "check needs a token: echo 'check token=7' > lock");
	return lock_check_token(
		command->engine, command->caller, command->targets[0], command->token, command->fault);
}

static int run_force(struct command *command)
{
	bool take = command->given & WORD_TAKE;

	if (!take && (command->given & ~(unsigned)WORD_REASON))
		return fault_set(command->fault, EINVAL,
			"force alone takes reason= only; with more words it is: force take reason=…");
	command->request.bound_pid = (pid_t)command->pid;
	return lock_force(command->engine, command->caller, command->targets[0], command->request.reason,
		take ? &command->request : NULL, command->fault);
}

struct verb {
	const char *name;
	unsigned words;
	int (*run)(struct command *command);
};

/* Of the file of one lock. The first row is what a line without a verb does. */
static const struct verb verbs[] = {
	{ "", WORDS_OF_A_LOCK | WORD_WAIT, run_acquire },
	{ "maint", WORDS_OF_A_LOCK | WORD_WAIT, run_maintenance },
	{ "unlock", WORD_TOKEN, run_unlock },
	{ "renew", WORD_TTL | WORD_TOKEN, run_renew },
	{ "check", WORD_TOKEN, run_check },
	{ "force", WORDS_OF_A_LOCK | WORD_TAKE, run_force },
	{ NULL },
};

/* Of the file for several. */
static const struct verb verbs_all[] = {
	{ "acquire", WORDS_OF_A_LOCK | WORD_WAIT, run_acquire },
	{ "maint", WORDS_OF_A_LOCK | WORD_WAIT, run_maintenance },
	{ "release", 0, run_release_all },
	{ NULL },
};

static const struct verb *verb_find(const struct verb *table, const char *text, size_t size)
{
	for (; table->name; table++)
		if (size > 0 && strlen(table->name) == size && !memcmp(table->name, text, size))
			return table;
	return NULL;
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

static int number_word(struct command *command, const struct word *word, const char *value)
{
	int64_t number;

	if (parse_int64(value, &number) < 0 || number <= 0 || (word->bit == WORD_PID && number > INT32_MAX))
		return fault_set(command->fault, EINVAL, "%s=%.100s: that is a whole number above 0",
			word->name, value);
	*(int64_t *)((char *)command + word->offset) = number;
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
		"%.100s= is unknown%s%s%s. The words are reason= operation= ttl= by= wait= pid= token=, "
		"their values in quotes where there are blanks",
		text, near ? "; did you mean " : "", near ? near : "", near ? "=?" : "");
}

static int assign(struct command *command, const struct verb *verb, char *text, char *value)
{
	static int (*const set[])(struct command *, const struct word *, const char *) = {
		[IS_TEXT] = text_word, [IS_DURATION] = duration_word, [IS_NUMBER] = number_word
	};

	*value++ = '\0';
	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (strcmp(words[i].name, text) != 0)
			continue;
		if (!(verb->words & words[i].bit))
			return fault_set(command->fault, EINVAL,
				"%s does not take %s=", *verb->name ? verb->name : "taking a lock", text);
		if (command->given & words[i].bit)
			return fault_set(command->fault, EINVAL, "%s= stands there twice", text);
		command->given |= words[i].bit;
		return set[words[i].kind](command, &words[i], value);
	}
	return unknown_word(command, text);
}

static int target_word(struct command *command, const char *path)
{
	struct lock_target target;
	int r;

	if (command->target_count == LOCK_TARGETS_MAX)
		return fault_set(command->fault, EINVAL, "at most %d are locked at once", LOCK_TARGETS_MAX);
	r = lock_target_find(command->engine, command->caller, path, command->fault, &target);
	if (r == 0)
		command->targets[command->target_count++] = target;
	return r;
}

static int word_take(struct command *command, const struct verb *verb, char *text)
{
	char *value = strchr(text, '=');

	if (value)
		return assign(command, verb, text, value);
	if ((verb->words & WORD_TAKE) && !strcmp(text, "take")) {
		command->given |= WORD_TAKE;
		return 0;
	}
	if (command->takes_targets)
		return target_word(command, text);
	return fault_set(command->fault, EINVAL,
		"%.100s: this word has no name=; put quotes around values with blanks", text);
}

static int words_parse(struct command *command, const struct verb *verb, const char *line)
{
	char word[WORDS_LINE_MAX];
	int r;

	while ((r = words_next(&line, word)) > 0) {
		r = word_take(command, verb, word);
		if (r < 0)
			return r;
	}
	return r < 0 ? fault_set(command->fault, EINVAL, "a quote is not closed: %.200s", line) : 0;
}

static int line_run(struct command *command, const char *line)
{
	size_t first = strcspn(line, " \t");
	const struct verb *verb = verb_find(verbs, line, first);
	int r;

	if (verb)
		r = words_parse(command, verb, line + first);
	else if (words_assign(line))
		r = words_parse(command, verb = &verbs[0], line);
	else
		r = text_word(command, (verb = &verbs[0], &words[0]), line);
	return r < 0 ? r : verb->run(command);
}

/* Without the blanks around it. */
static int line_copy(const char *line, size_t size, struct fault *fault, char ret_text[WORDS_LINE_MAX])
{
	while (size > 0 && isspace((unsigned char)line[size - 1]))
		size--;
	while (size > 0 && isspace((unsigned char)*line)) {
		line++;
		size--;
	}
	if (size >= WORDS_LINE_MAX)
		return fault_set(fault, EINVAL, "a line of %zu bytes is too long for a lock", size);
	if (memchr(line, '\0', size) || memchr(line, '\n', size))
		return fault_set(fault, EINVAL, "a lock takes one line of text at a time");
	memcpy(ret_text, line, size);
	ret_text[size] = '\0';
	return 0;
}

int lock_command(struct engine *engine, struct caller *caller, struct lock_target target, const char *line,
	size_t size, lock_done done, void *userdata, struct fault *fault, struct lock_wait **ret_wait)
{
	struct command command = {
		.request = { .kind = LOCK_DURABLE },
		.targets = { target },
		.target_count = 1,
		.engine = engine,
		.caller = caller,
		.done = done,
		.userdata = userdata,
		.fault = fault,
		.ret_wait = ret_wait,
	};
	char text[WORDS_LINE_MAX];
	int r = line_copy(line, size, fault, text);

	*ret_wait = NULL;
	if (r == 0 && !*text)
		return fault_set(fault, EINVAL, "write a reason: echo 'Deploying v2' > lock");
	return r < 0 ? r : line_run(&command, text);
}

int lock_command_all(struct engine *engine, struct caller *caller, const char *line, size_t size,
	lock_done done, void *userdata, struct fault *fault, struct lock_wait **ret_wait)
{
	struct command command = {
		.request = { .kind = LOCK_DURABLE },
		.takes_targets = true,
		.engine = engine,
		.caller = caller,
		.done = done,
		.userdata = userdata,
		.fault = fault,
		.ret_wait = ret_wait,
	};
	const struct verb *verb;
	char text[WORDS_LINE_MAX];
	size_t first;
	int r = line_copy(line, size, fault, text);

	*ret_wait = NULL;
	if (r < 0)
		return r;
	first = strcspn(text, " \t");
	verb = verb_find(verbs_all, text, first);
	r = verb ? words_parse(&command, verb, text + first) : 0;
	if (r < 0)
		return r;
	if (!verb || command.target_count == 0)
		return fault_set(fault, EINVAL,
			"write what is to be locked together: echo 'acquire stacks/prod locks/db "
			"reason=\"move\" wait=60s' > locks/ctl, and: release stacks/prod locks/db");
	return verb->run(&command);
}
