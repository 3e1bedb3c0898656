/* SPDX-License-Identifier: MIT */
#pragma once
/* Pieces of a log as the lines of log.json; what reads them is log_json_read() (run.h). */
#include "engine/run.h"

struct log_piece {
	int64_t run_id;
	const char *task; /* "": the run itself */
	int try;
	const char *stream;
	int64_t time_ms;
	const char *text;
	size_t size;
};

/* How many bytes of log.json it makes. */
size_t log_json_piece_size(const struct log_piece *piece);
