/* SPDX-License-Identifier: MIT */
/* Prints the tables of the tree, a JSON object a row: what it is and what it allows at most. */
#include <jansson.h>
#include <stdio.h>

#include "fs/node.h"

static const char *const kinds[] = {
	[KIND_DIRECTORY] = "directory",
	[KIND_TEXT] = "text",
	[KIND_CONTROL] = "control",
	[KIND_DOCUMENT] = "document",
	[KIND_STREAM] = "stream",
	[KIND_WAIT] = "wait",
	[KIND_LINK] = "link",
};

static void print_row(unsigned table, unsigned row, const struct entry *entry)
{
	json_t *object = json_pack("{s:i, s:i, s:s, s:s, s:s, s:i, s:b, s:b}", "table", (int)table, "row",
		(int)row, "name", entry->name ? entry->name : "", "help", entry->help, "kind",
		kinds[entry->kind], "mode", (int)entry->mode, "fleeting", (int)entry->fleeting, "made",
		(int)(entry->put || entry->make));

	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

int main(void)
{
	for (unsigned table = 0; table < TABLE_COUNT; table++)
		for (unsigned row = 0; directories[table] && row < directories[table]->count; row++)
			print_row(table, row, &directories[table]->entries[row]);
	return 0;
}
