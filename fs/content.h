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
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONTENT_CACHED_MAX = 128 << 10 }; /* bytes: what fits one READ of the kernel */

struct content_table;

struct content_table *content_table_new(void);
void content_table_free(struct content_table *table);

/* Whether this open may be cached; *ret_same: the kernel's pages, if it has any, are these bytes. */
bool content_open(
	struct content_table *table, uint64_t number, const char *data, size_t size, bool *ret_same);

/* For each open that was allowed. */
void content_close(struct content_table *table, uint64_t number);
