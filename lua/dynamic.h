/* SPDX-License-Identifier: MIT */
#pragma once
/* Libraries that are loaded when they are first used: a runner starts without them. */
#include <stdbool.h>
#include <stddef.h>

struct symbol {
	const char *name;
	void *place; /* of the pointer to the function */
};

/* Fills the places. They stay as they were when something is missing. A library is never closed. */
bool dynamic_load(const char *file, const struct symbol *symbols, size_t count);
