/* SPDX-License-Identifier: MIT */
/* Before-images: keeping them, and giving them back. */
#include "engine/image.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/content.h"
#include "engine/detect.h"
#include "engine/seal.h"

enum {
	KEY_SIZE = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
	NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	JSON_FLAGS = JSON_COMPACT | JSON_SORT_KEYS,
};

/* The run's key. */

struct key {
	unsigned char bytes[KEY_SIZE];
};

static void key_wipe(struct key *key)
{
	sodium_memzero(key->bytes, sizeof(key->bytes));
}

static void key_name(int64_t run_id, char ret_what[SEAL_WHAT_SIZE])
{
	snprintf(ret_what, SEAL_WHAT_SIZE, "image:%" PRId64, run_id);
}

static int key_make(struct engine *engine, int64_t run_id, struct fault *fault, struct key *ret_key)
{
	CLEANUP(cleanup_free) char *sealed = NULL;
	char what[SEAL_WHAT_SIZE], hex[2 * KEY_SIZE + 1];
	struct key key;
	int r;

	randombytes_buf(key.bytes, sizeof(key.bytes));
	sodium_bin2hex(hex, sizeof(hex), key.bytes, sizeof(key.bytes));
	key_name(run_id, what);
	r = seal_make(engine, what, hex, strlen(hex), fault, &sealed);
	sodium_memzero(hex, sizeof(hex));
	if (r == 0)
		r = store_run(engine->store, SQL_IMAGE_KEY_ADD, "is", run_id, sealed);
	if (r == 0)
		*ret_key = key;
	key_wipe(&key);
	return r;
}

static int key_open(
	struct engine *engine, int64_t run_id, const char *sealed, struct fault *fault, struct key *ret_key)
{
	CLEANUP(buffer_wipe) struct buffer hex = { 0 };
	char what[SEAL_WHAT_SIZE];
	struct key key;
	size_t size;
	int r;

	key_name(run_id, what);
	r = seal_open(engine, what, sealed, fault, &hex);
	if (r < 0)
		return r;
	if (sodium_hex2bin(key.bytes, sizeof(key.bytes), buffer_text(&hex), hex.size, NULL, &size, NULL) <
			0 ||
		size != sizeof(key.bytes))
		return -EBADMSG;
	*ret_key = key;
	key_wipe(&key);
	return 0;
}

/* `make`: one that has none gets one. -ENOENT. */
static int key_get(struct engine *engine, int64_t run_id, bool make, struct fault *fault, struct key *ret_key)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_IMAGE_KEY_GET, "i", run_id);
	int r = query_step(query);

	if (r > 0)
		return key_open(engine, run_id, query_text(query, 0), fault, ret_key);
	query_end(TAKE(query));
	return r < 0 ? r : make ? key_make(engine, run_id, fault, ret_key) : -ENOENT;
}

static int encrypt(struct engine *engine, int64_t run_id, const void *data, size_t size, struct fault *fault,
	struct buffer *ret_data)
{
	CLEANUP(key_wipe) struct key key = { 0 };
	unsigned char *bytes;
	int r = key_get(engine, run_id, true, fault, &key);

	if (r == 0)
		r = buffer_reserve(ret_data, NONCE_SIZE + size + TAG_SIZE);
	if (r < 0)
		return r;
	bytes = (unsigned char *)ret_data->data;
	randombytes_buf(bytes, NONCE_SIZE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		bytes + NONCE_SIZE, NULL, data, size, NULL, 0, NULL, bytes, key.bytes);
	ret_data->size = NONCE_SIZE + size + TAG_SIZE;
	return 0;
}

static int decrypt(struct engine *engine, int64_t run_id, const void *data, size_t size, struct fault *fault,
	struct buffer *ret_data)
{
	CLEANUP(key_wipe) struct key key = { 0 };
	const unsigned char *bytes = data;
	int r = key_get(engine, run_id, false, fault, &key);

	if (r == 0 && size < NONCE_SIZE + TAG_SIZE)
		r = -EBADMSG;
	if (r == 0)
		r = buffer_reserve(ret_data, size);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)ret_data->data, NULL, NULL,
		    bytes + NONCE_SIZE, size - NONCE_SIZE, NULL, 0, bytes, key.bytes) < 0)
		return fault_set(fault, EBADMSG, "what run %" PRId64 " kept is damaged", run_id);
	ret_data->size = size - NONCE_SIZE - TAG_SIZE;
	return 0;
}

/* Parts. */

int image_part_add(struct engine *engine, int64_t run_id, const void *data, size_t size, bool is_private,
	struct fault *fault, int64_t *ret_id)
{
	CLEANUP(buffer_done) struct buffer sealed = { 0 };
	int64_t content = 0;
	int r = is_private ? encrypt(engine, run_id, data, size, fault, &sealed)
			   : content_keep(engine, data, size, 0, &content);

	return r < 0 ? r
		     : store_insert(engine->store, ret_id, SQL_IMAGE_PART_ADD, "iiib", run_id, (int64_t)size,
			       content, sealed.size ? sealed.data : "", sealed.size);
}

int image_part_read(
	struct engine *engine, int64_t run_id, int64_t id, struct fault *fault, struct buffer *ret_data)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_IMAGE_PART_GET, "ii", id, run_id);
	int r = query_step(query);
	const void *bytes;
	size_t size;

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (query_int(query, 0))
		return content_read(engine, query_int(query, 0), ret_data);
	bytes = query_blob(query, 1, &size);
	return decrypt(engine, run_id, bytes, size, fault, ret_data);
}

int image_sum(struct engine *engine, int64_t run_id, int64_t *ret_size)
{
	return store_get_int(engine->store, ret_size, SQL_IMAGE_SUM, "i", run_id);
}

/* Images. */

/* What is stored of the JSON. */
static int pack(struct engine *engine, int64_t run_id, const json_t *data, bool is_private,
	struct fault *fault, struct buffer *ret_data)
{
	CLEANUP(cleanup_free) char *text = json_dumps(data, JSON_FLAGS);
	size_t size = text ? strlen(text) : 0;

	if (!text)
		return -ENOMEM;
	if (size > IMAGE_DATA_MAX)
		return fault_set(
			fault, EFBIG, "it has %zu bytes, and up to %d are kept", size, IMAGE_DATA_MAX);
	return is_private ? encrypt(engine, run_id, text, size, fault, ret_data)
			  : buffer_append(ret_data, text, size);
}

int image_add(struct engine *engine, int64_t run_id, const struct image_draft *draft, struct fault *fault,
	int64_t *ret_id)
{
	CLEANUP(buffer_done) struct buffer bytes = { 0 };
	json_auto_t *data = json_pack("{s:O?, s:O?, s:O?, s:O?}", "desired", draft->desired, "was",
		draft->was, "image", draft->image, "row", draft->row);
	const char *reason = draft->reason ? draft->reason : "";
	struct fault why = { 0 };
	int r = data ? pack(engine, run_id, data, draft->is_private, &why, &bytes) : -ENOMEM;

	FAILPOINT("image.add");
	if (r == -ENOKEY || r == -EFBIG) {
		/* Without it the change is made all the same; it is only not put back. */
		reason = why.text;
		buffer_done(&bytes);
		r = buffer_append_text(&bytes, "{}");
	}
	if (r < 0)
		return fault_default(fault, -r, "%s", *why.text ? why.text : strerror(-r));
	return store_insert(engine->store, ret_id, SQL_IMAGE_ADD, "issssiibi", run_id,
		draft->task ? draft->task : "", draft->type, draft->name, reason, draft->undoes,
		(int64_t)(draft->is_private && reason != why.text), bytes.data, bytes.size, time_now_ms());
}

static void row_read(struct query *query, struct image *ret_image)
{
	*ret_image = (struct image){
		.id = query_int(query, 0),
		.run_id = query_int(query, 1),
		.task = query_text(query, 2),
		.type = query_text(query, 3),
		.name = query_text(query, 4),
		.state = query_text(query, 5),
		.reason = query_text(query, 6),
		.error = query_text(query, 7),
		.undoes = query_int(query, 8),
		.sealed = query_int(query, 9) != 0,
		.time_ms = query_int(query, 10),
	};
}

int image_get(struct engine *engine, int64_t id, struct fault *fault,
	int (*each)(void *userdata, const struct image *image, json_t *data), void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_IMAGE_GET, "i", id);
	CLEANUP(buffer_wipe) struct buffer plain = { 0 };
	json_auto_t *data = NULL;
	struct image image;
	const void *bytes;
	size_t size;
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	row_read(query, &image);
	bytes = query_blob(query, 11, &size);
	r = image.sealed ? decrypt(engine, image.run_id, bytes, size, fault, &plain)
			 : buffer_append(&plain, bytes, size);
	if (r < 0)
		return r;
	data = json_loadb(buffer_text(&plain), plain.size, 0, NULL);
	return json_is_object(data) ? each(userdata, &image, data) : -EBADMSG;
}

struct becoming {
	struct engine *engine;
	const json_t *became;
	bool sealed;
	struct buffer data;
};

static int become(void *userdata, const struct image *image, json_t *data)
{
	struct becoming *becoming = userdata;

	becoming->sealed = image->sealed;
	if (becoming->became)
		json_object_set(data, "became", (json_t *)(uintptr_t)becoming->became);
	return pack(becoming->engine, image->run_id, data, image->sealed, NULL, &becoming->data);
}

static int set_done(struct engine *engine, int64_t id, const json_t *became)
{
	struct becoming becoming = { .engine = engine, .became = became };
	int r = image_get(engine, id, NULL, become, &becoming);

	if (r == 0)
		r = store_run(engine->store, SQL_IMAGE_SET_DATA, "isib", id, "done", (int64_t)becoming.sealed,
			becoming.data.data, becoming.data.size);
	else if (r == -EFBIG || r == -ENOKEY)
		r = store_run(engine->store, SQL_IMAGE_SET_STATE, "iss", id, "done", "");
	buffer_done(&becoming.data);
	return r;
}

int image_done(
	struct engine *engine, int64_t run_id, const char *type, const char *name, const json_t *became)
{
	int64_t id;
	int r;

	FAILPOINT("image.done");
	/* One that was tried twice has two. */
	while ((r = store_get_int(engine->store, &id, SQL_IMAGE_OPEN, "iss", run_id, type, name)) == 0) {
		r = set_done(engine, id, became);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

static int each_row(
	struct query *query, int (*each)(void *userdata, const struct image *image), void *userdata)
{
	struct image image;
	int r;

	while ((r = query_step(query)) > 0) {
		row_read(query, &image);
		r = each(userdata, &image);
		if (r)
			return r;
	}
	return r;
}

int image_each(struct engine *engine, int64_t run_id, int (*each)(void *userdata, const struct image *image),
	void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_IMAGE_EACH, "i", run_id);

	return each_row(query, each, userdata);
}

int image_each_standing(struct engine *engine, int64_t run_id, const char *task, int64_t before,
	int (*each)(void *userdata, const struct image *image), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query =
		task ? query_begin(engine->store, SQL_IMAGE_STANDING_OF_TASK, "isi", run_id, task, before)
		     : query_begin(engine->store, SQL_IMAGE_STANDING, "ii", run_id, before);

	return each_row(query, each, userdata);
}

static int undoes_of(void *userdata, const struct image *image, json_t *data)
{
	*(int64_t *)userdata = image->undoes;
	return 0;
}

int image_set_state(struct engine *engine, int64_t id, const char *state, const char *error)
{
	bool undone = !strcmp(state, "undone"), stands = false;
	int64_t undoes = 0;
	int r = store_run(engine->store, SQL_IMAGE_SET_STATE, "iss", id, state, error ? error : "");

	FAILPOINT("image.marked");
	if (r == 0)
		r = image_get(engine, id, NULL, undoes_of, &undoes);
	/* What an undo had put back stands again when it is undone itself, and so on to the first. Images are
	 * younger than those that they undo, so this ends, whatever the rows say. */
	while (r == 0 && undone && undoes && undoes < id) {
		id = undoes;
		r = image_get(engine, id, NULL, undoes_of, &undoes);
		if (r == -ENOENT)
			return 0; /* its run is deleted */
		if (r == 0)
			r = store_run(engine->store, SQL_IMAGE_SET_STATE, "iss", id,
				(stands = !stands) ? "done" : "undone", "");
	}
	return r;
}

int image_settle(struct engine *engine, int64_t run_id, const char *task)
{
	return store_run(engine->store, SQL_IMAGE_SETTLE, "is", run_id, task);
}

int image_each_later(struct engine *engine, int64_t run_id, int64_t stack_id,
	int (*each)(void *userdata, const char *type, const char *name, int64_t run_id), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query =
		query_begin(engine->store, SQL_IMAGE_LATER, "iis", run_id, stack_id, DRIFT_FIX_FILE);
	int r;

	while ((r = query_step(query)) > 0) {
		r = each(userdata, query_text(query, 0), query_text(query, 1), query_int(query, 2));
		if (r)
			return r;
	}
	return r;
}

/* The parts, as the rows go with the run's. */
int image_forget(struct engine *engine, int64_t run_id)
{
	json_auto_t *contents = json_array();
	struct query *query = query_begin(engine->store, SQL_IMAGE_PART_CONTENTS, "i", run_id);
	json_t *id;
	size_t i;
	int r;

	while ((r = query_step(query)) > 0)
		json_array_append_new(contents, json_integer((json_int_t)query_int(query, 0)));
	query_end(query);
	json_array_foreach (contents, i, id)
		if (r == 0)
			r = content_release(engine, json_integer_value(id));
	return r;
}
