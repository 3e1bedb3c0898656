/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a person sees of a run that is followed. On a terminal: a line for each task that ends, and below
 * them, drawn anew a few times a second, what runs and what waits. In a pipe: a line for each event, and what
 * tasks print.
 */
#include "cli/command.h"
#include "cli/log-line.h"
#include "cli/run-model.h"
#include "cli/screen.h"

enum progress_form {
	PROGRESS_QUIET, /* nothing but the exit status */
	PROGRESS_PLAIN,
	PROGRESS_LIVE,
	PROGRESS_JSON,
};

/* The last lines of a task's output, for when it fails. */
enum { TAIL_LINES = 10 };
struct tail {
	char *lines[TAIL_LINES]; /* a ring; owned */
	size_t next;
};

struct progress {
	enum progress_form form;
	bool verbose; /* show what tasks print, where it is not shown anyway */
	struct log_style style;
	struct screen screen;
	int frame; /* of the spinning sign */
	bool announced;
	struct tail *tails; /* by the task's place; NULL: not known yet */
	size_t tail_count;
};

/* As the command's options say: quiet, verbose, timestamps, and the format. */
void progress_init(struct progress *progress, const struct command *command);
void progress_done(struct progress *progress);

/* Whether it wants to know what tasks print at all. */
bool progress_wants_log(const struct progress *progress);
/* The run's plan is known. */
void progress_announce(struct progress *progress, const struct run_model *model, int64_t run);
/* A line of events.json, which is `line`, was applied to the model. */
void progress_change(struct progress *progress, const struct run_model *model,
	const struct model_change *change, const json_t *line);
/* A line of log.json. */
void progress_log(struct progress *progress, const struct run_model *model, const json_t *object);
/* What was told since the last call becomes visible. `waiting` as in struct layout. */
void progress_draw(struct progress *progress, const struct run_model *model, const char *waiting);
/* Takes the drawing away and prints the summary (summary.json). */
void progress_finish(struct progress *progress, const json_t *summary);
/* One sentence above the drawing, on standard error. */
void progress_say(struct progress *progress, const char *sentence);
