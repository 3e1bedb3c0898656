/* SPDX-License-Identifier: MIT */
#pragma once
/* What there is, as text that can be compared line by line. */
#include "tests/torture/faulty.h"

/* All rows of the database, and the names of the home's files. `loosely`: without what is another in each go
 * (times, hashes, what is sealed). free() it. */
char *look_at_home(struct play *play, bool loosely);
/* What each file of the tree shows to root. free() it. */
char *look_at_tree(struct play *play);

/* NULL: they are the same. Else the first lines that differ; static storage. */
const char *look_differs(const char *before, const char *after);
