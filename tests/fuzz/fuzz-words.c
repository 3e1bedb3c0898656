/* SPDX-License-Identifier: MIT */
/* Words of control lines, names, numbers, times and durations. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "engine/words.h"
#include "tests/fuzz/input.h"

static void control_line(const char *text)
{
	char word[WORDS_LINE_MAX];
	const char *line = text;
	int words = 0, r;

	if (strlen(text) >= WORDS_LINE_MAX)
		return;
	words_assign(text);
	while ((r = words_next(&line, word)) == 1) {
		must(strlen(word) <= strlen(text));
		must(line > text && line <= text + strlen(text));
		must(++words <= WORDS_LINE_MAX);
		words_value(word, "ttl");
	}
	must(r <= 0);
}

static void shell_line(const char *text)
{
	char *copy = strdup(text), *line = copy, *word;

	while (text_next_word(&line, &word) == 1)
		must(word >= copy && word + strlen(word) <= copy + strlen(text));
	free(copy);
}

static void names(const char *text)
{
	char escaped[3 * 256 + 1], back[256 + 1], name[NAME_SIZE], encoded[ENCODED_SIZE];
	char *shown;

	name_check(text);
	shown = name_readable(text);
	must(shown);
	free(shown);
	if (*text && strlen(text) <= 256) {
		name_escape(text, escaped, sizeof(escaped) - 1);
		must(name_unescape(escaped, back, sizeof(back)) == 0);
		must(!strcmp(back, text));
	}
	if (name_decode(text, name) == 0)
		must(!strcmp(name_encode(name, encoded), text));
}

static void times(const char *text)
{
	int64_t ms = 0, again = 0;
	char shown[32];

	if (duration_parse(text, &ms) == 0) {
		must(ms >= 0 && ms < (int64_t)100 * 366 * 86400 * 1000);
		duration_format(ms, shown);
	}
	if (time_parse(text, &ms) == 0 && ms >= 0 && ms < (int64_t)253402300800000) {
		must(time_parse(time_format(ms, shown), &again) == 0);
		must(again == ms);
	}
	past_parse(text, &ms);
	if (parse_int64(text, &ms) == 0)
		must(parse_int64(int64_format(ms, shown), &again) == 0 && again == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	unsigned what = input_byte(&input);
	char *text = input_rest(&input);
	static void (*const each[])(const char *) = { control_line, shell_line, names, times };

	each[what % 4](text);
	text_is_utf8((const char *)data, size);
	free(text);
	return 0;
}
