/* SPDX-License-Identifier: MIT */
/* Hours of the week. */
#include "engine/hours.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { DAY_MINUTES = 24 * 60, ALL_DAYS = (1 << 7) - 1, TEXT_MAX = 128 };

static const int64_t week_ms = INT64_C(7) * 86400000;

struct hours {
	unsigned days; /* on which they begin: 1 << tm_wday */
	int from, to;  /* minutes of the day */
};

static const char *const day_names[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

static int day_parse(const char **text)
{
	for (int i = 0; i < 7; i++)
		if (!strncasecmp(*text, day_names[i], 3)) {
			*text += 3;
			return i;
		}
	return -EINVAL;
}

/* "Mon-Fri,Sun" */
static int days_parse(const char **text, unsigned *ret_days)
{
	unsigned days = 0;

	for (;; ++*text) {
		int first = day_parse(text), last = first;

		if (first >= 0 && **text == '-') {
			++*text;
			last = day_parse(text);
		}
		if (last < 0)
			return -EINVAL;
		for (int day = first;; day = (day + 1) % 7) {
			days |= 1U << day;
			if (day == last)
				break;
		}
		if (**text != ',')
			break;
	}
	*ret_days = days;
	return 0;
}

/* "08:00" */
static int minute_parse(const char **text, int *ret_minute)
{
	static const char form[] = "dd:dd";
	int digits[5] = { 0 };

	for (size_t i = 0; form[i]; i++) {
		char c = (*text)[i];

		if (form[i] == 'd' ? !isdigit((unsigned char)c) : c != form[i])
			return -EINVAL;
		digits[i] = c - '0';
	}
	*ret_minute = (digits[0] * 10 + digits[1]) * 60 + digits[3] * 10 + digits[4];
	*text += sizeof(form) - 1;
	return digits[3] > 5 || *ret_minute > DAY_MINUTES ? -EINVAL : 0;
}

static int span_parse(const char **text, struct hours *hours)
{
	int r = minute_parse(text, &hours->from);

	if (r == 0)
		r = *(*text)++ == '-' ? minute_parse(text, &hours->to) : -EINVAL;
	return r == 0 && (hours->from == hours->to || hours->from == DAY_MINUTES) ? -EINVAL : r;
}

static int hours_parse(const char *text, struct hours *ret_hours)
{
	struct hours hours = { .days = ALL_DAYS, .to = DAY_MINUTES };
	bool named = isalpha((unsigned char)*text);
	int r = named ? days_parse(&text, &hours.days) : 0;

	if (r == 0 && named && !*text) {
		*ret_hours = hours;
		return 0;
	}
	text += strspn(text, " ");
	if (r == 0)
		r = span_parse(&text, &hours);
	if (r < 0 || *text)
		return -EINVAL;
	*ret_hours = hours;
	return 0;
}

int hours_check(const char *text)
{
	return strlen(text) >= TEXT_MAX ? -EINVAL : hours_parse(text, &(struct hours){ 0 });
}

/* A minute of the day that is `days` after the moment's. A clock that is put forward or back is mktime(3)'s
 * business. */
static int64_t moment(const struct tm *now, int days, int minute)
{
	struct tm tm = { .tm_year = now->tm_year,
		.tm_mon = now->tm_mon,
		.tm_mday = now->tm_mday + days,
		.tm_hour = minute / 60,
		.tm_min = minute % 60,
		.tm_isdst = -1 };

	return (int64_t)mktime(&tm) * 1000;
}

/* The end of those that began today or yesterday, and that the moment is in; else the moment. */
static int64_t end_of(const struct hours *hours, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm now;

	localtime_r(&seconds, &now);
	for (int day = -1; day <= 0; day++) {
		int64_t begin = moment(&now, day, hours->from);
		int64_t end = moment(&now, day + (hours->to <= hours->from), hours->to);

		if ((hours->days & 1U << (now.tm_wday + 7 + day) % 7) && begin <= ms && ms < end)
			return end;
	}
	return ms;
}

static int64_t farthest_end(const char *lines, int64_t ms)
{
	int64_t farthest = ms;

	for (size_t n; *lines; lines += n + (lines[n] == '\n')) {
		struct hours hours;
		char text[TEXT_MAX];
		int64_t end;

		n = strcspn(lines, "\n");
		snprintf(text, sizeof(text), "%.*s", (int)n, lines);
		if (hours_parse(text, &hours) < 0)
			continue;
		end = end_of(&hours, ms);
		if (end > farthest)
			farthest = end;
	}
	return farthest;
}

int64_t hours_until(const char *lines, int64_t ms)
{
	int64_t end = ms, next;

	while ((next = farthest_end(lines, end)) > end) {
		end = next;
		if (end - ms > week_ms)
			return INT64_MAX;
	}
	return end == ms ? 0 : end;
}
