/* SPDX-License-Identifier: MIT */
#pragma once
/* A growable run of bytes, owned by whoever declared it. Always followed by a NUL that is not counted. */
#include <stddef.h>
#include <stdio.h>

struct buffer {
	char *data; /* NULL while nothing was ever stored */
	size_t size;
	size_t capacity;
};

void buffer_done(struct buffer *buffer);

/* Makes room for `size` bytes in all, keeping what is there. 0 or -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t size);
int buffer_append(struct buffer *buffer, const void *data, size_t size);
int buffer_append_text(struct buffer *buffer, const char *text);

/* Stores at an offset like pwrite(2): a gap is filled with zeros. */
int buffer_store(struct buffer *buffer, size_t offset, const void *data, size_t size);

/* Like ftruncate(2). */
int buffer_truncate(struct buffer *buffer, size_t size);

/* Drops `size` bytes from the front. */
void buffer_consume(struct buffer *buffer, size_t size);

/* The content as a C string; "" when empty. Borrowed, until the next change. */
const char *buffer_text(const struct buffer *buffer);

/* A stream whose content becomes the buffer's at buffer_stream_close(); NULL without memory.
 * The stream's target must stay where it is until then. */
FILE *buffer_stream_open(struct buffer *buffer);
int buffer_stream_close(FILE *stream, struct buffer *buffer);
