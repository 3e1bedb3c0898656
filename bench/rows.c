/* SPDX-License-Identifier: MIT */
#include "bench/rows.h"

#include <stdlib.h>
#include <string.h>

struct store *rows_store(
	const struct bench *bench, const char *file, int count, int (*add)(struct store *store, int number))
{
	char *path = text_of("%s/%s", bench->directory, file);
	struct store_change change = { 0 };
	struct fault fault = { 0 };
	struct store *store;
	int r = 0;

	if (store_open(path, &fault, &store) < 0 || store_change_begin(store, &change) < 0)
		die("%s: %s", path, fault.text);
	for (int i = 0; i < count && r >= 0; i++)
		r = add(store, i);
	if (r < 0 || store_change_end(&change) < 0 || store_turn_end(store) < 0)
		die("%s: rows could not be stored: %s", path, strerror(-r));
	free(path);
	return store;
}

int rows_add_stack(struct store *store, const char *name, int64_t *ret_id)
{
	return store_insert(store, ret_id, SQL_STACK_ADD, "siiii", name, INT64_C(0), INT64_C(0),
		INT64_C(0755), INT64_C(1));
}
