/* SPDX-License-Identifier: MIT */
/* 1, 8 and 50 processes, each locking and unlocking a stack of its own: pairs a second, and the worst wait.
 */
#include <stdlib.h>

#include "bench/crowd.h"
#include "bench/locker.h"
#include "bench/measure.h"
#include "bench/pair.h"
#include "bench/server.h"

static const double SECONDS = 0.7; /* a measurement */

static const struct crowd {
	unsigned clients;
	double aim; /* times one client's rate */
} crowds[] = { { 1, 0 }, { 8, 0 }, { 50, 6 } };

enum { CROWDS = sizeof(crowds) / sizeof(crowds[0]) };

static double measure_pairs(struct pair *pair)
{
	double begin = now(), end = begin + SECONDS, at;
	size_t count = 0;

	while ((at = now()) < end) {
		pair_lock_unlock(pair);
		count++;
	}
	return (double)count / (at - begin);
}

static void print_crowd(const struct bench *bench, const struct crowd *crowd, struct samples *ours,
	struct samples *floor, struct samples *ratios, struct samples *worst)
{
	char *name = text_of("clients-%u%s", crowd->clients, bench->suffix);
	char *more = text_of(",\"worst_ms\":%.3f,\"worst_ms_median\":%.3f", samples_at(worst, 1) * 1e3,
		samples_at(worst, 0.5) * 1e3);

	figures_print(&(struct figures){ .name = name,
		.against = crowd->clients == 1 ? "SQLite in-process, one thread" : "one client",
		.unit = "pairs/s",
		.ours = samples_at(ours, 0.5),
		.floor = samples_at(floor, 0.5),
		.ratio = samples_at(ratios, 0.5),
		.aim = crowd->aim,
		.samples = ours->count,
		.p50 = samples_at(ours, 0.5),
		.p99 = samples_at(ours, 0.01),
		.more = more });
	free(name);
	free(more);
}

void case_clients(const struct bench *bench)
{
	struct samples rates[CROWDS] = { 0 }, floors[CROWDS] = { 0 }, ratios[CROWDS] = { 0 },
		       worsts[CROWDS] = { 0 };
	struct pair *pair = pair_open(bench, "floor.db");
	const char *mount = server_sloth(bench);
	struct locker lockers[CROWD_MAX];
	void *clients[CROWD_MAX];

	for (unsigned i = 0; i < CROWD_MAX; i++) {
		char *name = text_of("client-%u", i);

		locker_init(&lockers[i], mount, name);
		clients[i] = &lockers[i];
		free(name);
	}
	for (unsigned round = 0; round < bench->rounds; round++) {
		double one = measure_pairs(pair); /* the floor of what comes next */

		for (unsigned i = 0; i < CROWDS; i++) {
			double worst, rate = crowd_measure(
					      crowds[i].clients, locker_write, clients, SECONDS, &worst);

			samples_add(&rates[i], rate);
			samples_add(&floors[i], one);
			samples_add(&ratios[i], rate / one);
			samples_add(&worsts[i], worst);
			if (crowds[i].clients == 1)
				one = rate;
		}
	}
	for (unsigned i = 0; i < CROWDS; i++) {
		print_crowd(bench, &crowds[i], &rates[i], &floors[i], &ratios[i], &worsts[i]);
		samples_done(&rates[i]);
		samples_done(&floors[i]);
		samples_done(&ratios[i]);
		samples_done(&worsts[i]);
	}
	for (unsigned i = 0; i < CROWD_MAX; i++)
		locker_done(&lockers[i]);
}
