/* SPDX-License-Identifier: MIT */
#pragma once
/* Small rules about text that several rooms share. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { NAME_MAX_LENGTH = 128, NAME_SIZE = NAME_MAX_LENGTH + 1 };

/* The rule for names of stacks, workflows, keys: [A-Za-z0-9][A-Za-z0-9._-]{0,127}. 0, -EINVAL, -ENAMETOOLONG.
 */
int name_check(const char *name);

/* Any text as such a name: other bytes are %XX. Cut off, never within a %XX, where `size` bytes don't
 * suffice; the buffer has size + 1. Returns it. */
char *name_escape(const char *text, char *ret_name, size_t size);
/* The text of an escaped name, in a buffer of `size` bytes; -ENOENT: nothing, or nothing so short, is escaped
 * like this. */
int name_unescape(const char *name, char *ret_text, size_t size);
/* The name as it stands in the tree: bytes that names don't have are %XX. The buffer must have 3 × NAME_SIZE.
 */
enum { ENCODED_SIZE = 3 * NAME_SIZE };
char *name_encode(const char *name, char ret_name[ENCODED_SIZE]);
/* 0 or -ENOENT: nothing stands there under this name. */
int name_decode(const char *name, char ret_name[NAME_SIZE]);
/* For people: %XX decoded where the whole is a text then, else as it stands. Control characters are as they
 * are: see text_write_safe(). malloc'ed; NULL without memory. */
char *name_readable(const char *name);

/* Milliseconds since 1970, by the wall clock. */
int64_t time_now_ms(void);
/* Of a clock that nobody sets; only differences mean something. */
int64_t time_monotonic_ms(void);

/* "2026-11-21T14:03:05.123Z" (RFC 3339, UTC); the buffer must have 32 bytes. Returns it. */
char *time_format(int64_t ms, char ret_text[32]);

/* RFC 3339, with 'Z' or an offset: 2026-11-21T14:03:05Z, 2026-11-21T14:03:05.123+01:00. Milliseconds since
 * 1970; 0 or -EINVAL. */
int time_parse(const char *text, int64_t *ret_ms);

/* A whole decimal number and nothing else: 0, -EINVAL or -ERANGE. */
int parse_int64(const char *text, int64_t *ret_value);

/* What "%lld" gives, for listings of very many; the buffer must have 32 bytes. Returns where in it the text
 * begins. */
char *int64_format(int64_t value, char ret_text[32]);

/* "30s", "5m", "1h30m", "250ms", "2d"; a bare number (also 1.5) is seconds. 0 or -EINVAL. The result is in
 * milliseconds and below 100 years. */
int duration_parse(const char *text, int64_t *ret_ms);

/* A moment in the past: as time_parse() takes it, the beginning of that (2026-11-21, 2026-11-21T14:03;
 * without a zone it is UTC), or how long ago ("30d", "-2h"). 0 or -EINVAL. */
int past_parse(const char *text, int64_t *ret_ms);

/* "71ms", "1.5s", "5m 23s", "1h 30m": for people. The buffer must have 32 bytes. Returns it. */
char *duration_format(int64_t ms, char ret_text[32]);

/* Bytes of the character that the text begins with (`size` is not 0); *ret_harmless: a terminal shows it, and
 * does nothing else. Bytes that are no UTF-8 are a character each, and not harmless. */
size_t text_character(const char *text, size_t size, bool *ret_harmless);

/* Whether a terminal would show all of it, and on one line. */
bool text_is_line(const char *text, size_t size);

/* A JSON value on one line, as jansson writes it, for people: what is not harmless beyond ASCII is escaped,
 * too.
 */
void text_write_json(FILE *out, const char *json);

/* A copy in which what terminals obey beyond ASCII, and what is no UTF-8, stands as \xNN; control characters
 * of ASCII are as they are. malloc'ed; NULL without memory. */
char *text_harmless(const char *text);

/* Writes text so that it stays on its line: what is not harmless as \xNN, newline as \n, backslash doubled.
 */
void text_write_safe(FILE *out, const char *text);
/* Same, for a part of a larger text. */
void text_write_safe_n(FILE *out, const char *text, size_t size);

/* The candidate that is nearest to `word`, or NULL where none is near enough to be meant. `candidates` is an
 * array of `count` strings; NULL entries are skipped. */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

/* The next word of a line, with the quotes and backslashes of a shell taken off, in place; *line moves behind
 * it. 1: *ret_word; 0: the end; -EINVAL: a quote that is not closed. */
int text_next_word(char **line, char **ret_word);

/* Whether the bytes are valid UTF-8 without NUL (RFC 3629). */
bool text_is_utf8(const char *text, size_t size);
