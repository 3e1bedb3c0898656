/* SPDX-License-Identifier: MIT */
/* Clients of the socket that each store values under keys of their own, in one namespace; beside them, one process
 * that stores the same rows by SQLite alone, 50 a transaction. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/frame.h"
#include "bench/crowd.h"
#include "bench/measure.h"
#include "bench/pair.h"
#include "bench/server.h"
#include "fs/place.h"

enum { KEYS = 100, GROUP = 50 };
static const double SECONDS = 0.7; /* a measurement */

struct setter {
	int fd, number;
	unsigned turn;
	struct buffer in;
};

static void ask(struct setter *setter, const char *line, size_t size)
{
	static const char head[] = "{\"op\":\"write\",\"path\":\"/state.ctl\",\"id\":1}";
	struct frame frame;

	if (frame_send(setter->fd, head, sizeof(head) - 1, line, size) < 0 ||
		frame_receive(setter->fd, &setter->in, &frame) < 0)
		die("the daemon does not answer");
	if (!strstr(frame.head, "\"ok\":true"))
		die("%s", frame.head);
}

/* `sloth state set`, less the start of a program. */
static void set_once(void *client)
{
	struct setter *setter = client;
	char line[96];
	unsigned turn = setter->turn++;
	int n = snprintf(line, sizeof(line), "set bench/client-%d-key-%u value-%u\n", setter->number,
		turn % KEYS, turn);

	ask(setter, line, (size_t)n);
}

static void setter_open(struct setter *setter, int number)
{
	struct fault fault = { 0 };
	struct place place;

	if (place_find(&place, false, &fault) < 0)
		die("%s", fault.text);
	*setter = (struct setter){ .fd = place_connect(&place), .number = number };
	if (setter->fd < 0)
		die("%s: %s", place.socket, strerror(-setter->fd));
	set_once(setter);
}

static double measure_peer(struct pair *pair)
{
	double begin = now(), end = begin + SECONDS, at;
	size_t count = 0;

	while ((at = now()) < end) {
		pair_set_keys(pair, GROUP, KEYS);
		count += GROUP;
	}
	return (double)count / (at - begin);
}

static void print_crowd(const struct bench *bench, unsigned clients, double aim, struct samples *ours,
	struct samples *floor, struct samples *ratios, struct samples *worst)
{
	char *name = text_of("kv-set-%u%s", clients, bench->suffix);
	char *more = text_of(",\"worst_ms\":%.3f,\"worst_ms_median\":%.3f", samples_at(worst, 1) * 1e3,
		samples_at(worst, 0.5) * 1e3);

	figures_print(&(struct figures){ .name = name,
		.against = "SQLite in-process, 50 a transaction",
		.unit = "sets/s",
		.ours = samples_at(ours, 0.5),
		.floor = samples_at(floor, 0.5),
		.ratio = samples_at(ratios, 0.5),
		.aim = aim,
		.samples = ours->count,
		.p50 = samples_at(ours, 0.5),
		.p99 = samples_at(ours, 0.01),
		.more = more });
	free(name);
	free(more);
}

void case_kv(const struct bench *bench)
{
	static const struct {
		unsigned clients;
		double aim;
	} crowds[] = { { 1, 0 }, { 8, 0 }, { 50, 0.7 } };
	struct samples rates[3] = { 0 }, floors[3] = { 0 }, ratios[3] = { 0 }, worsts[3] = { 0 };
	struct pair *pair = pair_open(bench, "floor.db");
	struct setter setters[CROWD_MAX];
	void *clients[CROWD_MAX];

	server_sloth(bench);
	for (int i = 0; i < CROWD_MAX; i++) {
		setter_open(&setters[i], i);
		clients[i] = &setters[i];
	}
	for (unsigned round = 0; round < bench->rounds; round++)
		for (unsigned i = 0; i < 3; i++) {
			double worst, peer = measure_peer(pair);
			double rate = crowd_measure(crowds[i].clients, set_once, clients, SECONDS, &worst);

			samples_add(&rates[i], rate);
			samples_add(&floors[i], peer);
			samples_add(&ratios[i], rate / peer);
			samples_add(&worsts[i], worst);
		}
	for (unsigned i = 0; i < 3; i++) {
		print_crowd(bench, crowds[i].clients, crowds[i].aim, &rates[i], &floors[i], &ratios[i],
			&worsts[i]);
		samples_done(&rates[i]);
		samples_done(&floors[i]);
		samples_done(&ratios[i]);
		samples_done(&worsts[i]);
	}
	for (int i = 0; i < CROWD_MAX; i++) {
		close(setters[i].fd);
		buffer_done(&setters[i].in);
	}
}
