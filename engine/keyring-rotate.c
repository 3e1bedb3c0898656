/* SPDX-License-Identifier: MIT */
/* Changing keys: all that is sealed is opened with the old ones and sealed with a new one, in one change. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/event.h"
#include "engine/keyring-internal.h"
#include "engine/seal.h"

/* Where sealed values stand: a new table with such is a row here. */
static const struct {
	enum statement each; /* id, what it is, the sealed text */
	enum statement set;  /* id, the sealed text */
} sealed_rows[] = {
	{ SQL_SECRET_SEALED, SQL_SECRET_RESEAL },
	{ SQL_OUTPUT_SEALED, SQL_OUTPUT_RESEAL },
	{ SQL_RUN_SECRET_SEALED, SQL_RUN_SECRET_RESEAL },
	{ SQL_IMAGE_KEY_SEALED, SQL_IMAGE_KEY_RESEAL },
	{ SQL_RESOURCE_SECRET_SEALED, SQL_RESOURCE_SECRET_RESEAL },
	{ SQL_RESOURCE_APPLIED_SEALED, SQL_RESOURCE_APPLIED_RESEAL },
};

/* The rows of one table, read before any is changed. */
static json_t *rows_read(struct engine *engine, enum statement each)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, each, "");
	json_t *rows = json_array();
	int r;

	while ((r = query_step(query)) > 0)
		json_array_append_new(rows, json_pack("[I, s, s]", (json_int_t)query_int(query, 0),
						    query_text(query, 1), query_text(query, 2)));
	if (r == 0)
		return rows;
	json_decref(rows);
	return NULL;
}

/* What is damaged stays as it is: it must not be in the way of a rotation. */
static int reseal(struct engine *engine, enum statement set, int64_t id, const char *what, const char *text,
	struct fault *fault)
{
	CLEANUP(buffer_wipe) struct buffer plain = { 0 };
	CLEANUP(cleanup_free) char *sealed = NULL;
	struct fault damaged = { 0 };
	int r = seal_open(engine, what, text, &damaged, &plain);

	if (r == -EBADMSG)
		return 0;
	if (r == 0)
		r = seal_make(engine, what, plain.data, plain.size, fault, &sealed);
	return r < 0 ? r : store_run(engine->store, set, "is", id, sealed);
}

static int reseal_all(struct engine *engine, struct fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(sealed_rows) / sizeof(sealed_rows[0]); i++) {
		json_auto_t *rows = rows_read(engine, sealed_rows[i].each);
		json_t *row;
		size_t j;

		if (!rows)
			return -EIO;
		json_array_foreach (rows, j, row)
			if (r == 0)
				r = reseal(engine, sealed_rows[i].set,
					json_integer_value(json_array_get(row, 0)),
					json_string_value(json_array_get(row, 1)),
					json_string_value(json_array_get(row, 2)), fault);
	}
	return r;
}

/* The data keys that there are, under the new master key; none of them seals any more. */
static int rewrap_all(struct keyring *keyring)
{
	struct store *store = keyring->engine->store;
	int r = 0;

	for (size_t i = 0; r == 0 && i < keyring->count; i++) {
		CLEANUP(buffer_done) struct buffer wrapped = { 0 };

		r = keyring_wrap(keyring, keyring->keys[i].bytes, &wrapped);
		if (r == 0)
			r = store_run(store, SQL_DATA_KEY_WRAP, "ib", keyring->keys[i].id, wrapped.data,
				wrapped.size);
		keyring->keys[i].retired = true;
	}
	return r < 0 ? r : store_run(store, SQL_DATA_KEY_RETIRE, "i", time_now_ms());
}

static int rotate(struct keyring *keyring, struct caller *caller, bool to_file, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = keyring->engine;
	struct master_key old = keyring->master;
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = keyring_add_master(keyring, to_file ? NULL : keyring->passphrase_file, fault);
	if (r == 0 && old.id)
		r = store_run(engine->store, SQL_MASTER_KEY_RETIRE, "ii", old.id, time_now_ms());
	FAILPOINT("rotate.retired");
	if (r == 0)
		r = rewrap_all(keyring);
	FAILPOINT("rotate.wrapped");
	if (r == 0)
		r = keyring_add_data_key(keyring);
	if (r == 0)
		r = reseal_all(engine, fault);
	FAILPOINT("rotate.sealed");
	if (r == 0)
		r = event_add(engine, caller, "keys.rotated", 0, NULL, 0,
			json_pack("{s:s, s:I}", "master", keyring->master.passphrase ? "passphrase" : "file",
				"key", (json_int_t)keyring->keys[keyring->count - 1].id));
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		keyring->removed = old;
	return r;
}

int keyring_rotate(struct keyring *keyring, struct caller *caller, bool to_file, struct fault *fault)
{
	struct master_key added = keyring->added;
	int r;

	if (caller && !caller_owns(caller, geteuid()))
		return fault_set(fault, EPERM, "keys are rotated by root and by the daemon's user");
	r = keyring_load(keyring, fault);
	if (r < 0)
		return r;
	r = rotate(keyring, caller, to_file, fault);
	if (r < 0) {
		/* The new key wraps nothing that is kept. */
		if (keyring->added.id && keyring->added.id != added.id)
			master_key_remove(keyring->engine->home, &keyring->added);
		keyring->added = added;
		keyring->master_known = false;
		keyring_forget(keyring);
	}
	return r;
}
