/* SPDX-License-Identifier: MIT */
/* Lines of control files, word by word. */
#include "engine/words.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

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
	char *next = ret_word, *word;
	int r;

	snprintf(ret_word, WORDS_LINE_MAX, "%s", *line);
	r = text_next_word(&next, &word);
	if (r <= 0)
		return r;
	*line += next - ret_word;
	memmove(ret_word, word, strlen(word) + 1);
	return 1;
}

const char *words_value(const char *word, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(word, name, n) && word[n] == '=' ? word + n + 1 : NULL;
}
