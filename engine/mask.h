/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Values that must not be told, and texts without them. A value is looked for line by line (what has several
 * lines is hardly printed in one piece), as it is and as it stands in JSON, in a URL and in base64; all of it
 * in base64, too. Lines of less than MASK_SIZE_MIN bytes are no secrets: their like is everywhere.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

#define MASK_SHOWN "***"

enum {
	MASK_SIZE_MIN = 4,
	MASK_COUNT_MAX = 1024, /* lines and their other spellings */
};

struct mask;

struct mask *mask_new(void);
void mask_free(struct mask *mask);

/* Whether the value is known already. */
bool mask_knows(const struct mask *mask, const char *value, size_t size);
/* -ENOSPC: over MASK_COUNT_MAX; what was added before stays. */
int mask_add(struct mask *mask, const char *value, size_t size);
/* All texts and numbers in it. */
int mask_add_json(struct mask *mask, const json_t *value);

/* The bytes of the longest spelling: a value that stands over the edge of two parts of a text is found with
 * that many but one of the first. */
size_t mask_reach(const struct mask *mask);
bool mask_hits(const struct mask *mask, const char *text, size_t size);
bool mask_hits_json(const struct mask *mask, const json_t *value);

/* Appends the text, with MASK_SHOWN in the place of values. `more`: it goes on; then a part at the end that
 * may be the beginning of a value is left out, and *ret_left says how many bytes that are. */
int mask_text(const struct mask *mask, const char *text, size_t size, bool more, struct buffer *ret_text,
	size_t *ret_left);
/* A new reference to a value without them; NULL without memory. */
json_t *mask_json(const struct mask *mask, json_t *value);
