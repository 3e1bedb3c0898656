/* SPDX-License-Identifier: MIT */
/* What a person sees of a run that is followed. */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/layout.h"
#include "cli/print.h"
#include "cli/summary.h"
#include "cli/text-width.h"

static enum progress_form form_of(const struct command *command)
{
	const char *term = getenv("TERM");

	if (command->format != FORMAT_TEXT)
		return PROGRESS_JSON;
	if (command_flag(command, "quiet"))
		return PROGRESS_QUIET;
	return print_is_terminal(stdout) && term && *term && strcmp(term, "dumb") != 0 ? PROGRESS_LIVE
										       : PROGRESS_PLAIN;
}

void progress_init(struct progress *progress, const struct command *command)
{
	*progress = (struct progress){
		.form = form_of(command),
		.verbose = command_flag(command, "verbose"),
		.style = { .timestamps = command_flag(command, "timestamps"),
			.terminal = print_is_terminal(stdout),
			.separator = " | " },
	};
	if (progress->form == PROGRESS_LIVE)
		text_width_init();
}

static void tail_done(struct tail *tail)
{
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(tail->lines[i]);
	*tail = (struct tail){ 0 };
}

static void tails_free(struct progress *progress)
{
	for (size_t i = 0; i < progress->tail_count; i++)
		tail_done(&progress->tails[i]);
	free(progress->tails);
}

void progress_done(struct progress *progress)
{
	screen_done(&progress->screen);
	tails_free(progress);
}

bool progress_wants_log(const struct progress *progress)
{
	return progress->form == PROGRESS_PLAIN || progress->form == PROGRESS_LIVE ||
	       (progress->form == PROGRESS_JSON && progress->verbose);
}

/* Where lines go that stay: at once, or above the next drawing. */
struct sink {
	FILE *out;
	struct buffer text;
};

static FILE *sink_open(const struct progress *progress, struct sink *sink)
{
	*sink = (struct sink){ .out = stdout };
	if (progress->form == PROGRESS_LIVE)
		sink->out = buffer_stream_open(&sink->text);
	return sink->out;
}

static void sink_close(struct progress *progress, struct sink *sink)
{
	if (sink->out == stdout)
		return;
	buffer_stream_close(sink->out, &sink->text);
	buffer_append(screen_stay(&progress->screen), buffer_text(&sink->text), sink->text.size);
	buffer_done(&sink->text);
}

static void write_time(const struct progress *progress, int64_t time_ms, FILE *out)
{
	char text[32];

	if (progress->style.timestamps)
		fprintf(out, "%s ", time_format(time_ms, text));
}

void progress_announce(struct progress *progress, const struct run_model *model, int64_t run)
{
	struct sink sink;

	if (progress->announced || !model->count)
		return;
	progress->announced = true;
	if (progress->form == PROGRESS_LIVE) {
		progress->tails = calloc(model->count, sizeof(*progress->tails));
		progress->tail_count = progress->tails ? model->count : 0;
	}
	if ((progress->form != PROGRESS_LIVE && progress->form != PROGRESS_PLAIN) ||
		!sink_open(progress, &sink))
		return;
	write_time(progress, time_now_ms(), sink.out);
	fprintf(sink.out, "Run %lld: workflow ", (long long)run);
	text_write_safe(sink.out, print_text(model->plan, "workflow"));
	fprintf(sink.out, ", %zu task%s\n", model->count, model->count == 1 ? "" : "s");
	sink_close(progress, &sink);
}

/* Lines of a terminal: "✓ build  1.2s". */

struct sign {
	const char *sign;
	enum style style;
};

static struct sign sign_of(const struct model_task *task)
{
	switch (task->status) {
	case MODEL_SUCCESS:
		return (struct sign){ "✓", STYLE_GREEN };
	case MODEL_UNCHANGED:
		return (struct sign){ "=", STYLE_GREEN };
	case MODEL_RETRY_WAIT:
		return (struct sign){ "↻", STYLE_YELLOW };
	case MODEL_SKIPPED:
	case MODEL_CANCELLED:
	case MODEL_UPSTREAM_FAILED:
		return (struct sign){ "-", STYLE_YELLOW };
	default:
		return (struct sign){ "✗", STYLE_RED };
	}
}

/* Its first line: what a message shows below it stands in the log. */
static void write_error(const struct model_change *change, FILE *out)
{
	if (!*change->error)
		return;
	fputs(": ", out);
	text_write_safe_n(out, change->error, strcspn(change->error, "\n"));
}

static void write_retry(const struct model_change *change, FILE *out)
{
	const struct model_task *task = change->task;
	char took[32];

	fprintf(out, "try %d failed in %s", task->try,
		duration_format(change->duration_ms > 0 ? change->duration_ms : 0, took));
	write_error(change, out);
	if (task->until_ms)
		fprintf(out, "; next try in %s",
			duration_format(
				task->until_ms > change->time_ms ? task->until_ms - change->time_ms : 0,
				took));
}

static void write_end(const struct model_change *change, FILE *out)
{
	const struct model_task *task = change->task;
	char took[32];

	fputs(model_status_name(task->status), out);
	if (task->first_ms)
		fprintf(out, " in %s", duration_format(task->ended_ms - task->first_ms, took));
	if (task->try > 1)
		fprintf(out, " (try %d)", task->try);
	write_error(change, out);
}

static void write_tail(const struct tail *tail, FILE *out)
{
	for (size_t i = 0; i < TAIL_LINES; i++) {
		const char *line = tail->lines[(tail->next + i) % TAIL_LINES];

		if (!line)
			continue;
		fprintf(out, "  %s│%s ", print_style(stdout, STYLE_DIM), print_style(stdout, STYLE_END));
		log_text_print(out, line, strlen(line));
		fputc('\n', out);
	}
}

/* What never began is counted in the summary, and has no line. */
static bool live_line_wanted(const struct model_task *task)
{
	bool over = model_status_over(task->status);

	return task->status == MODEL_RETRY_WAIT ||
	       (over && (task->first_ms || task->status == MODEL_SKIPPED || model_status_bad(task->status)));
}

/* NULL: the run's own, or of one that came later. */
static struct tail *tail_of(
	const struct progress *progress, const struct run_model *model, const struct model_task *task)
{
	size_t at = task ? (size_t)(task - model->tasks) : progress->tail_count;

	return at < progress->tail_count ? &progress->tails[at] : NULL;
}

static void live_line(struct progress *progress, const struct model_change *change, const struct tail *tail)
{
	const struct model_task *task = change->task;
	struct sign sign = sign_of(task);
	struct sink sink;

	if (!sink_open(progress, &sink))
		return;
	write_time(progress, change->time_ms, sink.out);
	fprintf(sink.out, "%s%s%s ", print_style(stdout, sign.style), sign.sign,
		print_style(stdout, STYLE_END));
	text_write_safe(sink.out, task->name);
	fputs("  ", sink.out);
	if (task->status == MODEL_RETRY_WAIT)
		write_retry(change, sink.out);
	else
		write_end(change, sink.out);
	fputc('\n', sink.out);
	if (tail && model_status_bad(task->status) && !progress->verbose)
		write_tail(tail, sink.out);
	sink_close(progress, &sink);
}

static void live_change(
	struct progress *progress, const struct run_model *model, const struct model_change *change)
{
	struct tail *tail = tail_of(progress, model, change->task);

	if (!change->task)
		return;
	if (live_line_wanted(change->task))
		live_line(progress, change, tail);
	/* Another try begins anew, and what is over is not told again. */
	if (tail && (change->task->status == MODEL_RUNNING || model_status_over(change->task->status)))
		tail_done(tail);
}

/* Lines of a pipe: "build: success in 1.2s". */
static void plain_change(struct progress *progress, const struct model_change *change)
{
	const struct model_task *task = change->task;

	if (!task || task->status == MODEL_READY)
		return;
	write_time(progress, change->time_ms, stdout);
	text_write_safe(stdout, task->name);
	fputs(": ", stdout);
	if (task->status == MODEL_RETRY_WAIT)
		write_retry(change, stdout);
	else if (task->status == MODEL_RUNNING && task->try > 1)
		printf("running (try %d)", task->try);
	else if (task->status == MODEL_RUNNING)
		fputs("running", stdout);
	else
		write_end(change, stdout);
	putchar('\n');
}

static void print_typed(const char *type, const json_t *object, const char *status)
{
	json_t *line = json_pack("{ss}", "type", type);

	json_object_update_missing(line, (json_t *)(uintptr_t)object);
	if (status)
		json_object_set_new(line, "status", json_string(status));
	print_json_line(line);
	json_decref(line);
}

void progress_change(struct progress *progress, const struct run_model *model,
	const struct model_change *change, const json_t *line)
{
	if (progress->form == PROGRESS_JSON)
		print_typed(change->task ? "task" : "run", line, change->to);
	else if (progress->form == PROGRESS_LIVE)
		live_change(progress, model, change);
	else if (progress->form == PROGRESS_PLAIN)
		plain_change(progress, change);
}

static void tail_add(struct tail *tail, const struct log_line *line)
{
	char *copy = strndup(line->text, line->size);

	free(tail->lines[tail->next]);
	tail->lines[tail->next] = copy;
	tail->next = (tail->next + 1) % TAIL_LINES;
}

/* What the workflow says is for whoever looks on; what commands print is for when they fail. */
static void live_log(struct progress *progress, const struct run_model *model, const struct log_line *line)
{
	struct tail *tail = tail_of(progress, model, model_find(model, line->task));
	struct sink sink;

	if (progress->verbose || !strcmp(line->stream, "log")) {
		if (!sink_open(progress, &sink))
			return;
		log_line_print(sink.out, line, &progress->style);
		sink_close(progress, &sink);
	} else if (tail) {
		tail_add(tail, line);
	}
}

void progress_log(struct progress *progress, const struct run_model *model, const json_t *object)
{
	struct log_line line;

	if (progress->form == PROGRESS_JSON) {
		print_typed("log", object, NULL);
		return;
	}
	if (log_line_read(object, &line) < 0)
		return;
	if (progress->form == PROGRESS_LIVE)
		live_log(progress, model, &line);
	else
		log_line_print(stdout, &line, &progress->style);
	log_line_done(&line);
}

void progress_draw(struct progress *progress, const struct run_model *model, const char *waiting)
{
	CLEANUP(buffer_done) struct buffer lines = { 0 };
	struct layout layout = { .now_ms = time_now_ms(), .frame = progress->frame++, .waiting = waiting };

	if (progress->form != PROGRESS_LIVE) {
		fflush(stdout);
		return;
	}
	if (!screen_is_ours())
		return;
	screen_size(&layout.columns, &layout.rows);
	if (layout_make(&layout, model, &lines) == 0)
		screen_draw(&progress->screen, buffer_text(&lines), lines.size);
}

void progress_finish(struct progress *progress, const json_t *summary)
{
	if (progress->form == PROGRESS_LIVE)
		screen_draw(&progress->screen, "", 0);
	if (progress->form == PROGRESS_LIVE || progress->form == PROGRESS_PLAIN)
		summary_print(summary);
}

void progress_say(struct progress *progress, const char *sentence)
{
	if (progress->form == PROGRESS_LIVE)
		screen_draw(&progress->screen, "", 0);
	fflush(stdout);
	if ((progress->form == PROGRESS_LIVE || progress->form == PROGRESS_PLAIN) && *sentence)
		fprintf(stderr, "%s\n", sentence);
}
