/* SPDX-License-Identifier: MIT */
/* What is shown of a run while it goes on. */
#include "cli/layout.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/print.h"
#include "cli/text-width.h"

enum {
	NAME_COLUMNS = 40, /* of a task's name, at most */
	WAITING_LINES = 3, /* tasks that wait, at most */
	REASONS = 4,	   /* tasks that one waits for, at most */
	TEXT_SIZE = 1024,
};

/* A line that ends where the screen does. */
struct line {
	FILE *out;
	int left; /* columns; the last one stays free, where some terminals wrap */
};

static struct line line_begin(FILE *out, const struct layout *layout)
{
	return (struct line){ out, layout->columns - 1 };
}

static void line_put(struct line *line, const char *text)
{
	char fitting[TEXT_SIZE];

	line->left -= text_fit(text, line->left, fitting, sizeof(fitting));
	fputs(fitting, line->out);
}

static void line_style(struct line *line, enum style style)
{
	fputs(print_style(stdout, style), line->out);
}

__attribute__((format(printf, 2, 3))) static void line_print(struct line *line, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	line_put(line, text);
}

/* A name in a column of so many. */
static void line_name(struct line *line, const char *name, int columns)
{
	char fitting[TEXT_SIZE];
	int used;

	if (columns > line->left)
		columns = line->left;
	used = text_fit(name, columns, fitting, sizeof(fitting));
	line->left -= columns;
	fprintf(line->out, "%s%*s", fitting, columns - used, "");
}

static void line_end(struct line *line)
{
	fputc('\n', line->out);
}

/* Tasks of one status, by when they began; NULL without memory. */
static int by_start(const void *a, const void *b)
{
	const struct model_task *x = *(const struct model_task *const *)a,
				*y = *(const struct model_task *const *)b;

	if (x->started_ms != y->started_ms)
		return x->started_ms < y->started_ms ? -1 : 1;
	return x < y ? -1 : 1;
}

static const struct model_task **tasks_with(
	const struct run_model *model, enum model_status status, size_t *ret_count)
{
	const struct model_task **list = calloc(model->with_status[status] + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; list && i < model->count && n < model->with_status[status]; i++)
		if (model->tasks[i].status == status)
			list[n++] = &model->tasks[i];
	if (list && status != MODEL_PENDING)
		qsort(list, n, sizeof(*list), by_start);
	*ret_count = n;
	return list;
}

/* A third of the screen is the least that is left for what is said of a task. */
static int name_columns(const struct layout *layout, const struct model_task *const *tasks, size_t count)
{
	int most = layout->columns * 2 / 3 - 4 < NAME_COLUMNS ? layout->columns * 2 / 3 - 4 : NAME_COLUMNS;
	int widest = 8;

	for (size_t i = 0; i < count; i++) {
		int columns = text_columns(tasks[i]->name, strlen(tasks[i]->name));

		widest = columns > widest ? columns : widest;
	}
	return widest < most ? widest : most;
}

static void put_running(const struct layout *layout, const struct model_task *task, int columns, FILE *out)
{
	static const char *const frames[] = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" };
	struct line line = line_begin(out, layout);
	char took[32];

	line_put(&line, "  ");
	line_style(&line, STYLE_CYAN);
	line_put(&line, frames[(unsigned)layout->frame % (sizeof(frames) / sizeof(frames[0]))]);
	line_style(&line, STYLE_END);
	line_put(&line, " ");
	line_name(&line, task->name, columns);
	line_print(&line, "  %s", duration_format(layout->now_ms - task->started_ms, took));
	if (task->try > 1)
		line_print(&line, "  (try %d)", task->try);
	line_end(&line);
}

static void put_retry(const struct layout *layout, const struct model_task *task, int columns, FILE *out)
{
	struct line line = line_begin(out, layout);
	int64_t seconds =
		task->until_ms > layout->now_ms ? (task->until_ms - layout->now_ms + 999) / 1000 : 0;

	line_put(&line, "  ");
	line_style(&line, STYLE_YELLOW);
	line_put(&line, "↻");
	line_style(&line, STYLE_END);
	line_put(&line, " ");
	line_name(&line, task->name, columns);
	if (task->until_ms)
		line_print(&line, "  retry in %lld s", (long long)seconds);
	else
		line_put(&line, "  waits for its next try");
	if (task->error)
		line_print(&line, ": %.*s", (int)strcspn(task->error, "\n"), task->error);
	line_end(&line);
}

/* "after a, b and 3 more"; "for a slot" of one that could run. */
static void put_reason(struct line *line, const struct run_model *model, const struct model_task *task)
{
	size_t waits = 0;

	for (size_t i = 0; i < task->depends_count; i++) {
		const struct model_task *other = &model->tasks[task->depends[i]];

		if (model_status_over(other->status))
			continue;
		if (waits < REASONS)
			line_print(line, "%s%s", waits ? ", " : "  after ", other->name);
		waits++;
	}
	if (waits > REASONS)
		line_print(line, " and %zu more", waits - REASONS);
	if (!waits)
		line_put(line, "  for a slot");
}

static void put_pending(const struct layout *layout, const struct run_model *model,
	const struct model_task *task, int columns, FILE *out)
{
	struct line line = line_begin(out, layout);

	line_style(&line, STYLE_DIM);
	line_put(&line, "  · ");
	line_name(&line, task->name, columns);
	put_reason(&line, model, task);
	line_style(&line, STYLE_END);
	line_end(&line);
}

static void put_more(const struct layout *layout, size_t count, const char *what, FILE *out)
{
	struct line line = line_begin(out, layout);

	line_style(&line, STYLE_DIM);
	line_print(&line, "    … and %zu more %s", count, what);
	line_style(&line, STYLE_END);
	line_end(&line);
}

/* "running · 3/30 tasks · 1 failed · 12.4s" */
static void put_foot(const struct layout *layout, const struct run_model *model, FILE *out)
{
	struct line line = line_begin(out, layout);
	size_t bad = 0;
	char took[32];

	for (int i = 0; i < MODEL_STATUS_COUNT; i++)
		bad += model_status_bad((enum model_status)i) ? model->with_status[i] : 0;
	line_put(&line, "  ");
	line_style(&line, STYLE_DIM);
	line_put(&line, *model->status ? model->status : "queued");
	if (layout->waiting && *layout->waiting && !model->started_ms)
		line_print(&line, ": %.300s", layout->waiting);
	if (model->count)
		line_print(&line, " · %zu/%zu tasks", model_over(model), model->count);
	line_style(&line, STYLE_END);
	if (bad) {
		line_style(&line, STYLE_RED);
		line_print(&line, " · %zu failed", bad);
		line_style(&line, STYLE_END);
	}
	line_style(&line, STYLE_DIM);
	if (model->started_ms)
		line_print(&line, " · %s", duration_format(layout->now_ms - model->started_ms, took));
	line_style(&line, STYLE_END);
	line_end(&line);
}

/* What is shown of one sort of tasks. */
struct section {
	const struct model_task **tasks; /* owned */
	size_t count, shown;
	const char *more; /* what those are called that have no line */
};

/* How many of them have a line, in so much room: one goes to the others. Returns the lines. */
static int section_share(struct section *section, int room)
{
	size_t lines = room > 0 ? (size_t)room : 0;

	section->shown = section->count <= lines ? section->count : lines ? lines - 1 : 0;
	return (int)(section->shown + (section->shown < section->count && lines));
}

enum { RUNNING, RETRYING, PENDING, SECTIONS };

static void put_sections(
	const struct layout *layout, const struct run_model *model, struct section *sections, FILE *out)
{
	int columns = 8, room = layout->rows - 2, rooms[SECTIONS];

	for (int i = 0; i < SECTIONS; i++) {
		rooms[i] = i == PENDING && room > WAITING_LINES ? WAITING_LINES : room;
		room -= section_share(&sections[i], rooms[i]);
	}
	for (int i = 0; i < SECTIONS; i++) {
		int wide = name_columns(layout, sections[i].tasks, sections[i].shown);

		columns = wide > columns ? wide : columns;
	}
	for (int i = 0; i < SECTIONS; i++) {
		const struct section *section = &sections[i];

		for (size_t k = 0; k < section->shown; k++) {
			if (i == RUNNING)
				put_running(layout, section->tasks[k], columns, out);
			else if (i == RETRYING)
				put_retry(layout, section->tasks[k], columns, out);
			else
				put_pending(layout, model, section->tasks[k], columns, out);
		}
		if (section->shown < section->count && rooms[i] > 0)
			put_more(layout, section->count - section->shown, section->more, out);
	}
}

int layout_make(const struct layout *layout, const struct run_model *model, struct buffer *ret_text)
{
	struct section sections[SECTIONS] = { { .more = "run" }, { .more = "wait for their next try" },
		{ .more = "wait" } };
	static const enum model_status of[SECTIONS] = { MODEL_RUNNING, MODEL_RETRY_WAIT, MODEL_PENDING };
	FILE *out = buffer_stream_open(ret_text);
	int r = out ? 0 : -ENOMEM;

	for (int i = 0; i < SECTIONS && r == 0; i++) {
		sections[i].tasks = tasks_with(model, of[i], &sections[i].count);
		r = sections[i].tasks ? 0 : -ENOMEM;
	}
	if (r == 0) {
		if (model->started_ms)
			put_sections(layout, model, sections, out);
		put_foot(layout, model, out);
	}
	for (int i = 0; i < SECTIONS; i++)
		free(sections[i].tasks);
	return out && buffer_stream_close(out, ret_text) < 0 ? -ENOMEM : r;
}
