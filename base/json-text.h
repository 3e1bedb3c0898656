/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Text as the inside of a JSON string, whatever bytes it has: what is no UTF-8 becomes U+FFFD, a byte at a
 * time. For what is rendered in large amounts at every read, and whose size must be known without rendering
 * it.
 */
#include <stddef.h>

/* How many bytes it makes. */
size_t json_text_size(const char *text, size_t size);
/* Writes them, without a NUL; returns the end. */
char *json_text_write(const char *text, size_t size, char *ret_text);
