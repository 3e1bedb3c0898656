/* SPDX-License-Identifier: MIT */
/* Messages to the administrator: one write(2) a line, so that two processes never mix theirs. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

static enum log_level log_level_max = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	log_level_max = level;
}

/* Names that users give, and what their processes say, begin no line of their own. */
static void stay_on_line(char *text, const char *end)
{
	while (text < end) {
		bool harmless;
		size_t n = text_character(text, (size_t)(end - text), &harmless);

		if (!harmless)
			memset(text, *text == '\n' ? ' ' : '?', n);
		text += n;
	}
}

void log_message(enum log_level level, const char *format, ...)
{
	char line[4096];
	size_t n = 0;
	va_list ap;

	if (level > log_level_max)
		return;
	if (getenv("JOURNAL_STREAM")) {
		n = (size_t)snprintf(line, sizeof(line), "<%d>", level);
	} else {
		struct timespec now;
		struct tm tm;

		clock_gettime(CLOCK_REALTIME, &now);
		gmtime_r(&now.tv_sec, &tm);
		n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	}
	va_start(ap, format);
	int r = vsnprintf(line + n, sizeof(line) - n - 1, format, ap);
	va_end(ap);
	if (r > 0) {
		char *text = line + n;

		n += (size_t)r < sizeof(line) - n - 1 ? (size_t)r : sizeof(line) - n - 2;
		stay_on_line(text, line + n);
	}
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody is left to be told */
}
