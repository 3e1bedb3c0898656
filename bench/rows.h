/* SPDX-License-Identifier: MIT */
#pragma once
/* Rows as the daemon has them, in a database of our own: floors read them with SQLite alone. */
#include "bench/bench.h"
#include "engine/store/store.h"

/* In the file of this name: add() stores what is number 0, 1, … (-errno ends the benchmark). Never closed. */
struct store *rows_store(
	const struct bench *bench, const char *file, int count, int (*add)(struct store *store, int number));

/* A stack of the system's. */
int rows_add_stack(struct store *store, const char *name, int64_t *ret_id);
