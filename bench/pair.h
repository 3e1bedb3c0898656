/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The floor under everything durable: the daemon's own statements (engine/store/statements.h), on a database
 * that the daemon's own code has made, run in this process. No words are parsed, no events hashed, no
 * permissions judged.
 */
#include "bench/bench.h"

struct pair;

/* `name`: the database's, in the benchmark's folder. Lives until the end. */
struct pair *pair_open(const struct bench *bench, const char *name);

/* A lock and its release: two transactions. For struct side, as the others. */
void pair_lock_unlock(void *pair);
/* A transaction that changes a row, as a task's new status does. */
void pair_commit(struct pair *pair);
/* A transaction that stores values. */
void pair_begin(struct pair *pair);
void pair_set_key(struct pair *pair, const char *key, const char *value);
void pair_end(struct pair *pair);
/* One with `count` values, by turns under `keys` keys of each of 50 clients. */
void pair_set_keys(struct pair *pair, unsigned count, unsigned keys);
