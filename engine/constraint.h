/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Constraints on versions: ">=2.1 <3", "~>2.1", "^1.4". Terms with blanks or commas between them, all of
 * which must hold. Pure: texts only.
 *
 * A version is numbers with dots (a "v" before them is ignored, missing ones are 0), then perhaps "-" and the
 * identifiers of a prerelease, then perhaps "+" and what does not count; ordered as semver.org (2.0.0) says.
 */
#include "base/fault.h"

enum { CONSTRAINT_MAX = 255, CONSTRAINT_SIZE = CONSTRAINT_MAX + 1 };

/* Brings it to one form: single blanks between the terms, none in them; "" and "*" are "". -EINVAL with a
 * sentence, -EFBIG above CONSTRAINT_MAX bytes. */
int constraint_parse(const char *text, struct fault *fault, char ret_text[CONSTRAINT_SIZE]);

/* Whether a version satisfies a constraint that was parsed: 1 or 0. One that is no version as above satisfies
 * only what compares texts: "=blue" and "!=blue", which have their signs. -EINVAL: the constraint is none. */
int constraint_holds(const char *constraint, const char *version);
