/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Text as the inside of a JSON string, whatever bytes it has: what is no UTF-8 becomes U+FFFD, a byte at a
 * time. For what is rendered in large amounts at every read, and whose size must be known without rendering
 * it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* How many bytes it makes. */
size_t json_text_size(const char *text, size_t size);
/* Writes them, without a NUL; returns the end. */
char *json_text_write(const char *text, size_t size, char *ret_text);

/* The other way: writes what a JSON string (with its quotes) stands for, as fast as it can be copied. False:
 * it is none, or has escapes that are better left to a parser; then nothing was written. */
bool json_text_read(const char *json, size_t size, FILE *out);
