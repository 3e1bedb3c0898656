/* SPDX-License-Identifier: MIT */
/* The bottom of a terminal. */
#include "cli/screen.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/text-width.h"

void screen_done(struct screen *screen)
{
	buffer_done(&screen->widths);
	buffer_done(&screen->text);
}

void screen_size(int *ret_columns, int *ret_rows)
{
	struct winsize size = { 0 };

	*ret_columns = 80;
	*ret_rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
		*ret_columns = size.ws_col;
		*ret_rows = size.ws_row;
	}
}

bool screen_is_ours(void)
{
	pid_t foreground = tcgetpgrp(STDOUT_FILENO);

	return foreground < 0 || foreground == getpgrp();
}

struct buffer *screen_stay(struct screen *screen)
{
	return &screen->text;
}

void screen_forget(struct screen *screen)
{
	screen->widths.size = 0;
}

/* The rows that the drawn lines take: a terminal that was made narrower has wrapped them. */
static int rows_drawn(const struct screen *screen, int columns)
{
	const int *widths = (const int *)(const void *)screen->widths.data;
	int rows = 0;

	for (size_t i = 0; i < screen->widths.size / sizeof(*widths); i++)
		rows += widths[i] > columns ? (widths[i] + columns - 1) / columns : 1;
	return rows;
}

/* Each line, with the rest of its row cleared. */
static void put_lines(struct buffer *out, const char *text, size_t size, struct buffer *widths)
{
	while (size) {
		const char *newline = memchr(text, '\n', size);
		size_t n = newline ? (size_t)(newline - text) : size;
		int columns = widths ? text_columns(text, n) : 0;

		buffer_append(out, text, n);
		buffer_append_text(out, "\033[K\n");
		if (widths)
			buffer_append(widths, &columns, sizeof(columns));
		n += newline != NULL;
		text += n;
		size -= n;
	}
}

void screen_draw(struct screen *screen, const char *lines, size_t size)
{
	CLEANUP(buffer_done) struct buffer out = { 0 };
	char up[32];
	int columns, rows, drawn;

	screen_size(&columns, &rows);
	drawn = rows_drawn(screen, columns);
	/* What has left the screen at the top can't be reached. */
	drawn = drawn < rows ? drawn : rows - 1;
	if (drawn > 0) {
		snprintf(up, sizeof(up), "\033[%dA\r", drawn);
		buffer_append_text(&out, up);
	}
	put_lines(&out, buffer_text(&screen->text), screen->text.size, NULL);
	screen->text.size = screen->widths.size = 0;
	/* A line that is wider than we think is cut off, and not wrapped. */
	if (size)
		buffer_append_text(&out, "\033[?7l");
	put_lines(&out, lines, size, &screen->widths);
	if (size)
		buffer_append_text(&out, "\033[?7h");
	if (drawn > 0)
		buffer_append_text(&out, "\033[J");
	fwrite(buffer_text(&out), 1, out.size, stdout);
	fflush(stdout);
}
