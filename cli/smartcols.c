/* SPDX-License-Identifier: MIT */
/* Loading libsmartcols. */
#include "cli/smartcols.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const char library[] = "libsmartcols.so.1";

static struct smartcols loaded;

static const struct {
	const char *name;
	void *place;
} functions[] = {
	{ "scols_new_table", &loaded.new_table },
	{ "scols_unref_table", &loaded.unref_table },
	{ "scols_table_new_column", &loaded.new_column },
	{ "scols_table_new_line", &loaded.new_line },
	{ "scols_table_set_termforce", &loaded.set_termforce },
	{ "scols_table_enable_colors", &loaded.enable_colors },
	{ "scols_table_get_column", &loaded.get_column },
	{ "scols_column_get_header", &loaded.get_header },
	{ "scols_column_get_name", &loaded.get_name },
	{ "scols_line_get_cell", &loaded.get_cell },
	{ "scols_line_set_data", &loaded.set_data },
	{ "scols_cell_set_color", &loaded.set_color },
	{ "scols_print_table", &loaded.print },
};

const struct smartcols *smartcols_load(void)
{
	static bool done;
	void *handle = done ? NULL : dlopen(library, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; handle && i < sizeof(functions) / sizeof(functions[0]); i++) {
		*(void **)functions[i].place = dlsym(handle, functions[i].name);
		if (!*(void **)functions[i].place)
			handle = NULL;
	}
	done |= handle != NULL;
	if (done)
		return &loaded;
	fprintf(stderr,
		"sloth: tables are printed by %s, which is not here: install the package libsmartcols1\n",
		library);
	exit(EXIT_FAILURE);
}
