/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A fault is an errno with the sentence that a person will read: what is wrong, where (file:line),
 * who holds it, what to do. It is said once, by the code that decides; everybody else passes it on.
 */
#include <stdarg.h>

enum { FAULT_TEXT_MAX = 2048 };

struct fault {
	int code; /* positive errno; 0: no fault */
	char text[FAULT_TEXT_MAX];
};

/* Sets the fault (NULL is allowed and ignored) and returns -code, so that `return fault_set(…)` reads well.
 * Control characters other than newline are replaced by '?': texts end up on terminals. */
int fault_set(struct fault *fault, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Like fault_set(), but keeps a sentence that is already there. */
int fault_default(struct fault *fault, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "EBUSY" for 16, "E0" style numbers for the unknown; static storage. The reverse gives 0 for unknown names.
 */
const char *fault_errno_name(int code);
int fault_errno_value(const char *name);

/* The exit status of the command line for an errno, after the table in sloth(1). */
int fault_exit_status(int code);
