/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Verbs and their options are tables; a command is one call of a verb, with what was given to it.
 *
 * A group of commands is one file with one table of verbs; a new command is one row there and one function.
 * Help, the completion of the shell and the check of what was given come from the rows.
 *
 * Nothing is opened before the verb's function asks for it: command_client() connects.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"
#include "fs/client.h"

struct command;

struct option {
	const char *name;  /* long form, without dashes; NULL ends a table */
	char letter;	   /* short form, 0: none */
	const char *value; /* what its value is called in help, NULL: takes none */
	const char *help;
};

struct verb {
	const char *name; /* NULL ends a table */
	const char *alias;
	const char *operands; /* "NAME [KEY]", "PATH..."; also says how many there may be. NULL: none */
	const char *help;     /* one line */
	const char *more;     /* a paragraph for `sloth help VERB`, NULL: none */
	const struct option *options;
	const struct verb *verbs; /* a group: the verbs below it; `run` is what it does without one (with
				   * operands, where the first of them is no such verb), NULL: nothing */
	/* The exit status, or -errno with the sentence in command->fault. */
	int (*run)(struct command *command);
};

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_YAML };

struct given {
	const struct option *option;
	const char *value; /* NULL for options without one */
};

struct command {
	const struct verb *verb;
	const struct verb *root; /* the table that it was found in */
	char title[128];	 /* "stack lock acquire" */
	/* As many as there are arguments at most; the words are main()'s. */
	char **operands;
	int operand_count;
	struct given *given;
	int given_count;
	enum format format;
	bool help; /* asked for */
	struct fault fault;
	struct client client; /* see command_client() */
	struct place place;
};

extern const struct option common_options[];

/* Finds the verb and checks options and operands. 0 or -EINVAL with a sentence in the fault. A group without
 * a verb below it is taken for a question for help, but only with --help. Owned: command_done(). */
int command_parse(struct command *command, const struct verb *verbs, int argc, char **argv);
void command_done(struct command *command);

/* The row of a word: by name or alias. NULL: none. */
const struct verb *verb_find(const struct verb *verbs, const char *word);
/* How many operands a verb takes, after its row; *ret_max -1: any number. */
void verb_operands(const struct verb *verb, int *ret_min, int *ret_max);

/* The value of an option that the verb's table has; the last one counts. NULL: not given. */
const char *command_option(const struct command *command, const char *name);
bool command_flag(const struct command *command, const char *name);
/* The values of an option that may be repeated: the one at or after *position, which moves on; NULL: no more.
 */
const char *command_next(const struct command *command, const char *name, int *position);
/* Durations and numbers among the values: -EINVAL with a sentence; `ret_` untouched when not given. */
int command_duration(struct command *command, const char *name, int64_t *ret_ms);
int command_number(struct command *command, const char *name, int64_t min, int64_t *ret_number);

/* The connection, made at the first call; starts a daemon where none answers. NULL with the fault set. */
struct client *command_client(struct command *command);

/* Help, from the tables. */
void help_show(FILE *out, const struct verb *verbs, const struct command *command);
/* Every verb and option in lines for programs: "stack list<TAB>--status<TAB>--format…". */
void help_lines(FILE *out, const struct verb *verbs);
