/* SPDX-License-Identifier: MIT */
/* A line of log.json. */
#include "cli/log-line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/print.h"

static int digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* RFC 4648, with padding. malloc'ed; NULL: it is none, or there is no memory. */
static char *base64_decode(const char *text, size_t *ret_size)
{
	size_t size = 0;
	char *bytes = malloc(strlen(text) + 1);
	unsigned bits = 0;
	int count = 0;

	for (; bytes && *text && *text != '='; text++) {
		if (digit(*text) < 0) {
			free(bytes);
			return NULL;
		}
		bits = bits << 6 | (unsigned)digit(*text);
		count += 6;
		if (count >= 8) {
			count -= 8;
			bytes[size++] = (char)(bits >> count);
		}
	}
	*ret_size = size;
	return bytes;
}

int log_line_read(const json_t *object, struct log_line *ret_line)
{
	const json_t *text = json_object_get(object, "text");
	const char *base64 = json_string_value(json_object_get(object, "base64"));
	struct log_line line = {
		.task = print_text(object, "task"),
		.stream = print_text(object, "stream"),
		.try = (int)json_integer_value(json_object_get(object, "try")),
		.time_ms = print_ms(json_object_get(object, "time")),
		.text = json_string_value(text),
		.size = json_string_length(text),
	};

	if (!line.text)
		return -EINVAL;
	if (base64) {
		line.text = line.decoded = base64_decode(base64, &line.size);
		if (!line.decoded)
			return -EINVAL;
	}
	*ret_line = line;
	return 0;
}

void log_line_done(struct log_line *line)
{
	free(line->decoded);
}

/* The sequences that only colour (SGR) may pass, all else that moves the cursor or more is shown, not done.
 */
static size_t harmless_sequence(const char *text, size_t size)
{
	size_t n = 2;

	if (size < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (n < size && (text[n] == ';' || (text[n] >= '0' && text[n] <= '9')))
		n++;
	return n < size && text[n] == 'm' ? n + 1 : 0;
}

void log_text_print(FILE *out, const char *text, size_t size)
{
	bool coloured = false;

	for (size_t i = 0; i < size;) {
		size_t n = harmless_sequence(text + i, size - i);
		unsigned char c = (unsigned char)text[i];
		bool harmless;

		if (n) {
			coloured = true;
			if (*print_style(stdout, STYLE_END))
				fwrite(text + i, 1, n, out);
			i += n;
			continue;
		}
		n = text_character(text + i, size - i, &harmless);
		if (harmless || c == '\t')
			fwrite(text + i, 1, n, out);
		for (size_t k = 0; !harmless && k < n; k++)
			if (c != '\t' && c != '\r')
				fprintf(out, "\\x%02x", (unsigned char)text[i + k]);
		i += n;
	}
	if (coloured)
		fputs(print_style(stdout, STYLE_END), out);
}

void log_line_print(FILE *out, const struct log_line *line, const struct log_style *style)
{
	char time[32];

	if (style->timestamps)
		fprintf(out, "%s ", time_format(line->time_ms, time));
	if (*line->task && !style->bare) {
		fputs(style->terminal ? print_style(stdout, STYLE_CYAN) : "", out);
		text_write_safe(out, line->task);
		fputs(style->terminal ? print_style(stdout, STYLE_END) : "", out);
		fputs(style->separator, out);
	}
	if (style->terminal)
		log_text_print(out, line->text, line->size);
	else
		fwrite(line->text, 1, line->size, out);
	fputc('\n', out);
}
