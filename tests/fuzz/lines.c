/* SPDX-License-Identifier: MIT */
/*
 * A mutator for targets whose input is lines: it changes one line, or which lines there are and their order,
 * so that the others stay what they are. Linked only into fuzzers.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 256 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

struct line {
	const uint8_t *at;
	size_t size;
};

/* What values of JSON are looked for, and what stands in their place then. */
static const char *const odd[] = { "0", "1", "2", "-1", "2147483648", "9223372036854775807",
	"-9223372036854775808", "18446744073709551616", "1e308", "1.5", "null", "true", "false", "\"\"", "[]",
	"{}", "\"a\"", "\"prod\"", "\"../x\"", "\"\\u0000\"", "\"\\n\"", "[[]]", "{\"a\":{}}", "\"success\"",
	"\"failed\"", "\"running\"", "\"pending\"", "\"applied\"", "\"done\"", "\"undo\"" };

static size_t split(const uint8_t *data, size_t size, struct line lines[LINES])
{
	size_t count = 0;

	while (size && count < LINES) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;

		lines[count++] = (struct line){ data, length };
		data += length + (end != NULL);
		size -= length + (end != NULL);
	}
	return count;
}

/* Replaces what follows a ':' up to the next ',' or closing bracket. */
static size_t replace_value(uint8_t *line, size_t size, size_t max_size)
{
	const char *word = odd[(size_t)rand() % (sizeof(odd) / sizeof(odd[0]))];
	size_t length = strlen(word), colons = 0, chosen, from, to;

	for (size_t i = 0; i < size; i++)
		colons += line[i] == ':';
	if (!colons)
		return LLVMFuzzerMutate(line, size, max_size);
	chosen = (size_t)rand() % colons;
	for (from = 0; line[from] != ':' || chosen-- > 0; from++)
		;
	from++;
	for (to = from; to < size && !strchr(",}]", line[to]); to++)
		;
	if (size - (to - from) + length > max_size)
		return size;
	memmove(line + from + length, line + to, size - to);
	memcpy(line + from, word, length);
	return size - (to - from) + length;
}

static size_t mutate_line(uint8_t *line, size_t size, size_t max_size)
{
	size_t n = rand() % 3 ? replace_value(line, size, max_size) : LLVMFuzzerMutate(line, size, max_size);

	return n > max_size ? max_size : n;
}

static size_t join(const struct line *lines, size_t count, size_t changed, uint8_t *ret, size_t max_size)
{
	size_t size = 0;

	for (size_t i = 0; i < count && size + lines[i].size + 1 < max_size; i++) {
		memcpy(ret + size, lines[i].at, lines[i].size);
		size += i == changed ? mutate_line(ret + size, lines[i].size, max_size - size - 1)
				     : lines[i].size;
		ret[size++] = '\n';
	}
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct line lines[LINES + 1];
	uint8_t *copy = malloc(size + 1);
	size_t count, a, b, changed = SIZE_MAX;

	srand(seed);
	if (!copy || max_size < 2) {
		free(copy);
		return size;
	}
	if (size)
		memcpy(copy, data, size);
	count = split(copy, size, lines);
	a = count ? (size_t)rand() % count : 0;
	b = count ? (size_t)rand() % count : 0;
	switch (count ? rand() % 8 : -1) {
	case -1:
		free(copy);
		return LLVMFuzzerMutate(data, size, max_size);
	case 0: /* one goes */
		memmove(&lines[a], &lines[a + 1], (count - a - 1) * sizeof(lines[0]));
		count--;
		break;
	case 1: { /* two change places */
		struct line line = lines[a];

		lines[a] = lines[b];
		lines[b] = line;
		break;
	}
	case 2: /* one stands there twice */
		memmove(&lines[a + 1], &lines[a], (count - a) * sizeof(lines[0]));
		lines[a] = lines[b >= a ? b + 1 : b];
		count++;
		break;
	default:
		changed = a;
	}
	size = join(lines, count, changed, data, max_size);
	free(copy);
	return size;
}
