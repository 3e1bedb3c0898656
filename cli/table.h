/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Rows and columns on standard output, by libsmartcols: fitted to a terminal's width with a bold heading; in
 * a pipe the same columns, nothing cut off.
 */
#include <stdbool.h>
#include <stddef.h>

struct table;

struct column {
	const char *name; /* "LAST RUN"; NULL ends a list */
	bool right;	  /* numbers */
	bool shrinks;	  /* may be cut off where the terminal is too narrow: prose, never a name */
};

/* NULL without memory. */
struct table *table_new(const struct column *columns);
void table_free(struct table *table);

static inline void table_cleanup(struct table **table)
{
	table_free(*table);
}

/* As many texts as columns; they are copied. "" is shown as "-". 0 or -errno. */
int table_row(struct table *table, const char *const *texts);
int table_print(struct table *table);
