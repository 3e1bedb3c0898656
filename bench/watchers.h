/* SPDX-License-Identifier: MIT */
#pragma once
/* The processes of our daemon that watch what stacks look after. */
#include "bench/bench.h"

/* Seconds of processor time that they had. */
double watchers_seconds(const struct bench *bench);

/* Waits until they have looked at all that they were told of. */
void watchers_settle(const struct bench *bench);
