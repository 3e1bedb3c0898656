/* SPDX-License-Identifier: MIT */
/* Clock, samples, medians, the line of JSON. */
#include "bench/measure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void samples_add(struct samples *samples, double value)
{
	if ((samples->count & (samples->count - 1)) == 0) {
		size_t room = samples->count ? 2 * samples->count : 1;

		samples->values = need(realloc(samples->values, room * sizeof(*samples->values)));
	}
	samples->values[samples->count++] = value;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double samples_at(struct samples *samples, double share)
{
	if (samples->count == 0)
		return 0;
	qsort(samples->values, samples->count, sizeof(*samples->values), by_value);
	return samples->values[(size_t)(share * (double)(samples->count - 1) + 0.5)];
}

void samples_done(struct samples *samples)
{
	free(samples->values);
	*samples = (struct samples){ 0 };
}

static void print_number(const char *key, double value)
{
	if (value >= 0)
		printf(",\"%s\":%.*f", key, value < 100 ? 3 : 0, value);
}

void figures_print(const struct figures *figures)
{
	double load = 0;

	getloadavg(&load, 1);
	printf("{\"case\":\"%s\"", figures->name);
	print_number("ours", figures->ours);
	print_number("floor", figures->floor);
	print_number("ratio", figures->ratio);
	if (figures->aim > 0)
		print_number("aim", figures->aim);
	printf(",\"unit\":\"%s\",\"against\":\"%s\",\"samples\":%zu", figures->unit, figures->against,
		figures->samples);
	print_number("p50", figures->p50);
	print_number("p99", figures->p99);
	printf(",\"load\":%.2f%s}\n", load, figures->more ? figures->more : "");
	fflush(stdout);
}

/* One round of one side: all its samples go to `all`, their median is returned. */
static double measure_round(const struct comparison *c, const struct side *side, struct samples *all)
{
	double scale = (!strcmp(c->unit, "ms") ? 1e3 : 1e6) / (c->batch ? c->batch : 1);
	struct samples round = { 0 };
	double median;

	for (unsigned i = 0; i < c->samples; i++) {
		double start = now(), value;

		side->once(side->data);
		value = (now() - start) * scale;
		samples_add(&round, value);
		samples_add(all, value);
		if (side->reset)
			side->reset(side->data);
	}
	median = samples_at(&round, 0.5);
	samples_done(&round);
	return median;
}

static void warm_up(const struct side *side)
{
	for (int i = 0; i < 3; i++) {
		side->once(side->data);
		if (side->reset)
			side->reset(side->data);
	}
}

void compare(const struct comparison *c)
{
	struct samples all = { 0 }, floor_all = { 0 }, ours = { 0 }, floor = { 0 }, ratios = { 0 };

	warm_up(&c->ours);
	warm_up(&c->floor);
	for (unsigned i = 0; i < c->rounds; i++) {
		double mine = measure_round(c, &c->ours, &all),
		       other = measure_round(c, &c->floor, &floor_all);

		samples_add(&ours, mine);
		samples_add(&floor, other);
		samples_add(&ratios, mine / other);
	}
	figures_print(&(struct figures){
		.name = c->name,
		.against = c->against,
		.unit = c->unit,
		.ours = samples_at(&ours, 0.5),
		.floor = samples_at(&floor, 0.5),
		.ratio = samples_at(&ratios, 0.5),
		.aim = c->aim,
		.samples = all.count,
		.p50 = samples_at(&all, 0.5),
		.p99 = samples_at(&all, 0.99),
	});
	samples_done(&all);
	samples_done(&floor_all);
	samples_done(&ours);
	samples_done(&floor);
	samples_done(&ratios);
}

void measure_floor(const struct comparison *c)
{
	struct samples all = { 0 }, medians = { 0 };

	warm_up(&c->floor);
	for (unsigned i = 0; i < c->rounds; i++)
		samples_add(&medians, measure_round(c, &c->floor, &all));
	figures_print(&(struct figures){
		.name = c->name,
		.against = "the machine",
		.unit = c->unit,
		.ours = -1,
		.floor = samples_at(&medians, 0.5),
		.ratio = -1,
		.samples = all.count,
		.p50 = samples_at(&all, 0.5),
		.p99 = samples_at(&all, 0.99),
	});
	samples_done(&all);
	samples_done(&medians);
}
