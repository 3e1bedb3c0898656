/* SPDX-License-Identifier: MIT */
/* A growable run of bytes. */
#include "base/buffer.h"

#include <errno.h>
#include <stdio_ext.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void buffer_done(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

int buffer_reserve(struct buffer *buffer, size_t size)
{
	size_t capacity = buffer->capacity ? buffer->capacity : 64;
	char *data;

	if (size < buffer->capacity)
		return 0;
	if (size >= SIZE_MAX / 2)
		return -ENOMEM;
	while (capacity <= size)
		capacity *= 2;
	data = realloc(buffer->data, capacity);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int buffer_append(struct buffer *buffer, const void *data, size_t size)
{
	/* Most are small, and there is room. */
	if (buffer->size + size < buffer->size || buffer->size + size >= buffer->capacity)
		return buffer_store(buffer, buffer->size, data, size);
	if (size)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	buffer->data[buffer->size] = '\0';
	return 0;
}

int buffer_append_text(struct buffer *buffer, const char *text)
{
	return buffer_append(buffer, text, strlen(text));
}

int buffer_store(struct buffer *buffer, size_t offset, const void *data, size_t size)
{
	if (offset > SIZE_MAX - size)
		return -ENOMEM;
	if (offset + size > buffer->size || !buffer->data) {
		size_t end = offset + size > buffer->size ? offset + size : buffer->size;
		int r = buffer_truncate(buffer, end);
		if (r < 0)
			return r;
	}
	if (size)
		memcpy(buffer->data + offset, data, size);
	return 0;
}

int buffer_truncate(struct buffer *buffer, size_t size)
{
	int r = buffer_reserve(buffer, size);

	if (r < 0)
		return r;
	if (size > buffer->size)
		memset(buffer->data + buffer->size, 0, size - buffer->size);
	buffer->size = size;
	buffer->data[size] = '\0';
	return 0;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
	if (!buffer->data)
		return;
	if (size > buffer->size)
		size = buffer->size;
	memmove(buffer->data, buffer->data + size, buffer->size - size + 1);
	buffer->size -= size;
}

const char *buffer_text(const struct buffer *buffer)
{
	return buffer->data ? buffer->data : "";
}

FILE *buffer_stream_open(struct buffer *buffer)
{
	FILE *stream;

	buffer_done(buffer);
	stream = open_memstream(&buffer->data, &buffer->size);
	/* No other thread knows it: to lock it for every character is half of what writing costs. */
	if (stream)
		__fsetlocking(stream, FSETLOCKING_BYCALLER);
	return stream;
}

int buffer_stream_close(FILE *stream, struct buffer *buffer)
{
	int bad = ferror(stream);

	if (fclose(stream) != 0 || bad || !buffer->data) {
		buffer_done(buffer);
		return -ENOMEM;
	}
	buffer->capacity = buffer->size + 1;
	return 0;
}
