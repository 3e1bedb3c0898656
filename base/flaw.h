/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Flaws that are made on purpose: what looks for faults must find these, or it is worth nothing
 * (tests/torture).
 *
 * SLOTH_FLAW=NAME in the environment switches one on, in builds with the option `torture`, as build-dev.ini
 * has it. In all others flaw() is false, and what stands behind it is not compiled.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifdef SLOTH_TORTURE
static inline bool flaw(const char *name)
{
	const char *wanted = getenv("SLOTH_FLAW");

	return wanted && !strcmp(wanted, name);
}

/* Once in `often` times, where it is switched on: what happens always is no race. */
static inline bool flaw_rarely(const char *name, unsigned often)
{
	static unsigned count;

	return flaw(name) && ++count % often == 0;
}
#else
static inline bool flaw(const char *name)
{
	return false;
}

static inline bool flaw_rarely(const char *name, unsigned often)
{
	return false;
}
#endif
