/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How results look: colours on a terminal (not with NO_COLOR, see no-color.org), plain lines in a pipe, and
 * JSON or YAML where that was asked for.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"
#include "cli/command.h"

enum style {
	STYLE_END,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_RED,
	STYLE_GREEN,
	STYLE_YELLOW,
	STYLE_CYAN,
	STYLE_MAGENTA
};

bool print_is_terminal(FILE *out);
/* The escape sequence, "" where there are no colours. */
const char *print_style(FILE *out, enum style style);

/* "✓ sentence" on standard output. */
void print_done(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "⚠ sentence" on standard error. */
void print_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "sloth: sentence" on standard error; the errno's words where the fault has none. */
void print_fault(const struct fault *fault, int code);

/* The value in the command's format; it is stolen (NULL: no memory). 0 or -errno with the fault set. */
int print_value(struct command *command, json_t *value);
/* One line of JSON, at once. Borrowed. */
void print_json_line(json_t *value);

/* The colour of a status or an action, the same everywhere: "success", "failed", "create" …; STYLE_END for
 * other words. */
enum style print_word_style(const char *word);

/* What a page is about: between two lines on a terminal, "Stack: prod" in a pipe. */
void print_title(const char *what, const char *name);
/* "Lock Details:" (on a terminal "─── Lock Details ────") and "  Reason:       text" below it. Control
 * characters of `text` are escaped. */
void print_heading(const char *text);
void print_detail(const char *label, const char *text);

/* Milliseconds of a time in an answer: an integer, or RFC 3339 in UTC; 0: none. */
int64_t print_ms(const json_t *time);
/* "2026-11-21 14:03:05" in local time on a terminal, RFC 3339 in a pipe; "-" for none. The buffer must have
 * 32 bytes.
 */
const char *print_time(int64_t ms, char ret_text[32]);
/* The same without regard to the output: local time. */
const char *print_local_time(int64_t ms, char ret_text[32]);
/* "71ms", or "-" below 0. */
const char *print_duration(int64_t ms, char ret_text[32]);

/* "340 KB", "12 MB". */
const char *print_size(int64_t size, char ret_text[32]);

/* Member of an object as text: "" where it is missing or null; borrowed. */
const char *print_text(const json_t *object, const char *key);

/* Reads a file of JSON from the tree. *ret_value is a new reference. 0 or -errno with the fault set. */
int tree_json(struct command *command, const char *path, json_t **ret_value);
