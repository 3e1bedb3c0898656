/* SPDX-License-Identifier: MIT */
#pragma once
/* A home with years of work in it: many stacks, runs, events. */
#include <stdint.h>

struct fill {
	unsigned stacks, runs, events;
};

/* Makes the database in `home`, which must be an empty folder. Stacks are called s00000 …, each with an
 * output; runs are of one task, finished, of those stacks by turns; events are told of the stacks beyond
 * those of all that, until there are so many. */
void fill_home(const char *home, const struct fill *fill);
