/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Rows and columns on standard output, by libsmartcols: fitted to a terminal's width with a bold heading; in
 * a pipe the same columns, nothing cut off.
 */
#include <jansson.h>
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

/* What makes a row of an object. 0 or -errno. */
typedef int table_row_of(struct table *table, const json_t *object);

/* A row for each object of the list; nothing at all for an empty list. */
int table_list(const struct column *columns, const json_t *list, table_row_of *row);
/* The same, on a terminal between a heading ("Snapshots for stack: " and what `of` is) and "Total: 3
 * snapshots". */
int table_list_counted(const struct column *columns, const json_t *list, table_row_of *row,
	const char *heading, const char *of, const char *noun);
