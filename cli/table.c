/* SPDX-License-Identifier: MIT */
/* Rows and columns on standard output. */
#include "cli/table.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/print.h"
#include "cli/smartcols.h"

struct table {
	const struct smartcols *scols;
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
	table->scols = smartcols_load();
	table->table = table->scols->new_table();
	if (!table->table) {
		table_free(table);
		return NULL;
	}
	for (; columns->name; columns++, table->columns++) {
		int flags = (columns->right ? SCOLS_FL_RIGHT : 0) | (columns->shrinks ? SCOLS_FL_TRUNC : 0);

		if (!table->scols->new_column(table->table, columns->name, 0, flags)) {
			table_free(table);
			return NULL;
		}
	}
	table->coloured = *print_style(stdout, STYLE_BOLD) != '\0';
	if (!print_is_terminal(stdout))
		table->scols->set_termforce(table->table, SCOLS_TERMFORCE_NEVER);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	if (table->table)
		table->scols->unref_table(table->table);
	free(table);
}

/* What says how something is, or what is done to it. */
static void colour(struct table *table, struct libscols_line *line, size_t i, const char *text)
{
	const char *name = table->scols->get_name(table->scols->get_column(table->table, i));
	enum style style = print_word_style(text);

	if (style != STYLE_END && name && (!strcmp(name, "STATUS") || !strcmp(name, "ACTION")))
		table->scols->set_color(table->scols->get_cell(line, i), print_style(stdout, style));
}

/* The library escapes what is no character, and lets pass what turns the direction of text. */
static int set_cell(struct table *table, struct libscols_line *line, size_t i, const char *text)
{
	CLEANUP(cleanup_free) char *harmless = NULL;

	if (!text || !*text)
		return table->scols->set_data(line, i, "-");
	harmless = text_harmless(text);
	return harmless ? table->scols->set_data(line, i, harmless) : -ENOMEM;
}

int table_row(struct table *table, const char *const *texts)
{
	struct libscols_line *line = table->scols->new_line(table->table, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < table->columns; i++) {
		if (set_cell(table, line, i, texts[i]))
			return -ENOMEM;
		if (table->coloured && texts[i])
			colour(table, line, i, texts[i]);
	}
	return 0;
}

int table_print(struct table *table)
{
	if (table->coloured) {
		table->scols->enable_colors(table->table, 1);
		for (size_t i = 0; i < table->columns; i++) {
			struct libscols_column *column = table->scols->get_column(table->table, i);
			struct libscols_cell *heading = table->scols->get_header(column);

			table->scols->set_color(heading, "\033[1m");
		}
	}
	return table->scols->print(table->table) ? -EIO : 0;
}

int table_list(const struct column *columns, const json_t *list, table_row_of *row)
{
	CLEANUP(table_cleanup) struct table *table = table_new(columns);
	const json_t *object;
	size_t i;
	int r = table ? 0 : -ENOMEM;

	json_array_foreach (list, i, object)
		r = r < 0 ? r : row(table, object);
	return r < 0 || !json_array_size(list) ? r : table_print(table);
}

int table_list_counted(const struct column *columns, const json_t *list, table_row_of *row,
	const char *heading, const char *of, const char *noun)
{
	size_t count = json_array_size(list);
	int r;

	if (!print_is_terminal(stdout))
		return table_list(columns, list, row);
	printf("%s%s\n\n", heading, of);
	r = table_list(columns, list, row);
	if (r == 0)
		printf("%sTotal: %zu %s%s\n", count ? "\n" : "", count, noun, count == 1 ? "" : "s");
	return r;
}
