/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a person sees of a run: log lines, and on a terminal, below them, the tasks that run now, drawn anew a
 * few times a second.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct progress {
	bool live; /* a terminal: tasks are drawn */
	bool quiet;
	int drawn;	       /* lines below the log that are on the screen now */
	int frame;	       /* of the spinning sign */
	struct buffer partial; /* a log line whose end has not arrived */
};

void progress_init(struct progress *progress, bool quiet);
void progress_done(struct progress *progress);

/* More of the log. */
void progress_log(struct progress *progress, const char *text, size_t size);
/* The run's status.json, as it is known now; borrowed. */
void progress_draw(struct progress *progress, const json_t *status);
/* Takes the drawing away and prints the summary. */
void progress_finish(struct progress *progress, const json_t *status);
/* One sentence above the drawing, on standard error. */
void progress_say(struct progress *progress, const char *sentence);
