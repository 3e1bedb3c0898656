/* SPDX-License-Identifier: MIT */
/* Rows and columns on standard output. */
#include "cli/table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/print.h"

struct table {
	struct libscols_table *table;
	size_t columns;
	bool coloured;
};

struct table *table_new(const struct column *columns)
{
	struct table *table = calloc(1, sizeof(*table));

	/* Widths of what is not ASCII. Here and not at the start: it reads files. */
	setlocale(LC_CTYPE, "");
	if (!table)
		return NULL;
	table->table = scols_new_table();
	if (!table->table) {
		table_free(table);
		return NULL;
	}
	for (; columns->name; columns++, table->columns++) {
		int flags = (columns->right ? SCOLS_FL_RIGHT : 0) | (columns->shrinks ? SCOLS_FL_TRUNC : 0);

		if (!scols_table_new_column(table->table, columns->name, 0, flags)) {
			table_free(table);
			return NULL;
		}
	}
	table->coloured = *print_style(stdout, STYLE_BOLD) != '\0';
	if (!print_is_terminal(stdout))
		scols_table_set_termforce(table->table, SCOLS_TERMFORCE_NEVER);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->table);
	free(table);
}

/* What says how something is, or what is done to it. */
static void colour(struct table *table, struct libscols_line *line, size_t i, const char *text)
{
	const char *name = scols_column_get_name(scols_table_get_column(table->table, i));
	enum style style = print_word_style(text);

	if (style != STYLE_END && name && (!strcmp(name, "STATUS") || !strcmp(name, "ACTION")))
		scols_cell_set_color(scols_line_get_cell(line, i), print_style(stdout, style));
}

int table_row(struct table *table, const char *const *texts)
{
	struct libscols_line *line = scols_table_new_line(table->table, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < table->columns; i++) {
		if (scols_line_set_data(line, i, texts[i] && *texts[i] ? texts[i] : "-"))
			return -ENOMEM;
		if (table->coloured && texts[i])
			colour(table, line, i, texts[i]);
	}
	return 0;
}

int table_print(struct table *table)
{
	if (table->coloured) {
		scols_table_enable_colors(table->table, 1);
		for (size_t i = 0; i < table->columns; i++) {
			struct libscols_column *column = scols_table_get_column(table->table, i);
			struct libscols_cell *heading = scols_column_get_header(column);

			scols_cell_set_color(heading, "\033[1m");
		}
	}
	return scols_print_table(table->table) ? -EIO : 0;
}
