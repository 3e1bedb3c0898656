/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t input_text(struct input *input, char end, char *ret_text, size_t size)
{
	const uint8_t *found = input->left ? memchr(input->at, end, input->left) : NULL;
	size_t length = found ? (size_t)(found - input->at) : input->left;
	size_t kept = length < size ? length : size - 1;

	if (kept)
		memcpy(ret_text, input->at, kept);
	ret_text[kept] = '\0';
	input->at += length + (found != NULL);
	input->left -= length + (found != NULL);
	return kept;
}

char *input_rest(struct input *input)
{
	char *text = malloc(input->left + 1);

	if (!text)
		abort();
	if (input->left)
		memcpy(text, input->at, input->left);
	text[input->left] = '\0';
	return text;
}

void must_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: this must hold: %s\n", file, line, what);
	abort();
}
