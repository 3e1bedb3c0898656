/* SPDX-License-Identifier: MIT */
/* Clients of the socket that each store values under keys of their own, in one namespace; beside them, as
 * many clients of the least that can serve them: one SQLite writer with group commit (writer.h). How much of
 * that is SQLite alone is told, too. */
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
#include "bench/writer.h"
#include "fs/place.h"

enum { KEYS = WRITER_KEYS, GROUP = 50 };
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

static double measure_alone(struct pair *pair)
{
	double begin = now(), end = begin + SECONDS, at;
	size_t count = 0;

	while ((at = now()) < end) {
		pair_set_keys(pair, GROUP, KEYS);
		count += GROUP;
	}
	return (double)count / (at - begin);
}

/* One comparison, of rates. */
struct row {
	const char *name, *against;
	double aim;
	struct samples ours, floor, ratios, worst;
};

static void row_add(struct row *row, double ours, double floor, double worst)
{
	samples_add(&row->ours, ours);
	samples_add(&row->floor, floor);
	samples_add(&row->ratios, ours / floor);
	samples_add(&row->worst, worst);
}

static void row_print(const struct bench *bench, struct row *row)
{
	char *name = text_of("%s%s", row->name, bench->suffix);
	char *more = text_of(",\"worst_ms\":%.3f,\"worst_ms_median\":%.3f", samples_at(&row->worst, 1) * 1e3,
		samples_at(&row->worst, 0.5) * 1e3);

	figures_print(&(struct figures){ .name = name,
		.against = row->against,
		.unit = "sets/s",
		.ours = samples_at(&row->ours, 0.5),
		.floor = samples_at(&row->floor, 0.5),
		.ratio = samples_at(&row->ratios, 0.5),
		.aim = row->aim,
		.samples = row->ours.count,
		.p50 = samples_at(&row->ours, 0.5),
		.p99 = samples_at(&row->ours, 0.01),
		.more = more });
	free(name);
	free(more);
	samples_done(&row->ours);
	samples_done(&row->floor);
	samples_done(&row->ratios);
	samples_done(&row->worst);
}

void case_kv(const struct bench *bench)
{
	static const char against[] = "one SQLite writer with group commit, as many clients";
	static const unsigned crowds[] = { 1, 8, 50 };
	struct row rows[] = { { "kv-set-1", against, 0 }, { "kv-set-8", against, 0 },
		{ "kv-set-50", against, 0.7 },
		{ "kv-set-50-alone", "SQLite in-process, 50 a transaction", 0 } };
	struct pair *pair = pair_open(bench, "alone.db");
	struct writer_client peers[CROWD_MAX];
	struct setter setters[CROWD_MAX];
	void *clients[CROWD_MAX], *theirs[CROWD_MAX];

	writer_start(bench, "writer.db", peers, CROWD_MAX);
	server_sloth(bench);
	for (int i = 0; i < CROWD_MAX; i++) {
		setter_open(&setters[i], i);
		clients[i] = &setters[i];
		theirs[i] = &peers[i];
	}
	for (unsigned round = 0; round < bench->rounds; round++)
		for (unsigned i = 0; i < 3; i++) {
			double worst, unused,
				peer = crowd_measure(crowds[i], writer_set, theirs, SECONDS, &unused);
			double rate = crowd_measure(crowds[i], set_once, clients, SECONDS, &worst);

			row_add(&rows[i], rate, peer, worst);
			if (crowds[i] == CROWD_MAX)
				row_add(&rows[3], rate, measure_alone(pair), worst);
		}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		row_print(bench, &rows[i]);
	for (int i = 0; i < CROWD_MAX; i++) {
		close(setters[i].fd);
		close(peers[i].fd);
		buffer_done(&setters[i].in);
	}
}
