/* SPDX-License-Identifier: MIT */
#pragma once
/* What is written in Lua (lua/lib/), as part of the program: made by meson. */
#include <stddef.h>

struct library {
	const char *name; /* NULL ends the table */
	const char *chunk;
	const char *text;
	size_t size;
};

extern const struct library libraries[];
