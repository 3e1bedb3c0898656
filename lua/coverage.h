/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What of a folder is looked after: a walk with the rights of this process, which opens no file and follows
 * no link. Bounded: names that are looked at, names that are told.
 */
#include <jansson.h>

enum {
	COVERAGE_NAMES_MAX = 100000, /* that are looked at, of all roots together */
	COVERAGE_TOLD_MAX = 2000,    /* things that nobody looks after */
	COVERAGE_DEPTH_MAX = 100,
	COVERAGE_SECONDS = 8, /* then it tells what it has seen */
};

/* `order`: roots (paths), ignore (patterns), managed (path → whether all below it is looked after, too). The
 * answer: roots (list of { root, error }), files, managed, ignored, unmanaged (list of { path, type }), more,
 * truncated. NULL without memory. New reference. */
json_t *coverage_look(const json_t *order);
