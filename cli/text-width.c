/* SPDX-License-Identifier: MIT */
/* How many columns of a terminal text takes. */
#include "cli/text-width.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"

void text_width_init(void)
{
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

/* One character: its bytes, its columns, and whether it can be shown as it is. */
struct character {
	size_t size;
	int columns;
	bool shown;
};

static struct character character_at(const char *text, size_t size)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	size_t n = mbrtowc(&wide, text, size, &state);
	bool harmless;
	int columns;

	if (n == 0 || n > size)
		return (struct character){ 1, 4, false };
	text_character(text, size, &harmless);
	columns = wcwidth(wide);
	/* Each byte of what has no width is shown as four. */
	return columns < 0 || !harmless ? (struct character){ n, 4 * (int)n, false }
					: (struct character){ n, columns, true };
}

/* The size of a sequence that only colours (SGR); 0: here is none. */
static size_t colour_size(const char *text, size_t size)
{
	size_t n = 2;

	if (size < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (n < size && (text[n] == ';' || (text[n] >= '0' && text[n] <= '9')))
		n++;
	return n < size && text[n] == 'm' ? n + 1 : 0;
}

int text_columns(const char *text, size_t size)
{
	int columns = 0;

	while (size) {
		size_t n = colour_size(text, size);

		if (!n) {
			struct character c = character_at(text, size);

			columns += c.columns;
			n = c.size;
		}
		text += n;
		size -= n;
	}
	return columns;
}

static size_t put(const struct character *c, const char *text, char *ret_text)
{
	size_t n = 0;

	if (c->shown) {
		memcpy(ret_text, text, c->size);
		return c->size;
	}
	for (size_t i = 0; i < c->size; i++)
		n += (size_t)sprintf(ret_text + n, "\\x%02x", (unsigned char)text[i]);
	return n;
}

int text_fit(const char *text, int columns, char *ret_text, size_t size)
{
	static const char dots[] = "…";
	enum { CHARACTER_ROOM = 4 * MB_LEN_MAX };
	size_t left = strlen(text), at = 0, dots_at = 0;
	int used = 0, dots_used = 0;

	while (left) {
		struct character c = character_at(text, left);

		if (used + c.columns > columns || at + CHARACTER_ROOM + sizeof(dots) > size)
			break;
		/* Where the dots go if there is no room for the rest. */
		if (used + 1 <= columns && used < columns) {
			dots_at = at;
			dots_used = used;
		}
		at += put(&c, text, ret_text + at);
		used += c.columns;
		text += c.size;
		left -= c.size;
		if (used < columns) {
			dots_at = at;
			dots_used = used;
		}
	}
	if (left && columns > 0) {
		memcpy(ret_text + dots_at, dots, sizeof(dots));
		return dots_used + 1;
	}
	ret_text[at] = '\0';
	return used;
}
