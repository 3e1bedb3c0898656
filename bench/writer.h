/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The least that a server of many clients can be: one process that owns a database, takes what all its
 * clients have sent since it looked last, stores that in one transaction, and answers them when that is on
 * disk. Requests and answers are bytes of a fixed size; nothing is parsed, nothing is judged.
 */
#include "bench/bench.h"

struct writer_client {
	int fd;
	int number;
	unsigned turn;
};

/* Starts it on a database of that name in the benchmark's folder, with a connection for each client. It ends
 * with this process. */
void writer_start(const struct bench *bench, const char *name, struct writer_client *clients, unsigned count);

/* Stores a value under one of the client's `WRITER_KEYS` keys. For crowd_measure(). */
enum { WRITER_KEYS = 100 };
void writer_set(void *client);
