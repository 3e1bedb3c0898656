/* SPDX-License-Identifier: MIT */
/* Contents: kept once, compressed against what they follow, verified when they are read. */
#include "engine/content.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/cleanup.h"

/*
 * Below PLAIN_SIZE, zstd's frame costs more than it saves. A chain of differences is read from its far end:
 * CHAIN_LENGTH and CHAIN_BYTES bound what one read costs, and each is begun anew with a whole content.
 */
enum { PLAIN_SIZE = 64, CHAIN_LENGTH = 32, CHAIN_BYTES = 4 << 20, LEVEL = 3, SIZE_LIMIT = 1 << 30 };

struct content_coder {
	ZSTD_CCtx *compress;
	ZSTD_DCtx *decompress;
};

struct content_coder *content_coder_new(void)
{
	struct content_coder *coder = calloc(1, sizeof(*coder));

	if (!coder)
		return NULL;
	coder->compress = ZSTD_createCCtx();
	coder->decompress = ZSTD_createDCtx();
	if (!coder->compress || !coder->decompress) {
		content_coder_free(coder);
		return NULL;
	}
	ZSTD_CCtx_setParameter(coder->compress, ZSTD_c_compressionLevel, LEVEL);
	/* The row has the size, and the hash says whether the bytes are right. */
	ZSTD_CCtx_setParameter(coder->compress, ZSTD_c_contentSizeFlag, 0);
	ZSTD_CCtx_setParameter(coder->compress, ZSTD_c_checksumFlag, 0);
	return coder;
}

void content_coder_free(struct content_coder *coder)
{
	if (!coder)
		return;
	ZSTD_freeCCtx(coder->compress);
	ZSTD_freeDCtx(coder->decompress);
	free(coder);
}

void content_hash(const void *data, size_t size, unsigned char ret_hash[CONTENT_HASH_SIZE])
{
	crypto_generichash(ret_hash, CONTENT_HASH_SIZE, data, size, NULL, 0);
}

int content_find(struct engine *engine, const unsigned char hash[CONTENT_HASH_SIZE], int64_t *ret_id)
{
	return store_get_int(engine->store, ret_id, SQL_CONTENT_FIND, "b", hash, (size_t)CONTENT_HASH_SIZE);
}

/* One row as it is stored. */
struct stored {
	int64_t size, base, depth;
	unsigned char hash[CONTENT_HASH_SIZE];
	struct buffer data;
};

static void stored_done(struct stored *stored)
{
	buffer_done(&stored->data);
}

static int stored_get(struct engine *engine, int64_t id, struct stored *ret_stored)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_CONTENT_GET, "i", id);
	const void *data;
	size_t size;
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -EBADMSG; /* somebody refers to it: it has to be there */
	ret_stored->size = query_int(query, 0);
	ret_stored->base = query_int(query, 1);
	ret_stored->depth = query_int(query, 2);
	data = query_blob(query, 3, &size);
	if (size != sizeof(ret_stored->hash) || ret_stored->size < 0 || ret_stored->size > SIZE_LIMIT)
		return -EBADMSG;
	memcpy(ret_stored->hash, data, size);
	data = query_blob(query, 4, &size);
	return buffer_append(&ret_stored->data, data, size);
}

/* The bytes of a row, without a look at its hash. `steps` are those that a chain may still have. */
static int content_build(struct engine *engine, int64_t id, int steps, struct buffer *ret_content,
	unsigned char ret_hash[CONTENT_HASH_SIZE])
{
	CLEANUP(stored_done) struct stored stored = { 0 };
	CLEANUP(buffer_done) struct buffer base = { 0 };
	unsigned char unused[CONTENT_HASH_SIZE];
	size_t size;
	int r = stored_get(engine, id, &stored);

	if (r == 0 && steps == 0)
		r = -EBADMSG;
	if (r == 0 && stored.base)
		r = content_build(engine, stored.base, steps - 1, &base, unused);
	if (r == 0)
		r = buffer_truncate(ret_content, (size_t)stored.size);
	if (r < 0)
		return r;
	memcpy(ret_hash, stored.hash, sizeof(stored.hash));
	/* What zstd could not make smaller is stored as it is. */
	if ((int64_t)stored.data.size == stored.size && !stored.base) {
		memcpy(ret_content->data, buffer_text(&stored.data), stored.data.size);
		return 0;
	}
	ZSTD_DCtx_reset(engine->contents->decompress, ZSTD_reset_session_only);
	if (base.size &&
		ZSTD_isError(ZSTD_DCtx_refPrefix(engine->contents->decompress, base.data, base.size)))
		return -ENOMEM;
	size = ZSTD_decompressDCtx(engine->contents->decompress, ret_content->data, (size_t)stored.size,
		buffer_text(&stored.data), stored.data.size);
	return ZSTD_isError(size) || size != (size_t)stored.size ? -EBADMSG : 0;
}

int content_read(struct engine *engine, int64_t id, struct buffer *ret_content)
{
	unsigned char stored[CONTENT_HASH_SIZE], actual[CONTENT_HASH_SIZE];
	CLEANUP(buffer_done) struct buffer content = { 0 };
	int r = content_build(engine, id, CHAIN_LENGTH + 1, &content, stored);

	if (r < 0)
		return r;
	content_hash(buffer_text(&content), content.size, actual);
	if (memcmp(stored, actual, sizeof(actual)) != 0)
		return -EBADMSG;
	buffer_done(ret_content);
	*ret_content = content;
	content = (struct buffer){ 0 };
	return 0;
}

/* Whether the next content may be stored as a difference to this one, and its bytes. 1, 0 or -errno. */
static int base_get(
	struct engine *engine, int64_t base, size_t size, struct buffer *ret_content, int64_t *ret_depth)
{
	CLEANUP(stored_done) struct stored stored = { 0 };
	int64_t depth;
	int r;

	if (!base || size < PLAIN_SIZE)
		return 0;
	r = stored_get(engine, base, &stored);
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	depth = stored.depth + 1;
	if (depth > CHAIN_LENGTH || depth * (stored.size + (int64_t)size) > CHAIN_BYTES ||
		stored.size < PLAIN_SIZE)
		return 0;
	r = content_read(engine, base, ret_content);
	if (r < 0)
		return r == -EBADMSG ? 0 : r; /* what is damaged is nothing to build on */
	*ret_depth = depth;
	return 1;
}

/* The bytes as they will be stored: *ret_data is `data` itself, or in the buffer. */
static int content_encode(struct engine *engine, const void *data, size_t size, const struct buffer *base,
	struct buffer *buffer, const void **ret_data, size_t *ret_size)
{
	ZSTD_CCtx *zstd = engine->contents->compress;
	size_t bound = ZSTD_compressBound(size), packed;
	int r = buffer_truncate(buffer, bound);

	if (r < 0)
		return r;
	ZSTD_CCtx_reset(zstd, ZSTD_reset_session_only);
	if (base->size && ZSTD_isError(ZSTD_CCtx_refPrefix(zstd, base->data, base->size)))
		return -ENOMEM;
	packed = ZSTD_compress2(zstd, buffer->data, bound, data, size);
	if (ZSTD_isError(packed))
		return -ENOMEM;
	*ret_data = buffer->data;
	*ret_size = packed;
	return 0;
}

static int content_add(struct engine *engine, const unsigned char hash[CONTENT_HASH_SIZE], const void *data,
	size_t size, int64_t base, int64_t *ret_id)
{
	CLEANUP(buffer_done) struct buffer before = { 0 };
	CLEANUP(buffer_done) struct buffer packed = { 0 };
	const void *bytes = data;
	size_t count = size;
	int64_t depth = 0;
	int r = base_get(engine, base, size, &before, &depth);

	if (r == 0)
		base = 0;
	if (r >= 0 && size >= PLAIN_SIZE)
		r = content_encode(engine, data, size, &before, &packed, &bytes, &count);
	if (r < 0)
		return r;
	if (count >= size) {
		bytes = data;
		count = size;
		base = depth = 0;
	}
	if (base) {
		r = store_run(engine->store, SQL_CONTENT_HOLD, "i", base);
		if (r < 0)
			return r;
	}
	return store_insert(engine->store, ret_id, SQL_CONTENT_ADD, "biiib", hash, (size_t)CONTENT_HASH_SIZE,
		(int64_t)size, base, depth, bytes, count);
}

int content_keep(struct engine *engine, const void *data, size_t size, int64_t base, int64_t *ret_id)
{
	unsigned char hash[CONTENT_HASH_SIZE];
	int64_t id;
	int r;

	content_hash(data, size, hash);
	r = content_find(engine, hash, &id);
	if (r == 0)
		r = store_run(engine->store, SQL_CONTENT_HOLD, "i", id);
	else if (r == -ENOENT)
		r = content_add(engine, hash, data, size, base, &id);
	if (r == 0)
		*ret_id = id;
	return r;
}

int content_release(struct engine *engine, int64_t id)
{
	/* The last reference to a difference is one to what it stands on. */
	while (id) {
		int64_t refs, base = 0;
		int r = store_run(engine->store, SQL_CONTENT_RELEASE, "i", id);

		if (r == 0)
			r = store_get_int(engine->store, &refs, SQL_CONTENT_REFS, "i", id);
		if (r < 0)
			return r == -ENOENT ? -EBADMSG : r;
		if (refs > 0)
			return 0;
		r = store_get_int(engine->store, &base, SQL_CONTENT_DELETE, "i", id);
		if (r < 0)
			return r;
		id = base;
	}
	return 0;
}
