/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The clock by which things end that have a ttl: milliseconds since 1970, as the wall clock said when this
 * boot's first daemon started, and from then on by CLOCK_BOOTTIME. Sleep counts, a reboot counts, and whoever
 * sets the time makes nothing end early or late.
 */
#include <stdint.h>

#include "engine/engine.h"

/* Reads, or stores, where the clock began. When the engine starts. 0 or -errno. */
int clock_init(struct engine *engine);

int64_t clock_now_ms(const struct engine *engine);

/* A time of this clock in the wall clock's terms, to be shown. */
int64_t clock_to_wall(const struct engine *engine, int64_t ms);
