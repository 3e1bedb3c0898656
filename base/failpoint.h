/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Places with a name, at which a test build can be killed, held or made to fail (tests/torture/torture-kill).
 * They exist with the option `torture` only; in a release they are nothing.
 *
 * SLOTH_FAILPOINT says what happens: NAME[:NTH][=ACTION], at the nth pass (1) by a process: kill (as by
 * SIGKILL, what is done when nothing is said), pause (as by SIGSTOP), or the name of an errno, which
 * FAILING() gives. Or it is a folder, by its absolute path: then each pass looks into its file "armed" for
 * such words, makes it "hit" before it acts (so it acts once) with its pid and name in it, and appends its
 * name to the file "passed" if there is one. The spawner and its children have it from the daemon.
 */
#ifdef SLOTH_TORTURE
#include <stdio.h>

struct failpoint {
	const char *name;
	unsigned order, passes; /* of what is armed now */
};

/* 0 or -errno. */
int failpoint_pass(struct failpoint *point);

/* By its name, for those who have it as a text: 0, -errno, or -ENOENT. */
int failpoint_pass_name(const char *name);

/* All that this program has, a line each. */
void failpoint_print(FILE *out);

/* "SLOTH_FAILPOINT=…", or NULL. */
char *failpoint_variable(void);

#define FAILING(text)                                                                                        \
	(__extension__({                                                                                     \
		static struct failpoint point_ = { .name = (text) };                                         \
		static struct failpoint *const row_ __attribute__((section("failpoints"), used)) = &point_;  \
		failpoint_pass(&point_);                                                                     \
	}))
#define FAILPOINT(text) ((void)FAILING(text))
#else
#define FAILING(text)	0
#define FAILPOINT(text) ((void)0)
#endif
