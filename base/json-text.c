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
