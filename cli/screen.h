/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The bottom of a terminal, drawn anew a few times a second below what stays. All in one write, so that
 * nothing flickers, and right after the terminal was resized: what was drawn is taken away by how many rows
 * it has now.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct screen {
	struct buffer widths; /* of the lines that are drawn, ints */
	struct buffer text;   /* what will stay, until the next drawing */
};

void screen_done(struct screen *screen);
/* Of standard output; 80×24 where that can't be known. */
void screen_size(int *ret_columns, int *ret_rows);
/* Whether we may draw: in the background we may not. */
bool screen_is_ours(void);
/* Lines that stay above the drawing, with the next one. */
struct buffer *screen_stay(struct screen *screen);
/* Draws these lines instead of the ones before; "": nothing but what stays. */
void screen_draw(struct screen *screen, const char *lines, size_t size);
/* What is drawn was scrolled away by others: it is left where it is. */
void screen_forget(struct screen *screen);
