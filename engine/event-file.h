/* SPDX-License-Identifier: MIT */
#pragma once
/* An archive of events: their JSON lines, compressed (zstd), in a file of its own. Written and read in
 * pieces. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct event_file;

/* A new file, 0600, which must not exist yet. */
int event_file_create(const char *path, struct event_file **ret_file);
/* Appends a part; what has come together is on disk by and by, so that the end need not wait for all of it.
 */
int event_file_write(struct event_file *file, const char *data, size_t size);
/* Ends the file and has it on disk. */
int event_file_finish(struct event_file *file);

int event_file_open(const char *path, struct event_file **ret_file);
/* Unpacks a part of the file: more text in `text`, and whether there is nothing after it. -EBADMSG: it is
 * damaged. */
int event_file_read(struct event_file *file, struct buffer *text, bool *ret_end);

void event_file_close(struct event_file *file);
static inline void event_file_closep(struct event_file **file)
{
	event_file_close(*file);
}
