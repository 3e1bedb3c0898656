/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which open files the kernel may serve from its page cache.
 *
 * The page cache belongs to the inode, but content is fixed for each open: two opens that see different
 * content must not share it. So at any time all cached opens of an inode have the same content; an open that
 * differs while another one lives gets its own copy (direct I/O); one that differs when none lives makes the
 * kernel drop its pages. What was cached last is remembered by a hash of its content, so that the pages stay
 * when the content has not changed.
 *
 * The size belongs to the inode, too, and ends what is read through the cache. Who has opened the old
 * content, and is told the new one's size before he has read it, reads a part of it, or zeros behind it. So
 * what was seen to change a moment ago is not cached; and as long as somebody may be reading what he opened
 * just now, the size that is told to anybody is the one of that.
 *
 * Whoever opens with O_TRUNC makes the kernel's size 0 by himself, while the old content stands until he
 * closes: who reads it through the cache at that moment may find nothing. So while somebody has it open to
 * write nothing is cached, and an open with O_TRUNC waits for those who may be reading what they opened just
 * now.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONTENT_CACHED_MAX = 128 << 10, /* bytes: what fits one READ of the kernel */
	CONTENT_REST_MS = 1000,		/* so long after a change was seen nothing is cached */
	CONTENT_READING_MS = 1000,	/* so long after it was opened somebody may be reading it */
	CONTENT_CUT_MS = 250,		/* so long an open with O_TRUNC waits for him at most */
};

struct content_table;

struct content_table *content_table_new(void);
void content_table_free(struct content_table *table);

/* Whether this open may be cached; *ret_same: the kernel's pages, if it has any, are these bytes. Each mount
 * has pages of its own: `mount` is any address that stands for it. `age_ms`: how long ago they came to be
 * what they are; asked for where the table does not know the number. The time is that of a clock that nobody
 * sets. */
bool content_knows(const struct content_table *table, uint64_t number);
bool content_open(struct content_table *table, uint64_t number, const void *mount, const char *data,
	size_t size, int64_t age_ms, int64_t now_ms, bool *ret_same);

/* The kernel is told that the file is so large. When it shrinks, the kernel fills the last page that is left
 * with zeros: should the content be again what it was, the pages are not. */
void content_told(struct content_table *table, uint64_t number, int64_t size);

/* For each open that was allowed. */
void content_close(struct content_table *table, uint64_t number);

/* From here to there it may be written. */
void content_write_begin(struct content_table *table, uint64_t number);
void content_write_end(struct content_table *table, uint64_t number);

/* Whether somebody may be reading, through the cache, what he opened just now. */
bool content_being_read(const struct content_table *table, uint64_t number, int64_t now_ms);

/* The size to tell of an inode whose content has `size` bytes now: another one must not be kept by the
 * kernel. */
int64_t content_size_told(const struct content_table *table, uint64_t number, int64_t size, int64_t now_ms);
