/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * JSON written in one pass, for what is large and never looked at as a tree. Commas come by themselves.
 * Without memory `failed` is set, and what follows does nothing.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct json_write {
	struct buffer text; /* owned: buffer_done() */
	bool failed;
};

/* '{' or '[', and its end. */
void json_write_open(struct json_write *write, char bracket);
void json_write_close(struct json_write *write, char bracket);

/* The next member's name: a constant of the program, written as it is. */
void json_write_key(struct json_write *write, const char *name);

/* The value of a member, or the next of a list. What is no UTF-8 becomes U+FFFD; NULL is null. */
void json_write_text(struct json_write *write, const char *text);
void json_write_sized_text(struct json_write *write, const char *text, size_t size);
void json_write_integer(struct json_write *write, int64_t number);
void json_write_bool(struct json_write *write, bool value);
/* NULL: null. */
void json_write_value(struct json_write *write, const json_t *value);
