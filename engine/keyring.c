/* SPDX-License-Identifier: MIT */
/* Having keys: reading them, and making the first ones. */
#include "engine/keyring.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/keyring-internal.h"

enum {
	NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	WRAPPED_SIZE = NONCE_SIZE + KEY_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES,
};

static const unsigned char wrap_what[] = "data-key";

void keyring_forget(struct keyring *keyring)
{
	sodium_free(keyring->keys);
	keyring->keys = NULL;
	keyring->count = 0;
	keyring->loaded = false;
}

/* Keys stand in locked memory with guards around it. */
static struct data_key *keys_room(struct keyring *keyring)
{
	struct data_key *keys = sodium_allocarray(keyring->count + 1, sizeof(*keys));

	if (!keys)
		return NULL;
	if (keyring->count)
		memcpy(keys, keyring->keys, keyring->count * sizeof(*keys));
	sodium_free(keyring->keys);
	keyring->keys = keys;
	return &keys[keyring->count++];
}

static int unwrap(
	struct keyring *keyring, const unsigned char *wrapped, size_t size, unsigned char ret_key[KEY_SIZE])
{
	if (size != WRAPPED_SIZE ||
		crypto_aead_xchacha20poly1305_ietf_decrypt(ret_key, NULL, NULL, wrapped + NONCE_SIZE,
			size - NONCE_SIZE, wrap_what, sizeof(wrap_what), wrapped, keyring->master_bytes) != 0)
		return -ENOKEY;
	return 0;
}

int keyring_wrap(struct keyring *keyring, const unsigned char key[KEY_SIZE], struct buffer *ret_wrapped)
{
	unsigned char wrapped[WRAPPED_SIZE];

	randombytes_buf(wrapped, NONCE_SIZE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(wrapped + NONCE_SIZE, NULL, key, KEY_SIZE, wrap_what,
		sizeof(wrap_what), NULL, wrapped, keyring->master_bytes);
	return buffer_append(ret_wrapped, wrapped, sizeof(wrapped));
}

static int load_master(struct keyring *keyring, struct master_key *ret_master)
{
	CLEANUP(query_endp) struct query *query = query_begin(keyring->engine->store, SQL_MASTER_KEY_GET, "");
	struct master_key master = { 0 };
	const void *salt;
	size_t size;
	int r = query_step(query);

	if (r > 0) {
		master.id = query_int(query, 0);
		master.passphrase = !strcmp(query_text(query, 1), "passphrase");
		salt = query_blob(query, 2, &size);
		if (size != sizeof(master.salt))
			return -EBADMSG;
		memcpy(master.salt, salt, size);
		master.effort = query_int(query, 3);
		master.memory = query_int(query, 4);
		master.created_ms = query_int(query, 5);
	}
	if (r >= 0)
		*ret_master = master;
	return r < 0 ? r : 0;
}

static int load_data_keys(struct keyring *keyring)
{
	CLEANUP(query_endp) struct query *query = query_begin(keyring->engine->store, SQL_DATA_KEY_EACH, "");
	struct data_key *key;
	const void *wrapped;
	size_t size;
	int r;

	while ((r = query_step(query)) > 0) {
		key = keys_room(keyring);
		if (!key)
			return -ENOMEM;
		wrapped = query_blob(query, 1, &size);
		key->id = query_int(query, 0);
		key->retired = query_int(query, 3) != 0;
		r = unwrap(keyring, wrapped, size, key->bytes);
		if (r < 0)
			return r;
	}
	return r;
}

static void unwrap_fault(struct keyring *keyring, struct fault *fault)
{
	char name[MASTER_NAME_SIZE];

	if (keyring->master.passphrase)
		fault_set(fault, ENOKEY,
			"the passphrase in %s is not the one that the values were sealed with",
			keyring->passphrase_file);
	else
		fault_set(fault, ENOKEY,
			"the master key %s/%s is not the one that the values were sealed with",
			keyring->engine->home, master_key_name(&keyring->master, name));
}

/* Whether nothing has changed since the last failure. */
static bool hopeless(struct keyring *keyring)
{
	struct stat st;

	if (!keyring->failure.code || !keyring->passphrase_file || !keyring->master.passphrase)
		return false;
	return stat(keyring->passphrase_file, &st) == 0 && st.st_ctim.tv_sec == keyring->tried.tv_sec &&
	       st.st_ctim.tv_nsec == keyring->tried.tv_nsec;
}

static int load_all(struct keyring *keyring, const struct master_key *master, struct fault *fault)
{
	int r;

	if (!keyring->master_known || memcmp(keyring->master.salt, master->salt, MASTER_SALT_SIZE) != 0) {
		keyring->master_known = false;
		keyring->master = *master;
		r = master_key_read(keyring->engine->home, keyring->passphrase_file, master, fault,
			keyring->master_bytes);
		if (r < 0)
			return r;
	}
	keyring->master = *master;
	keyring->master_known = true;
	r = load_data_keys(keyring);
	if (r == -ENOKEY) {
		keyring->master_known = false;
		unwrap_fault(keyring, fault);
	}
	return r;
}

int keyring_load(struct keyring *keyring, struct fault *fault)
{
	uint64_t undo_count = store_undo_count(keyring->engine->store);
	struct fault failure = { 0 };
	struct master_key master;
	struct stat st;
	int r;

	if (keyring->loaded && keyring->undo_count == undo_count)
		return 0;
	keyring_forget(keyring);
	r = load_master(keyring, &master);
	if (r < 0)
		return r;
	if (hopeless(keyring))
		return fault_set(fault, keyring->failure.code, "%s", keyring->failure.text);
	if (keyring->passphrase_file && stat(keyring->passphrase_file, &st) == 0)
		keyring->tried = st.st_ctim;
	if (master.id) {
		r = load_all(keyring, &master, &failure);
	} else {
		keyring->master = master;
		keyring->master_known = false;
	}
	if (r < 0) {
		keyring_forget(keyring);
		keyring->failure = failure;
		return fault_set(fault, -r, "%s", failure.code ? failure.text : strerror(-r));
	}
	keyring->failure.code = 0;
	keyring->loaded = true;
	keyring->undo_count = undo_count;
	return 0;
}

int keyring_add_master(struct keyring *keyring, const char *passphrase_file, struct fault *fault)
{
	struct engine *engine = keyring->engine;
	struct master_key master;
	int r = master_key_make(engine->home, passphrase_file, fault, &master, keyring->master_bytes);

	keyring->master_known = false;
	if (r < 0)
		return r;
	r = store_insert(engine->store, &master.id, SQL_MASTER_KEY_ADD, "sbiii",
		master.passphrase ? "passphrase" : "file", master.salt, sizeof(master.salt), master.effort,
		master.memory, master.created_ms);
	if (r < 0) {
		master_key_remove(engine->home, &master);
		return r;
	}
	keyring->master = keyring->added = master;
	keyring->master_known = true;
	return 0;
}

int keyring_add_data_key(struct keyring *keyring)
{
	CLEANUP(buffer_done) struct buffer wrapped = { 0 };
	struct data_key *key = keys_room(keyring);
	int r;

	if (!key)
		return -ENOMEM;
	*key = (struct data_key){ 0 };
	randombytes_buf(key->bytes, KEY_SIZE);
	r = keyring_wrap(keyring, key->bytes, &wrapped);
	if (r == 0)
		r = store_insert(keyring->engine->store, &key->id, SQL_DATA_KEY_ADD, "bi", wrapped.data,
			wrapped.size, time_now_ms());
	if (r < 0)
		keyring_forget(keyring);
	return r;
}

int keyring_current(
	struct keyring *keyring, struct fault *fault, int64_t *ret_id, const unsigned char **ret_key)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = keyring_load(keyring, fault);

	for (size_t i = keyring->count; r == 0 && i > 0; i--)
		if (!keyring->keys[i - 1].retired) {
			*ret_id = keyring->keys[i - 1].id;
			*ret_key = keyring->keys[i - 1].bytes;
			return 0;
		}
	if (r == 0)
		r = store_change_begin(keyring->engine->store, &change);
	if (r == 0 && !keyring->master.id)
		r = keyring_add_master(keyring, keyring->passphrase_file, fault);
	if (r == 0)
		r = keyring_add_data_key(keyring);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	*ret_id = keyring->keys[keyring->count - 1].id;
	*ret_key = keyring->keys[keyring->count - 1].bytes;
	return 0;
}

int keyring_find(struct keyring *keyring, int64_t id, struct fault *fault, const unsigned char **ret_key)
{
	int r = keyring_load(keyring, fault);

	if (r < 0)
		return r;
	for (size_t i = 0; i < keyring->count; i++)
		if (keyring->keys[i].id == id) {
			*ret_key = keyring->keys[i].bytes;
			return 0;
		}
	return fault_set(fault, EBADMSG,
		"a value was sealed with key %lld, which is not in this database: it is from another one",
		(long long)id);
}

void keyring_turn_ended(struct keyring *keyring, int result)
{
	struct master_key *left = result < 0 ? &keyring->added : &keyring->removed;

	if (left->id) {
		FAILPOINT("rotate.remove");
		master_key_remove(keyring->engine->home, left);
		FAILPOINT("rotate.removed");
	}
	keyring->added.id = keyring->removed.id = 0;
	if (result < 0)
		keyring_forget(keyring);
}

/* A daemon that died between the commit and the removal has left the file of a key that is retired. */
static void remove_retired(struct keyring *keyring)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(keyring->engine->store, SQL_MASTER_KEY_RETIRED, "");
	struct master_key master = { 0 };
	const void *salt;
	size_t size;

	while (query_step(query) > 0) {
		salt = query_blob(query, 0, &size);
		if (size != sizeof(master.salt))
			continue;
		memcpy(master.salt, salt, size);
		master_key_remove(keyring->engine->home, &master);
	}
}

int keyring_new(struct engine *engine, struct keyring **ret_keyring)
{
	const char *file = getenv("SLOTH_PASSPHRASE_FILE");
	struct keyring *keyring = calloc(1, sizeof(*keyring));
	struct fault fault = { 0 };

	if (!keyring)
		return -ENOMEM;
	keyring->engine = engine;
	keyring->master_bytes = sodium_malloc(KEY_SIZE);
	if (file && *file)
		keyring->passphrase_file = strdup(file);
	if (!keyring->master_bytes || (file && *file && !keyring->passphrase_file)) {
		keyring_free(keyring);
		return -ENOMEM;
	}
	remove_retired(keyring);
	/* Now rather than at the first request: making a key from a passphrase takes a while. */
	if (keyring_load(keyring, &fault) < 0)
		log_warning("%s", fault.text);
	*ret_keyring = keyring;
	return 0;
}

void keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	keyring_forget(keyring);
	sodium_free(keyring->master_bytes);
	free(keyring->passphrase_file);
	free(keyring);
}

static void show_data_keys(struct keyring *keyring, FILE *out)
{
	CLEANUP(query_endp) struct query *query = query_begin(keyring->engine->store, SQL_DATA_KEY_EACH, "");
	char created[32], retired[32];

	while (query_step(query) > 0) {
		int64_t retired_ms = query_int(query, 3);

		fprintf(out, "key %lld: made %s, %s%s\n", (long long)query_int(query, 0),
			time_format(query_int(query, 2), created), retired_ms ? "retired " : "in use",
			retired_ms ? time_format(retired_ms, retired) : "");
	}
}

void keyring_show(struct keyring *keyring, FILE *out)
{
	struct fault fault = { 0 };
	char name[MASTER_NAME_SIZE], created[32];
	int r = keyring_load(keyring, &fault);

	fprintf(out, "state: %s\n",
		r == 0 ? keyring->master.id ? "ready" : "nothing is sealed yet" : fault.text);
	if (!keyring->master.id)
		return;
	fprintf(out, "master key: %s, made %s\n",
		keyring->master.passphrase ? "from a passphrase" : master_key_name(&keyring->master, name),
		time_format(keyring->master.created_ms, created));
	show_data_keys(keyring, out);
}
