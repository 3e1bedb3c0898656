/* SPDX-License-Identifier: MIT */
#pragma once
/* libsmartcols, loaded when the first table is printed: most commands print none, and start without it. */
#include <libsmartcols.h>

/* Its functions, as its header declares them. */
struct smartcols {
	__typeof__(scols_new_table) *new_table;
	__typeof__(scols_unref_table) *unref_table;
	__typeof__(scols_table_new_column) *new_column;
	__typeof__(scols_table_new_line) *new_line;
	__typeof__(scols_table_set_termforce) *set_termforce;
	__typeof__(scols_table_enable_colors) *enable_colors;
	__typeof__(scols_table_get_column) *get_column;
	__typeof__(scols_column_get_header) *get_header;
	__typeof__(scols_column_get_name) *get_name;
	__typeof__(scols_line_get_cell) *get_cell;
	__typeof__(scols_line_set_data) *set_data;
	__typeof__(scols_cell_set_color) *set_color;
	__typeof__(scols_print_table) *print;
};

/* Where it is not there, this says so and ends the program: it comes with util-linux, which Debian always
 * has. */
const struct smartcols *smartcols_load(void);
