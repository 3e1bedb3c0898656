/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a fuzzer gives, taken from the front: numbers, words, texts. At its end there are zeros and empty
 * texts.
 *
 * A target is LLVMFuzzerTestOneInput() of libFuzzer. It states what must hold for any input with must(),
 * which ends the process; sanitizers do the rest. Without libFuzzer the same targets replay their corpus
 * (replay.c).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static inline unsigned input_byte(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

static inline unsigned input_short(struct input *input)
{
	unsigned high = input_byte(input);

	return high << 8 | input_byte(input);
}

/* Up to the next byte `end`, which is taken, too; NUL-terminated, cut off at size - 1. Returns its length. */
size_t input_text(struct input *input, char end, char *ret_text, size_t size);
/* What is left, NUL-terminated; free() it. */
char *input_rest(struct input *input);

#define must(...)                                                                                            \
	do {                                                                                                 \
		if (!(__VA_ARGS__))                                                                          \
			must_failed(__FILE__, __LINE__, #__VA_ARGS__);                                       \
	} while (0)
_Noreturn void must_failed(const char *file, int line, const char *what);
