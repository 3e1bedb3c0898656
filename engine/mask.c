/* SPDX-License-Identifier: MIT */
/* Finding values in texts: a bitmap of their first two bytes says where it is worth looking. */
#include "engine/mask.h"

#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct pattern {
	char *bytes; /* sodium_malloc()'ed */
	size_t size;
};

struct mask {
	struct pattern patterns[MASK_COUNT_MAX]; /* the longest first */
	size_t count;
	uint8_t begins[8192]; /* a bit for each two bytes that a pattern begins with */
};

static size_t pair_of(const char *bytes)
{
	return (size_t)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1];
}

static bool begins_here(const struct mask *mask, const char *text)
{
	size_t pair = pair_of(text);

	return mask->begins[pair / 8] & 1 << pair % 8;
}

struct mask *mask_new(void)
{
	return calloc(1, sizeof(struct mask));
}

void mask_free(struct mask *mask)
{
	if (!mask)
		return;
	for (size_t i = 0; i < mask->count; i++)
		sodium_free(mask->patterns[i].bytes);
	free(mask);
}

static bool pattern_known(const struct mask *mask, const char *bytes, size_t size)
{
	for (size_t i = 0; i < mask->count; i++)
		if (mask->patterns[i].size == size && !memcmp(mask->patterns[i].bytes, bytes, size))
			return true;
	return false;
}

static int pattern_add(struct mask *mask, const char *bytes, size_t size)
{
	struct pattern pattern = { .size = size };
	size_t at = mask->count, pair;

	if (size < MASK_SIZE_MIN || pattern_known(mask, bytes, size))
		return 0;
	if (mask->count == MASK_COUNT_MAX)
		return -ENOSPC;
	pattern.bytes = sodium_malloc(size);
	if (!pattern.bytes)
		return -ENOMEM;
	memcpy(pattern.bytes, bytes, size);
	for (; at > 0 && mask->patterns[at - 1].size < size; at--)
		mask->patterns[at] = mask->patterns[at - 1];
	mask->patterns[at] = pattern;
	mask->count++;
	pair = pair_of(bytes);
	mask->begins[pair / 8] |= (uint8_t)(1 << pair % 8);
	return 0;
}

/* Other spellings of a line. */

static void spell_json(FILE *out, const char *line, size_t size)
{
	json_auto_t *text = json_stringn(line, size);
	CLEANUP(cleanup_free) char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;

	if (quoted)
		fwrite(quoted + 1, 1, strlen(quoted) - 2, out);
}

static void spell_url(FILE *out, const char *line, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", c))
			fputc(c, out);
		else
			fprintf(out, "%%%02X", c);
	}
}

/* Whole groups of three bytes: what follows alters the letters of the others. */
static void spell_base64(FILE *out, const char *value, size_t size, int variant)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t room;

	/* Of a short value that would be letters that stand anywhere. */
	if (size < 6)
		return;
	size -= size % 3;
	room = sodium_base64_encoded_len(size, variant);
	text = malloc(room);
	if (!text)
		return;
	sodium_bin2base64(text, room, (const unsigned char *)value, size, variant);
	fputs(text, out);
}

static void spell_base64_plain(FILE *out, const char *value, size_t size)
{
	spell_base64(out, value, size, sodium_base64_VARIANT_ORIGINAL);
}

static void spell_base64_url(FILE *out, const char *value, size_t size)
{
	spell_base64(out, value, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static int spelling_add(struct mask *mask, void (*spell)(FILE *out, const char *text, size_t size),
	const char *text, size_t size)
{
	CLEANUP(buffer_done) struct buffer spelled = { 0 };
	FILE *out = buffer_stream_open(&spelled);
	int r;

	if (!out)
		return -ENOMEM;
	spell(out, text, size);
	r = buffer_stream_close(out, &spelled);
	if (r == 0)
		r = pattern_add(mask, buffer_text(&spelled), spelled.size);
	if (spelled.data)
		sodium_memzero(spelled.data, spelled.size);
	return r;
}

static int spellings_add(struct mask *mask, const char *text, size_t size)
{
	static void (*const spellings[])(FILE * out, const char *text, size_t size) = { spell_json, spell_url,
		spell_base64_plain, spell_base64_url };
	int r = pattern_add(mask, text, size);

	for (size_t i = 0; r == 0 && i < sizeof(spellings) / sizeof(spellings[0]); i++)
		r = spelling_add(mask, spellings[i], text, size);
	return r;
}

int mask_add(struct mask *mask, const char *value, size_t size)
{
	const char *line = value, *end = value + size;
	int r = 0;

	while (r == 0 && line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((newline ? newline : end) - line);
		size_t trimmed = length && line[length - 1] == '\r' ? length - 1 : length;

		if (trimmed >= MASK_SIZE_MIN)
			r = spellings_add(mask, line, trimmed);
		line += length + 1;
	}
	/* Encoded, several lines are one. */
	if (r == 0 && size >= MASK_SIZE_MIN)
		r = spelling_add(mask, spell_base64_plain, value, size);
	if (r == 0 && size >= MASK_SIZE_MIN)
		r = spelling_add(mask, spell_base64_url, value, size);
	return r;
}

bool mask_knows(const struct mask *mask, const char *value, size_t size)
{
	const char *line = value, *end = value + size;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((newline ? newline : end) - line);
		size_t trimmed = length && line[length - 1] == '\r' ? length - 1 : length;

		if (trimmed >= MASK_SIZE_MIN && !pattern_known(mask, line, trimmed))
			return false;
		line += length + 1;
	}
	return true;
}

size_t mask_reach(const struct mask *mask)
{
	return mask->count ? mask->patterns[0].size : 0;
}

/* Each text and number in a value, until one gives something else than 0. */
static int leaves_each(
	const json_t *value, int (*each)(void *userdata, const char *text, size_t size), void *userdata)
{
	CLEANUP(cleanup_free) char *number = NULL;
	const char *key;
	json_t *item;
	size_t i;
	int r = 0;

	switch (json_typeof(value)) {
	case JSON_STRING:
		return each(userdata, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
	case JSON_REAL:
		number = json_dumps(value, JSON_ENCODE_ANY);
		return number ? each(userdata, number, strlen(number)) : -ENOMEM;
	case JSON_ARRAY:
		json_array_foreach (value, i, item)
			if (r == 0)
				r = leaves_each(item, each, userdata);
		return r;
	case JSON_OBJECT:
		json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
			if (r == 0)
				r = leaves_each(item, each, userdata);
		}
		return r;
	default:
		return 0;
	}
}

static int add_leaf(void *userdata, const char *text, size_t size)
{
	return mask_add(userdata, text, size);
}

int mask_add_json(struct mask *mask, const json_t *value)
{
	return leaves_each(value, add_leaf, mask);
}

/* The pattern that stands at the beginning of the text, or NULL. */
static const struct pattern *pattern_at(const struct mask *mask, const char *text, size_t size)
{
	if (size < MASK_SIZE_MIN || !begins_here(mask, text))
		return NULL;
	for (size_t i = 0; i < mask->count; i++)
		if (mask->patterns[i].size <= size &&
			!memcmp(mask->patterns[i].bytes, text, mask->patterns[i].size))
			return &mask->patterns[i];
	return NULL;
}

bool mask_hits(const struct mask *mask, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (pattern_at(mask, text + i, size - i))
			return true;
	return false;
}

static int leaf_hits(void *userdata, const char *text, size_t size)
{
	return mask_hits(userdata, text, size);
}

bool mask_hits_json(const struct mask *mask, const json_t *value)
{
	return leaves_each(value, leaf_hits, (void *)(uintptr_t)mask) != 0;
}

/* Whether all that is left of the text is the beginning of a longer pattern. */
static bool begins_longer(const struct mask *mask, const char *text, size_t size)
{
	if (size > 1 && !begins_here(mask, text))
		return false;
	for (size_t i = 0; i < mask->count && mask->patterns[i].size > size; i++)
		if (!memcmp(mask->patterns[i].bytes, text, size))
			return true;
	return false;
}

int mask_text(const struct mask *mask, const char *text, size_t size, bool more, struct buffer *ret_text,
	size_t *ret_left)
{
	size_t longest = mask->count ? mask->patterns[0].size : 0, start = 0, i = 0;
	int r = 0;

	while (r == 0 && i < size) {
		const struct pattern *pattern;

		if (more && size - i < longest && begins_longer(mask, text + i, size - i))
			break;
		pattern = pattern_at(mask, text + i, size - i);
		if (!pattern) {
			i++;
			continue;
		}
		r = buffer_append(ret_text, text + start, i - start);
		if (r == 0)
			r = buffer_append_text(ret_text, MASK_SHOWN);
		i += pattern->size;
		start = i;
	}
	if (r == 0)
		r = buffer_append(ret_text, text + start, i - start);
	if (r == 0 && ret_left)
		*ret_left = size - i;
	return r;
}

static json_t *masked_string(const struct mask *mask, const char *text, size_t size)
{
	CLEANUP(buffer_done) struct buffer masked = { 0 };
	json_t *string;

	if (mask_text(mask, text, size, false, &masked, NULL) < 0)
		return NULL;
	string = json_stringn(buffer_text(&masked), masked.size);
	/* A value that began or ended within a character: nothing of it is told. */
	return string ? string : json_string(MASK_SHOWN);
}

static json_t *masked_object(const struct mask *mask, json_t *value)
{
	json_t *object = json_object(), *item;
	const char *key;

	json_object_foreach (value, key, item) {
		json_auto_t *name = masked_string(mask, key, strlen(key));

		if (!name ||
			json_object_set_new(object, json_string_value(name), mask_json(mask, item)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *masked_array(const struct mask *mask, json_t *value)
{
	json_t *array = json_array(), *item;
	size_t i;

	json_array_foreach (value, i, item)
		if (json_array_append_new(array, mask_json(mask, item)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *mask_json(const struct mask *mask, json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return masked_string(mask, json_string_value(value), json_string_length(value));
	case JSON_ARRAY:
		return masked_array(mask, value);
	case JSON_OBJECT:
		return masked_object(mask, value);
	default:
		return mask_hits_json(mask, value) ? json_string(MASK_SHOWN) : json_incref(value);
	}
}
