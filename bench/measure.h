/* SPDX-License-Identifier: MIT */
#pragma once
/* Times of an operation beside those of its floor, taken by turns because machines are noisy. */
#include <stdio.h>

#include "bench/bench.h"

/* An operation: `once` does it `batch` times where one alone is too short for the clock. */
struct side {
	void (*once)(void *data);
	void *data;
	/* Undoes it, without being measured; NULL: nothing to undo. */
	void (*reset)(void *data);
};

struct comparison {
	const char *name, *against;
	const char *unit; /* "us" or "ms" */
	double aim;	  /* of the ratio; 0: none was named */
	unsigned rounds;
	unsigned samples; /* a round and side */
	unsigned batch;	  /* operations a sample; 0 is 1 */
	struct side ours, floor;
};

/* Measures and prints the line. */
void compare(const struct comparison *comparison);

/* A floor of the machine, with nothing beside it. */
void measure_floor(const struct comparison *comparison);

/* Seconds, by CLOCK_MONOTONIC. */
double now(void);

struct samples {
	double *values;
	size_t count;
};

void samples_add(struct samples *samples, double value);
/* `share` 0.5: the median. Sorts. */
double samples_at(struct samples *samples, double share);
void samples_done(struct samples *samples);

/* The line of one case; `more` ("" or ",\"worst_ms\":3") stands at its end. Figures below 0 are left out. */
struct figures {
	const char *name, *against, *unit, *more;
	double ours, floor, ratio, aim, p50, p99;
	size_t samples;
};
void figures_print(const struct figures *figures);
