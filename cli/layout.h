/* SPDX-License-Identifier: MIT */
#pragma once
/* What is shown of a run while it goes on: lines that fit a screen. Pure. */
#include "base/buffer.h"
#include "cli/run-model.h"

struct layout {
	int columns, rows; /* of the screen; one row is left for the cursor */
	int64_t now_ms;
	int frame;	     /* of the spinning sign */
	const char *waiting; /* what the run waits for before it begins; NULL or "": not known */
};

/* Appends the lines, each with a newline, none wider than the screen. 0 or -ENOMEM. */
int layout_make(const struct layout *layout, const struct run_model *model, struct buffer *ret_text);
