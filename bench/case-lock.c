/* SPDX-License-Identifier: MIT */
/* A lock and its release through the mount, beside the same two transactions in SQLite. */
#include "bench/locker.h"
#include "bench/measure.h"
#include "bench/pair.h"
#include "bench/server.h"

enum { PAIRS = 100 };

void case_lock(const struct bench *bench)
{
	struct pair *pair = pair_open(bench, "floor.db");
	struct locker locker;

	locker_init(&locker, server_sloth(bench), "bench");
	compare(&(struct comparison){ .name = "lock-write",
		.against = "SQLite in-process",
		.unit = "us",
		.aim = 1.25,
		.rounds = bench->rounds,
		.samples = PAIRS,
		.ours = { locker_write, &locker },
		.floor = { pair_lock_unlock, pair } });
	compare(&(struct comparison){ .name = "lock-flock",
		.against = "SQLite in-process",
		.unit = "us",
		.aim = 1.25,
		.rounds = bench->rounds,
		.samples = PAIRS,
		.ours = { locker_flock, &locker },
		.floor = { pair_lock_unlock, pair } });
	locker_done(&locker);
}
