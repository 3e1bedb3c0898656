/* SPDX-License-Identifier: MIT */
#pragma once
/* A row of what a process reports about resources, read and checked. */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A row of a report, from which all but `seen` is borrowed. */
struct drift_report {
	int64_t id, read_ms;
	const char *type, *name, *state, *error;
	const json_t *actual, *findings;
	const json_t *by; /* the process that changed it; NULL: not known */
	char *seen;	  /* actual as it is stored */
	bool settled;
	bool wrong; /* what the provider said is no report; `error` says why */
};

/* What a row says of one property. */
struct drift_detail {
	const char *property, *kind, *severity, *cause;
	char *expected, *actual, *impact, *fix;
};

/* -EINVAL: it says of nothing. What is wrong otherwise makes the resource unknown: a provider of one type
 * does not keep others from being looked at. drift_report_done() in any case. */
int drift_report_parse(const json_t *row, struct drift_report *report);
void drift_report_done(struct drift_report *report);

/* Of a finding of a row that drift_report_parse() has taken. 0 or -ENOMEM; drift_detail_done() in any case.
 */
int drift_detail_parse(const json_t *row, struct drift_detail *detail);
void drift_detail_done(struct drift_detail *detail);

/* What is kept of such a process: JSON, malloc'ed; "" for none. NULL without memory. */
char *drift_report_changer(const json_t *by);

/* A text of at most FINDING_TEXT_MAX bytes, cut where a character ends; "" for what is none. malloc'ed. */
char *drift_report_text(const json_t *value);
/* Which of two severities is worse: the greater one. */
size_t drift_severity(const char *severity);
