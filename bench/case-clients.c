/* SPDX-License-Identifier: MIT */
/* 1, 8 and 50 processes, each locking and unlocking a stack of its own: pairs a second, and the worst wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/locker.h"
#include "bench/measure.h"
#include "bench/pair.h"
#include "bench/server.h"

enum { CLIENTS_MAX = 50 };
static const double SECONDS = 0.7; /* a measurement */

static const struct crowd {
	unsigned clients;
	double aim; /* times one client's rate */
} crowds[] = { { 1, 0 }, { 8, 0 }, { 50, 6 } };

enum { CROWDS = sizeof(crowds) / sizeof(crowds[0]) };

/* What a client tells; in memory that all share. */
struct tally {
	size_t pairs;
	double worst; /* seconds */
};

/* A child: waits for the start, then locks until the time is over. _exit(2), since nothing here is its own.
 */
static void be_client(struct locker *locker, int start_fd, struct tally *tally)
{
	double end, begin;
	char nothing;

	if (read(start_fd, &nothing, 1) < 0)
		_exit(1);
	for (end = now() + SECONDS; (begin = now()) < end; tally->pairs++) {
		double took;

		locker_write(locker);
		took = now() - begin;
		if (took > tally->worst)
			tally->worst = took;
	}
	_exit(0);
}

/* Pairs a second of them all. */
static double measure_crowd(
	struct locker *lockers, unsigned clients, struct tally *tallies, double *ret_worst)
{
	double total = 0, worst = 0, begin;
	int ends[2];

	memset(tallies, 0, clients * sizeof(*tallies));
	if (pipe(ends) < 0)
		die("pipe: %s", strerror(errno));
	for (unsigned i = 0; i < clients; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (pid == 0) {
			close(ends[1]);
			be_client(&lockers[i], ends[0], &tallies[i]);
		}
	}
	close(ends[0]);
	begin = now();
	close(ends[1]); /* the start */
	for (unsigned i = 0; i < clients; i++)
		if (wait(NULL) < 0)
			die("wait: %s", strerror(errno));
	begin = now() - begin;
	for (unsigned i = 0; i < clients; i++) {
		if (tallies[i].pairs == 0)
			die("a client could not lock");
		total += (double)tallies[i].pairs;
		worst = tallies[i].worst > worst ? tallies[i].worst : worst;
	}
	*ret_worst = worst;
	return total / begin;
}

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
	struct tally *tallies = mmap(NULL, CLIENTS_MAX * sizeof(*tallies), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct samples rates[CROWDS] = { 0 }, floors[CROWDS] = { 0 }, ratios[CROWDS] = { 0 },
		       worsts[CROWDS] = { 0 };
	struct pair *pair = pair_open(bench, "floor.db");
	const char *mount = server_sloth(bench);
	struct locker lockers[CLIENTS_MAX];

	if (tallies == MAP_FAILED)
		die("out of memory");
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		char *name = text_of("client-%u", i);

		locker_init(&lockers[i], mount, name);
		free(name);
	}
	for (unsigned round = 0; round < bench->rounds; round++) {
		double one = measure_pairs(pair); /* the floor of what comes next */

		for (unsigned i = 0; i < CROWDS; i++) {
			double worst, rate = measure_crowd(lockers, crowds[i].clients, tallies, &worst);

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
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		locker_done(&lockers[i]);
	munmap(tallies, CLIENTS_MAX * sizeof(*tallies));
}
