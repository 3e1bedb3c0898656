/* SPDX-License-Identifier: MIT */
/* What a person sees of a run. */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/print.h"

enum { PREFIX = 12 }; /* "HH:MM:SS.mmm" before each line of a log */

void progress_init(struct progress *progress, bool quiet)
{
	const char *term = getenv("TERM");

	*progress = (struct progress){
		.live = !quiet && print_is_terminal(stdout) && term && strcmp(term, "dumb") != 0,
		.quiet = quiet,
	};
}

void progress_done(struct progress *progress)
{
	buffer_done(&progress->partial);
}

static void erase(struct progress *progress)
{
	if (progress->drawn)
		printf("\033[%dA\r\033[J", progress->drawn);
	progress->drawn = 0;
}

/* The sequences that only colour (SGR) may pass, all else that moves the cursor or more is shown, not done.
 */
static size_t harmless_sequence(const char *text, size_t size)
{
	size_t n = 2;

	if (size < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (n < size && (text[n] == ';' || (text[n] >= '0' && text[n] <= '9')))
		n++;
	return n < size && text[n] == 'm' ? n + 1 : 0;
}

static void write_for_terminal(const char *text, size_t size)
{
	bool coloured = false;

	for (size_t i = 0; i < size;) {
		size_t n = harmless_sequence(text + i, size - i);
		unsigned char c = (unsigned char)text[i];

		if (n) {
			coloured = true;
			if (*print_style(stdout, STYLE_END))
				fwrite(text + i, 1, n, stdout);
			i += n;
			continue;
		}
		if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
			printf("\\x%02x", c);
		else if (c != '\r')
			putchar(c);
		i++;
	}
	if (coloured)
		fputs(print_style(stdout, STYLE_END), stdout);
}

static bool has_time(const char *line, size_t size)
{
	return size > PREFIX && line[2] == ':' && line[5] == ':' && line[8] == '.' && line[PREFIX] == ' ';
}

/* The time dim, the task's name coloured, the rest as it came. */
static void write_line(const struct progress *progress, const char *line, size_t size)
{
	const char *end = NULL;

	if (!progress->live) {
		fwrite(line, 1, size, stdout);
		return;
	}
	if (has_time(line, size)) {
		printf("%s%.*s%s ", print_style(stdout, STYLE_DIM), PREFIX, line,
			print_style(stdout, STYLE_END));
		line += PREFIX + 1;
		size -= PREFIX + 1;
		if (size && *line == '[')
			end = memchr(line, ']', size);
	}
	if (end) {
		printf("%s%.*s%s", print_style(stdout, STYLE_CYAN), (int)(end + 1 - line), line,
			print_style(stdout, STYLE_END));
		size -= (size_t)(end + 1 - line);
		line = end + 1;
	}
	write_for_terminal(line, size);
}

void progress_log(struct progress *progress, const char *text, size_t size)
{
	const char *newline;

	if (progress->quiet || !size || buffer_append(&progress->partial, text, size) < 0)
		return;
	erase(progress);
	while (progress->partial.size &&
		(newline = memchr(progress->partial.data, '\n', progress->partial.size))) {
		size_t n = (size_t)(newline - progress->partial.data);

		write_line(progress, progress->partial.data, n);
		putchar('\n');
		buffer_consume(&progress->partial, n + 1);
	}
	fflush(stdout);
}

static void screen_size(int *ret_columns, int *ret_rows)
{
	struct winsize size = { 0 };

	*ret_columns = 80;
	*ret_rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
		*ret_columns = size.ws_col;
		*ret_rows = size.ws_row;
	}
}

static bool task_is(const json_t *task, const char *status)
{
	return !strcmp(print_text(task, "status"), status);
}

static bool task_over(const json_t *task)
{
	static const char *const open[] = { "pending", "ready", "running", "retry_wait" };

	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		if (task_is(task, open[i]))
			return false;
	return true;
}

/* "  ⠹ build              2.1s  (try 2)", cut to the screen: a line that wrapped could not be taken away
 * again. */
static void draw_task(struct progress *progress, const json_t *task, int columns)
{
	static const char *const frames[] = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" };
	int64_t started = print_ms(json_object_get(task, "started"));
	json_int_t tries = json_integer_value(json_object_get(task, "tries"));
	char took[32], tail[64], more[32] = "";
	int room;

	if (tries > 1)
		snprintf(more, sizeof(more), "  (try %lld)", (long long)tries);
	snprintf(tail, sizeof(tail), "%s%s",
		started > 0 ? duration_format(time_now_ms() - started, took) : "", more);
	room = columns - 4 - 2 - (int)strlen(tail) - 1;
	if (room < 8)
		return;
	if (room > 40)
		room = 40;
	printf("  %s%s%s %-*.*s  %s\033[K\n", print_style(stdout, STYLE_CYAN), frames[progress->frame % 10],
		print_style(stdout, STYLE_END), room, room, print_text(task, "name"), tail);
	progress->drawn++;
}

void progress_draw(struct progress *progress, const json_t *status)
{
	const json_t *tasks = json_object_get(status, "tasks");
	int64_t started = print_ms(json_object_get(status, "started"));
	int columns, rows, running = 0;
	size_t i, over = 0;
	char took[32];
	json_t *task;

	if (!progress->live || !status)
		return;
	screen_size(&columns, &rows);
	erase(progress);
	progress->frame++;
	json_array_foreach (tasks, i, task) {
		over += task_over(task);
		if (!task_is(task, "running"))
			continue;
		if (++running < rows - 2)
			draw_task(progress, task, columns);
	}
	if (columns > 40) {
		printf("  %s%s · %zu/%zu tasks%s%s%s\033[K\n", print_style(stdout, STYLE_DIM),
			print_text(status, "status"), over, json_array_size(tasks), started > 0 ? " · " : "",
			started > 0 ? duration_format(time_now_ms() - started, took) : "",
			print_style(stdout, STYLE_END));
		progress->drawn++;
	}
	fflush(stdout);
}

/* "5 success, 1 failed": each status once, in the order of its first task. */
static void write_counts(const json_t *tasks)
{
	json_t *counts = json_object(), *count, *task;
	const char *status, *separator = "";
	size_t i;

	json_array_foreach (tasks, i, task) {
		status = print_text(task, "status");
		count = json_object_get(counts, status);
		json_object_set_new(counts, status, json_integer(json_integer_value(count) + 1));
	}
	json_object_foreach (counts, status, count) {
		printf("%s%lld %s", separator, (long long)json_integer_value(count), status);
		separator = ", ";
	}
	json_decref(counts);
}

static void write_errors(const json_t *status)
{
	const json_t *tasks = json_object_get(status, "tasks");
	const char *whole = print_text(status, "error");
	json_t *task;
	size_t i;

	if (*whole) {
		fputs("  ", stdout);
		text_write_safe(stdout, whole);
		putchar('\n');
	}
	json_array_foreach (tasks, i, task) {
		const char *error = print_text(task, "error");

		if (!*error || task_is(task, "upstream_failed"))
			continue;
		printf("  %s: ", print_text(task, "name"));
		text_write_safe(stdout, error);
		putchar('\n');
	}
}

void progress_finish(struct progress *progress, const json_t *status)
{
	const json_t *tasks = json_object_get(status, "tasks");
	int64_t took_ms = json_integer_value(json_object_get(status, "duration_ms"));
	bool good = !strcmp(print_text(status, "status"), "success");
	char took[32];

	if (progress->partial.size)
		progress_log(progress, "\n", 1);
	if (progress->quiet)
		return;
	erase(progress);
	printf("%s%s%s Run %lld of %s", print_style(stdout, good ? STYLE_GREEN : STYLE_RED), good ? "✓" : "✗",
		print_style(stdout, STYLE_END), (long long)json_integer_value(json_object_get(status, "id")),
		print_text(status, "file"));
	if (*print_text(status, "stack"))
		printf(" on %s", print_text(status, "stack"));
	printf(": %s in %s", print_text(status, "status"), duration_format(took_ms, took));
	if (json_array_size(tasks)) {
		fputs(" (", stdout);
		write_counts(tasks);
		putchar(')');
	}
	putchar('\n');
	if (!good)
		write_errors(status);
}

void progress_say(struct progress *progress, const char *sentence)
{
	erase(progress);
	fflush(stdout);
	if (!progress->quiet && *sentence)
		fprintf(stderr, "%s\n", sentence);
}
