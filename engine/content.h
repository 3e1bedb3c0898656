/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Contents: bytes that are kept once, whoever refers to them, found by their hash (BLAKE2b, 32 bytes) and
 * verified by it at every read. Small ones are kept as they are, others compressed by zstd; one that follows
 * an older one is kept as what differs from it, which then stays as long as it is needed.
 *
 * Whoever keeps an id in a row holds a reference. The functions that change something stand in a change.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "engine/engine.h"

struct content_coder;

enum { CONTENT_HASH_SIZE = 32 };

/* What zstd needs to work, for engine->contents. NULL without memory. */
struct content_coder *content_coder_new(void);
void content_coder_free(struct content_coder *coder);

/* The content with these bytes: -ENOENT when it is not kept yet. Takes no reference. */
int content_find(struct engine *engine, const unsigned char hash[CONTENT_HASH_SIZE], int64_t *ret_id);
void content_hash(const void *data, size_t size, unsigned char ret_hash[CONTENT_HASH_SIZE]);

/* Keeps the bytes and takes a reference. `base` is the content that they follow, 0: none. */
int content_keep(struct engine *engine, const void *data, size_t size, int64_t base, int64_t *ret_id);

/* Lets a reference go; what nobody refers to any more is removed. */
int content_release(struct engine *engine, int64_t id);

/* -EBADMSG when the bytes are not what was kept. */
int content_read(struct engine *engine, int64_t id, struct buffer *ret_content);
