/* SPDX-License-Identifier: MIT */
/*
 * Encrypted texts: version, cost, salt and nonce before the sealed bytes, all in base64. The key is made of
 * the password by Argon2id (RFC 9106), which takes long on purpose; the text is sealed by XChaCha20-Poly1305.
 */
#include "lua/modules/seal.h"

#include <lauxlib.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lua/aside.h"

struct sealed {
	unsigned char version;
	unsigned char passes;
	unsigned char mebibytes[2];
	unsigned char salt[crypto_pwhash_SALTBYTES];
	unsigned char nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
};

enum {
	SEALED_VERSION = 1,
	SEALED_PASSES = 2,
	SEALED_MIB = 64,
	PASSES_MAX = 10,
	MIB_MAX = 512,
	TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	KEY_SIZE = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
};

/* What the thread has. */
struct key_work {
	struct sealed head;
	unsigned char key[KEY_SIZE];
	bool made;
	size_t sealed_size; /* decrypt's: of what comes behind the head */
	size_t size;
	char password[];
};

static void key_run(void *userdata)
{
	struct key_work *work = userdata;
	size_t mib = (size_t)(work->head.mebibytes[0] << 8 | work->head.mebibytes[1]);

	work->made = work->head.passes >= 1 && work->head.passes <= PASSES_MAX && mib >= 1 &&
		     mib <= MIB_MAX &&
		     crypto_pwhash(work->key, KEY_SIZE, work->password, work->size, work->head.salt,
			     work->head.passes, mib << 20, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static void key_free(void *userdata)
{
	struct key_work *work = userdata;

	sodium_memzero(work, sizeof(*work) + work->size);
	free(work);
}

/* With the password at 2. */
static struct key_work *key_new(lua_State *L, const struct sealed *head)
{
	size_t size;
	const char *password = lua_tolstring(L, 2, &size);
	struct key_work *work = calloc(1, sizeof(*work) + size);

	if (!work) {
		luaL_error(L, "not enough memory");
		return NULL;
	}
	work->head = *head;
	work->size = size;
	memcpy(work->password, password, size);
	return work;
}

/* The text is at 1, the head with room behind it at 3. */
static int encrypt_collect(lua_State *L, void *userdata)
{
	struct key_work *work = userdata;
	bool made = work->made;
	struct sealed *head = lua_touserdata(L, 3);
	size_t size, all, room;
	const char *text = lua_tolstring(L, 1, &size);
	char *encoded;

	if (made)
		crypto_aead_xchacha20poly1305_ietf_encrypt((unsigned char *)(head + 1), NULL,
			(const unsigned char *)text, size, (const unsigned char *)head, sizeof(*head), NULL,
			head->nonce, work->key);
	key_free(work);
	if (!made)
		return luaL_error(L, "not enough memory");
	all = sizeof(*head) + size + TAG_SIZE;
	room = sodium_base64_encoded_len(all, sodium_base64_VARIANT_ORIGINAL);
	encoded = lua_newuserdatauv(L, room, 0);
	sodium_bin2base64(encoded, room, (const unsigned char *)head, all, sodium_base64_VARIANT_ORIGINAL);
	lua_pushstring(L, encoded);
	return 1;
}

int seal_encrypt(lua_State *L)
{
	static const struct aside_work kind = { key_run, encrypt_collect, key_free };
	size_t size, password_size;
	struct sealed *head;

	lua_tolstring(L, 1, &size);
	lua_tolstring(L, 2, &password_size);
	luaL_argcheck(L, password_size > 0, 2, "the password is empty");
	head = lua_newuserdatauv(L, sizeof(*head) + size + TAG_SIZE, 0);
	*head = (struct sealed){
		.version = SEALED_VERSION, .passes = SEALED_PASSES, .mebibytes = { 0, SEALED_MIB }
	};
	randombytes_buf(head->salt, sizeof(head->salt));
	randombytes_buf(head->nonce, sizeof(head->nonce));
	return aside_park(L, "a password's key", &kind, key_new(L, head));
}

static int refuse_sealed(lua_State *L)
{
	lua_pushnil(L);
	lua_pushliteral(L, "the password is wrong, or this is no text that crypto.encrypt made");
	return 2;
}

/* The bytes are at 3, the room for the text at 4. */
static int decrypt_collect(lua_State *L, void *userdata)
{
	struct key_work *work = userdata;
	const unsigned char *bytes = lua_touserdata(L, 3);
	unsigned char *plain = lua_touserdata(L, 4);
	size_t size = work->sealed_size;
	bool opened =
		work->made && crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
				      bytes + sizeof(work->head), size, (const unsigned char *)&work->head,
				      sizeof(work->head), work->head.nonce, work->key) == 0;

	key_free(work);
	if (!opened)
		return refuse_sealed(L);
	lua_pushlstring(L, (const char *)plain, size - TAG_SIZE);
	return 1;
}

int seal_decrypt(lua_State *L)
{
	static const struct aside_work kind = { key_run, decrypt_collect, key_free };
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);
	unsigned char *bytes = lua_newuserdatauv(L, size + 1, 0);
	struct key_work *work;
	struct sealed head;

	lua_newuserdatauv(L, size + 1, 0);
	if (sodium_base642bin(
		    bytes, size + 1, text, size, "\r\n ", &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
		size < sizeof(head) + TAG_SIZE)
		return refuse_sealed(L);
	memcpy(&head, bytes, sizeof(head));
	if (head.version != SEALED_VERSION)
		return refuse_sealed(L);
	lua_tolstring(L, 2, NULL);
	work = key_new(L, &head);
	work->sealed_size = size - sizeof(head);
	return aside_park(L, "a password's key", &kind, work);
}
