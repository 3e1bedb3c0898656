/* SPDX-License-Identifier: MIT */
/* Small rules about text that several rooms share. */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool name_byte(unsigned char c, bool first)
{
	return c < 0x80 && (isalnum(c) || (!first && (c == '.' || c == '_' || c == '-')));
}

int name_check(const char *name)
{
	size_t n = strlen(name);

	if (n == 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!name_byte((unsigned char)name[i], i == 0))
			return -EINVAL;
	return n > NAME_MAX_LENGTH ? -ENAMETOOLONG : 0;
}

char *name_escape(const char *text, char *ret_name, size_t size)
{
	char *p = ret_name;

	for (size_t i = 0; text[i]; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = name_byte(c, i == 0);

		if ((size_t)(p - ret_name) + (plain ? 1 : 3) > size)
			break;
		if (plain)
			*p++ = (char)c;
		else
			p += sprintf(p, "%%%02X", c);
	}
	*p = '\0';
	return ret_name;
}

int64_t time_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t time_monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *time_format(int64_t ms, char ret_text[32])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text + n, 32 - n, ".%03dZ", (int)(ms % 1000));
	return ret_text;
}

/* "Z" or "+01:00"; *ret_minutes is what it is ahead of UTC. */
static int zone_parse(const char *text, int *ret_minutes)
{
	int hours, minutes, end = 0;

	if (!strcmp(text, "Z") || !strcmp(text, "z")) {
		*ret_minutes = 0;
		return 0;
	}
	if ((*text != '+' && *text != '-') || sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &end) != 2 ||
		text[1 + end] || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return -EINVAL;
	*ret_minutes = (*text == '-' ? -1 : 1) * (hours * 60 + minutes);
	return 0;
}

int time_parse(const char *text, int64_t *ret_ms)
{
	int64_t ms = 0;
	int zone = 0;
	struct tm tm = { 0 };
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!p)
		return -EINVAL;
	if (*p == '.') {
		int64_t unit = 100;

		for (p++; isdigit((unsigned char)*p); p++, unit /= 10)
			ms += (*p - '0') * unit;
	}
	if (zone_parse(p, &zone) < 0)
		return -EINVAL;
	*ret_ms = (int64_t)timegm(&tm) * 1000 + ms - (int64_t)zone * 60000;
	return 0;
}

int parse_int64(const char *text, int64_t *ret_value)
{
	char *end;
	long long value;

	if (!*text || isspace((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno == ERANGE)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

char *int64_format(int64_t value, char ret_text[32])
{
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char *text = ret_text + 31;

	*text = '\0';
	do
		*--text = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		*--text = '-';
	return text;
}

static const struct {
	const char *name;
	double ms;
} units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 3600 * 1000 },
	{ "d", 24 * 3600 * 1000.0 },
	{ "w", 7 * 24 * 3600 * 1000.0 },
};

static double unit_ms(const char *name, size_t size)
{
	if (size == 0)
		return 1000;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == size && !strncmp(units[i].name, name, size))
			return units[i].ms;
	return 0;
}

int duration_parse(const char *text, int64_t *ret_ms)
{
	const double century = 100.0 * 366 * 24 * 3600 * 1000.0;
	double total = 0;
	const char *p = text;

	if (!*p)
		return -EINVAL;
	while (*p) {
		char *end;
		double value, unit;
		size_t size;

		/* strtod() would take signs, blanks, hexadecimal and "nan" as well. */
		if (!isdigit((unsigned char)*p) || (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')))
			return -EINVAL;
		value = strtod(p, &end);
		size = strspn(end, "abcdefghijklmnopqrstuvwxyz");
		unit = unit_ms(end, size);
		if (unit == 0 || (size == 0 && (*end || p != text)))
			return -EINVAL;
		total += value * unit;
		p = end + size;
	}
	if (!(total < century))
		return -EINVAL;
	*ret_ms = (int64_t)(total + 0.5); /* not llround(): every start of the command would load libm */
	return 0;
}

int past_parse(const char *text, int64_t *ret_ms)
{
	static const char *const ends[] = { "", "Z", ":00Z", "T00:00:00Z" };
	char whole[64];
	int64_t ms;

	if (duration_parse(*text == '-' ? text + 1 : text, &ms) == 0) {
		*ret_ms = time_now_ms() - ms;
		return 0;
	}
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (snprintf(whole, sizeof(whole), "%s%s", text, ends[i]) < (int)sizeof(whole) &&
			time_parse(whole, ret_ms) == 0)
			return 0;
	return -EINVAL;
}

char *duration_format(int64_t ms, char ret_text[32])
{
	long long s = ms / 1000;

	if (ms < 1000)
		snprintf(ret_text, 32, "%lldms", (long long)ms);
	else if (s < 60)
		snprintf(ret_text, 32, "%lld.%llds", s, (long long)(ms % 1000) / 100);
	else if (s < 3600)
		snprintf(ret_text, 32, "%lldm %llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(ret_text, 32, "%lldh %lldm", s / 3600, s % 3600 / 60);
	else
		snprintf(ret_text, 32, "%lldd %lldh", s / 86400, s % 86400 / 3600);
	return ret_text;
}

/* Unicode's own control characters: C1, which terminals obey as they obey ESC; what overrides the direction
 * of the text around it; what ends a line or a paragraph. The marks of direction (U+200E, U+200F) stand in
 * honest text, and turn no letters. */
static bool is_control(unsigned code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

enum { NO_CHARACTER = 0x7fffffff };

/* The bytes of the character, and which it is. */
static size_t decode(const char *text, size_t size, unsigned *ret_code)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	unsigned code = n == 1 ? *p : *p & (0xffU >> (n + 1));

	if (n > 1 && (n > size || !text_is_utf8(text, n))) {
		*ret_code = NO_CHARACTER;
		return 1;
	}
	for (size_t i = 1; i < n; i++)
		code = code << 6 | (p[i] & 0x3f);
	*ret_code = code;
	return n;
}

size_t text_character(const char *text, size_t size, bool *ret_harmless)
{
	unsigned code;
	size_t n = decode(text, size, &code);

	*ret_harmless = code != NO_CHARACTER && !is_control(code);
	return n;
}

bool text_is_line(const char *text, size_t size)
{
	bool harmless = true;

	for (size_t i = 0; harmless && i < size;)
		i += text_character(text + i, size - i, &harmless);
	return harmless;
}

void text_write_json(FILE *out, const char *json)
{
	size_t size = strlen(json), n;

	for (size_t i = 0; i < size; i += n) {
		unsigned code;

		n = decode(json + i, size - i, &code);
		if (code != NO_CHARACTER && code >= 0x7f && is_control(code))
			fprintf(out, "\\u%04x", code);
		else
			fwrite(json + i, 1, n, out);
	}
}

char *text_harmless(const char *text)
{
	size_t size = strlen(text), n, at = 0;
	char *copy = malloc(4 * size + 1);

	for (size_t i = 0; copy && i < size; i += n) {
		bool harmless;

		n = text_character(text + i, size - i, &harmless);
		if (harmless || (unsigned char)text[i] < 0x80) {
			memcpy(copy + at, text + i, n);
			at += n;
			continue;
		}
		for (size_t k = 0; k < n; k++)
			at += (size_t)sprintf(copy + at, "\\x%02x", (unsigned char)text[i + k]);
	}
	if (copy)
		copy[at] = '\0';
	return copy;
}

void text_write_safe_n(FILE *out, const char *text, size_t size)
{
	size_t n;

	for (size_t i = 0; i < size; i += n) {
		bool harmless;

		n = text_character(text + i, size - i, &harmless);
		if (text[i] == '\n')
			fputs("\\n", out);
		else if (text[i] == '\\')
			fputs("\\\\", out);
		else if (harmless)
			fwrite(text + i, 1, n, out);
		else
			for (size_t k = 0; k < n; k++)
				fprintf(out, "\\x%02x", (unsigned char)text[i + k]);
	}
}

void text_write_safe(FILE *out, const char *text)
{
	text_write_safe_n(out, text, strlen(text));
}

/* Edits (insert, delete, replace, swap of neighbours) between two short words; beyond 63 letters nobody
 * guesses. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	size_t rows[3][64];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	if (n > 63 || m > 63)
		return 64;
	for (size_t j = 0; j <= m; j++)
		last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		size_t *spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[m];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
	size_t limit = strlen(word) / 3 + 1, best_distance = limit + 1;
	const char *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!candidates[i])
			continue;
		size_t distance = edit_distance(word, candidates[i]);
		if (distance < best_distance) {
			best_distance = distance;
			best = candidates[i];
		}
	}
	return best;
}

bool text_is_utf8(const char *text, size_t size)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + size;

	while (p < end) {
		unsigned char c = *p++;
		int more = c < 0x80		   ? 0
			   : c >= 0xc2 && c < 0xe0 ? 1
			   : c >= 0xe0 && c < 0xf0 ? 2
			   : c >= 0xf0 && c < 0xf5 ? 3
						   : -1;

		if (c == 0 || more < 0 || end - p < more)
			return false;
		if ((c == 0xe0 && p[0] < 0xa0) || (c == 0xed && p[0] > 0x9f) || (c == 0xf0 && p[0] < 0x90) ||
			(c == 0xf4 && p[0] > 0x8f))
			return false;
		for (; more > 0; more--, p++)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}

int text_next_word(char **line, char **ret_word)
{
	char *p = *line + strspn(*line, " \t\r"), *end = p;
	char quote = 0;

	*ret_word = p;
	if (!*p)
		return 0;
	for (; *p && (quote || !strchr(" \t\r", *p)); p++) {
		if (quote ? *p == quote : *p == '"' || *p == '\'') {
			quote = quote ? 0 : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'' && p[1])
			p++;
		*end++ = *p;
	}
	if (quote)
		return -EINVAL;
	*line = *p ? p + 1 : p;
	*end = '\0';
	return 1;
}

char *name_encode(const char *name, char ret_name[ENCODED_SIZE])
{
	return name_escape(name, ret_name, ENCODED_SIZE - 1);
}

int name_unescape(const char *name, char *ret_text, size_t size)
{
	size_t n = 0;

	for (; *name; name++) {
		unsigned int c = (unsigned char)*name;

		if (n + 1 >= size)
			return -ENOENT;
		if (c == '%') {
			if (!isxdigit((unsigned char)name[1]) || !isxdigit((unsigned char)name[2]) ||
				sscanf(name + 1, "%2X", &c) != 1 || !c)
				return -ENOENT;
			name += 2;
		}
		ret_text[n++] = (char)c;
	}
	ret_text[n] = '\0';
	return 0;
}

int name_decode(const char *name, char ret_name[NAME_SIZE])
{
	char encoded[ENCODED_SIZE];
	int r = name_unescape(name, ret_name, NAME_SIZE);

	/* One thing has one name: "%61" is none for "a". */
	return r < 0 || !strcmp(name_encode(ret_name, encoded), name) ? r : -ENOENT;
}

char *name_readable(const char *name)
{
	size_t size = strlen(name) + 1;
	char *text = malloc(size);

	if (text && (name_unescape(name, text, size) < 0 || !text_is_utf8(text, strlen(text))))
		memcpy(text, name, size);
	return text;
}
