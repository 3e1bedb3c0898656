/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Hours of the week, by the daemon's local time: "22:00-06:00", "Mon-Fri 08:00-18:00", "Sat,Sun" (whole
 * days). Hours that end before they begin end on the next day.
 */
#include <stdint.h>

/* 0 or -EINVAL. */
int hours_check(const char *text);

/* Lines of such texts: when the hours are over that the moment is in, which may go on into others; 0: it is
 * in none; INT64_MAX: they are never over. */
int64_t hours_until(const char *lines, int64_t ms);
