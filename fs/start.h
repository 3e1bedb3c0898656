/* SPDX-License-Identifier: MIT */
#pragma once
/* A client's way to a daemon: connects, and starts one where none answers. */
#include <stddef.h>

#include "base/fault.h"
#include "fs/place.h"

/* Connects to the daemon of `place`. When none answers and `may_start`, starts `slothd --auto`, which is on
 * its own from then on, and waits until it serves. Of several clients that do so at once, one starts it and
 * all are connected. The descriptor or -errno: -ENOTCONN when none answers, -EACCES, what the daemon says. */
int start_connect(const struct place *place, bool may_start, struct fault *fault);

/* The daemon's program: beside the caller's in a build's folders, else where it is installed. */
void start_program(char *ret_path, size_t size);
