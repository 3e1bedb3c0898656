/* SPDX-License-Identifier: MIT */
#pragma once
/* Lines of control files: words like in a shell, some of them name=value. */
#include <stdbool.h>
#include <stddef.h>

enum { WORDS_LINE_MAX = 4096 };

/* Whether a word of the line looks like name=value; else the line is a text, and an apostrophe in it no
 * quote.
 */
bool words_assign(const char *line);

/* The next word, with the quotes of a shell taken off. 1: a word; 0: the end; -EINVAL: a quote stays open.
 * The line is shorter than WORDS_LINE_MAX. */
int words_next(const char **line, char ret_word[WORDS_LINE_MAX]);

/* The value, if the word is NAME=value; else NULL. */
const char *words_value(const char *word, const char *name);
