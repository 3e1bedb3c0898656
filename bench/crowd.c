/* SPDX-License-Identifier: MIT */
/* Crowds of clients. */
#include "bench/crowd.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"

/* What a client tells; in memory that all share. */
struct tally {
	size_t count;
	double worst; /* seconds */
};

/* A child: waits for the start, then goes on until the time is over. _exit(2), since nothing here is its own.
 */
static void be_client(
	void (*once)(void *client), void *client, int start_fd, double seconds, struct tally *tally)
{
	double end, begin;
	char nothing;

	if (read(start_fd, &nothing, 1) < 0)
		_exit(1);
	for (end = now() + seconds; (begin = now()) < end; tally->count++) {
		double took;

		once(client);
		took = now() - begin;
		if (took > tally->worst)
			tally->worst = took;
	}
	_exit(0);
}

static double tallies_sum(const struct tally *tallies, unsigned count, double *ret_worst)
{
	double total = 0, worst = 0;

	for (unsigned i = 0; i < count; i++) {
		if (tallies[i].count == 0)
			die("a client could do nothing");
		total += (double)tallies[i].count;
		worst = tallies[i].worst > worst ? tallies[i].worst : worst;
	}
	*ret_worst = worst;
	return total;
}

double crowd_measure(
	unsigned count, void (*once)(void *client), void *const *clients, double seconds, double *ret_worst)
{
	struct tally *tallies = mmap(NULL, CROWD_MAX * sizeof(*tallies), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double total, begin;
	int ends[2];

	if (tallies == MAP_FAILED || count > CROWD_MAX)
		die("out of memory");
	if (pipe(ends) < 0)
		die("pipe: %s", strerror(errno));
	for (unsigned i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (pid == 0) {
			close(ends[1]);
			be_client(once, clients[i], ends[0], seconds, &tallies[i]);
		}
	}
	close(ends[0]);
	begin = now();
	close(ends[1]); /* the start */
	for (unsigned i = 0; i < count; i++)
		if (wait(NULL) < 0)
			die("wait: %s", strerror(errno));
	begin = now() - begin;
	total = tallies_sum(tallies, count, ret_worst);
	munmap(tallies, CROWD_MAX * sizeof(*tallies));
	return total / begin;
}
