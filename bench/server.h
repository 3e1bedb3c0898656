/* SPDX-License-Identifier: MIT */
#pragma once
/* The processes that serve a mount, and short ones whose start is measured. */
#include <sys/types.h>

#include "bench/bench.h"

/* A daemon of our own: its home and its mount are folders of the benchmark's. The path of the mount, which
 * lives until the end. */
const char *server_sloth(const struct bench *bench);
/* One with a home that is there, mounted at a new folder `name`. Commands speak with the last one that was
 * started, as long as nobody changes SLOTH_HOME. */
const char *server_sloth_at(const struct bench *bench, const char *home, const char *name);

/* hello-fs in a `kind` ("plain", "tuned", "uncached") with one file, `path` ("/stacks/bench/outputs") with
 * `content`. The path of the mount. */
const char *server_hello(const struct bench *bench, const char *kind, const char *path, const char *content);

void server_stop_all(void);

/* Starts a program (looked for in PATH) with its output thrown away. die() when it can't. */
pid_t process_start(const char *const argv[]);
/* With its output, and what it complains of, at the end of a file. */
pid_t process_start_to(const char *const argv[], const char *output);
/* Waits for it (0: for any) and dies when it failed. */
void process_wait(pid_t pid);
