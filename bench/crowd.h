/* SPDX-License-Identifier: MIT */
#pragma once
/* Many processes that do the same over and over: how often a second all together, and the longest that one waited. */
#include "bench/bench.h"

enum { CROWD_MAX = 50 };

/* `once` is called by the i-th process with clients[i], for `seconds`. Times a second. */
double crowd_measure(unsigned count, void (*once)(void *client), void *const *clients, double seconds,
	double *ret_worst);
