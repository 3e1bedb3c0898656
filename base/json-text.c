/* SPDX-License-Identifier: MIT */
/* Text as the inside of a JSON string. */
#include "base/json-text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { ESCAPE_SIZE = 8 };

static bool plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* How many bytes of `text` stand for themselves; 0: its first byte does not. */
static size_t plain_size(const char *text, size_t size)
{
	size_t n = 0;

	while (n < size && plain((unsigned char)text[n]))
		n++;
	return n;
}

/* The bytes of the character that begins here; 0: none does. */
static size_t character_size(const char *text, size_t size)
{
	for (size_t n = 2; n <= 4 && n <= size; n++)
		if (text_is_utf8(text, n))
			return n;
	return 0;
}

/* What a byte that can't stand for itself is written as. */
static const char *escape(unsigned char c, char ret_escape[ESCAPE_SIZE])
{
	static const char named[] = { ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };

	if (c >= 0x80)
		return "\\ufffd";
	if (named[c])
		snprintf(ret_escape, ESCAPE_SIZE, "\\%c", named[c]);
	else
		snprintf(ret_escape, ESCAPE_SIZE, "\\u%04x", c);
	return ret_escape;
}

/* The next part as it is written, which is borrowed: *ret_used bytes of the text are done with it. */
static const char *next_part(
	const char *text, size_t size, char room[ESCAPE_SIZE], size_t *ret_used, size_t *ret_size)
{
	size_t n = plain_size(text, size);

	if (n == 0 && (unsigned char)*text >= 0x80)
		n = character_size(text, size);
	if (n) {
		*ret_used = *ret_size = n;
		return text;
	}
	*ret_used = 1;
	text = escape((unsigned char)*text, room);
	*ret_size = strlen(text);
	return text;
}

size_t json_text_size(const char *text, size_t size)
{
	char room[ESCAPE_SIZE];
	size_t sum = 0, used, n;

	for (; size; text += used, size -= used) {
		next_part(text, size, room, &used, &n);
		sum += n;
	}
	return sum;
}

char *json_text_write(const char *text, size_t size, char *ret_text)
{
	char room[ESCAPE_SIZE];
	size_t used, n;

	for (; size; text += used, size -= used) {
		const char *part = next_part(text, size, room, &used, &n);

		memcpy(ret_text, part, n);
		ret_text += n;
	}
	return ret_text;
}

/* What stands for itself between two escapes. Nothing below ' ' may. */
static size_t literal_size(const char *text, size_t size)
{
	const char *end = memchr(text, '\\', size);

	return end ? (size_t)(end - text) : size;
}

static char escaped(char c)
{
	static const char named[128] = { ['"'] = '"',
		['\\'] = '\\',
		['/'] = '/',
		['n'] = '\n',
		['r'] = '\r',
		['t'] = '\t',
		['b'] = '\b',
		['f'] = '\f' };

	return (unsigned char)c < 128 ? named[(unsigned char)c] : '\0';
}

static bool is_literal(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == '"')
			return false;
	return true;
}

static bool is_simple(const char *text, size_t size)
{
	while (size) {
		size_t n = literal_size(text, size);

		if (!is_literal(text, n) || (n < size && (n + 1 == size || !escaped(text[n + 1]))))
			return false;
		n += n < size ? 2 : 0;
		text += n;
		size -= n;
	}
	return true;
}

bool json_text_read(const char *json, size_t size, FILE *out)
{
	if (size < 2 || json[0] != '"' || json[size - 1] != '"' || !text_is_utf8(json, size) ||
		!is_simple(json + 1, size - 2))
		return false;
	for (json++, size -= 2; size;) {
		size_t n = literal_size(json, size);

		fwrite_unlocked(json, 1, n, out);
		if (n < size) {
			putc_unlocked(escaped(json[n + 1]), out);
			n += 2;
		}
		json += n;
		size -= n;
	}
	return true;
}
