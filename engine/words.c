/* SPDX-License-Identifier: MIT */
/* Lines of control files, word by word. */
#include "engine/words.h"

#include <errno.h>
#include <string.h>

bool words_assign(const char *line)
{
	for (const char *p = line; *p;) {
		size_t n;

		p += strspn(p, " \t");
		n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
		if (n > 0 && p[n] == '=')
			return true;
		p += strcspn(p, " \t");
	}
	return false;
}

int words_next(const char **line, char ret_word[WORDS_LINE_MAX])
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

const char *words_value(const char *word, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(word, name, n) && word[n] == '=' ? word + n + 1 : NULL;
}
