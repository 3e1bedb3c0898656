/* SPDX-License-Identifier: MIT */
#pragma once
/* How many columns of a terminal text takes. Characters are UTF-8; the locale says how wide they are. */
#include <stddef.h>

/* Once, before the others: a locale whose characters are UTF-8, where there is one. */
void text_width_init(void);

/* Columns of a line. Sequences that only colour take none; control characters count as they are shown by
 * text_fit(): as four. */
int text_columns(const char *text, size_t size);

/* As much of the text as has room in so many columns, with "…" where something was cut off; control
 * characters as \xNN. The buffer has `size` bytes, which cut it off, too. Returns the columns. */
int text_fit(const char *text, int columns, char *ret_text, size_t size);
