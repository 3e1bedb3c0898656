/* SPDX-License-Identifier: MIT */
/* Lines of words, as the control files of locks take them: quoted as in a shell. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "engine/lock-table.h"

int lock_line_copy(const char *line, size_t size, struct fault *fault, char ret_text[LOCK_LINE_MAX])
{
	while (size > 0 && isspace((unsigned char)line[size - 1]))
		size--;
	while (size > 0 && isspace((unsigned char)*line)) {
		line++;
		size--;
	}
	if (size >= LOCK_LINE_MAX)
		return fault_set(fault, EINVAL, "a line of %zu bytes is too long for a lock", size);
	if (memchr(line, '\0', size) || memchr(line, '\n', size))
		return fault_set(fault, EINVAL, "a lock takes one line of text at a time");
	memcpy(ret_text, line, size);
	ret_text[size] = '\0';
	return 0;
}

int lock_word_next(const char **line, char ret_word[LOCK_LINE_MAX])
{
	const char *p = *line + strspn(*line, " \t");
	size_t n = 0;
	char quote = 0;

	if (!*p)
		return 0;
	for (; *p && (quote || (*p != ' ' && *p != '\t')); p++) {
		if (quote ? *p == quote : *p == '"' || *p == '\'') {
			quote = quote ? 0 : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'' && p[1])
			p++;
		ret_word[n++] = *p;
	}
	if (quote)
		return -EINVAL;
	ret_word[n] = '\0';
	*line = p;
	return 1;
}
