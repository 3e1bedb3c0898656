/* SPDX-License-Identifier: MIT */
#pragma once
/* A line of log.json: who said what, and how it is printed. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct log_line {
	const char *task;   /* "": the run itself */
	const char *stream; /* "out", "err", "log" */
	int try;
	int64_t time_ms;
	const char *text; /* its bytes, as they were */
	size_t size;
	char *decoded; /* owned: of a line that is no UTF-8 */
};

/* Borrows from the object, which must live as long. 0, -EINVAL or -ENOMEM. */
int log_line_read(const json_t *object, struct log_line *ret_line);
void log_line_done(struct log_line *line);

struct log_style {
	bool timestamps;       /* RFC 3339 before each line */
	bool bare;	       /* without the task's name */
	bool terminal;	       /* coloured, and what would move the cursor is shown, not done */
	const char *separator; /* between the task's name and the text */
};

/* With its newline. */
void log_line_print(FILE *out, const struct log_line *line, const struct log_style *style);
/* The text alone, as it may stand on a terminal. */
void log_text_print(FILE *out, const char *text, size_t size);
