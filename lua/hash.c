/* SPDX-License-Identifier: MIT */
/* Hashes. */
#include "lua/hash.h"

#include <errno.h>
#include <gcrypt.h>
#include <lauxlib.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lua/box.h"
#include "lua/dynamic.h"

static const char library[] = "libgcrypt.so.20";

/* Its functions, as its header declares them. */
static struct {
	__typeof__(gcry_check_version) *check_version;
	__typeof__(gcry_control) *control;
	__typeof__(gcry_md_open) *open;
	__typeof__(gcry_md_write) *write;
	__typeof__(gcry_md_read) *read;
	__typeof__(gcry_md_close) *close;
	bool ready;
} gcrypt;

static bool gcrypt_load(void)
{
	static const struct symbol functions[] = {
		{ "gcry_check_version", &gcrypt.check_version },
		{ "gcry_control", &gcrypt.control },
		{ "gcry_md_open", &gcrypt.open },
		{ "gcry_md_write", &gcrypt.write },
		{ "gcry_md_read", &gcrypt.read },
		{ "gcry_md_close", &gcrypt.close },
	};

	if (gcrypt.ready)
		return true;
	if (!dynamic_load(library, functions, sizeof(functions) / sizeof(functions[0])) ||
		!gcrypt.check_version(NULL))
		return false;
	gcrypt.control(GCRYCTL_DISABLE_SECMEM, 0);
	gcrypt.control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	gcrypt.ready = true;
	return true;
}

enum maker { SODIUM_SHA256, SODIUM_SHA512, SODIUM_BLAKE2B, GCRYPT };

struct algorithm {
	const char *name;
	enum maker maker;
	int number; /* libgcrypt's */
	size_t size, block;
};

static const struct algorithm algorithms[] = {
	{ "md5", GCRYPT, GCRY_MD_MD5, 16, 64 },
	{ "sha1", GCRYPT, GCRY_MD_SHA1, 20, 64 },
	{ "sha224", GCRYPT, GCRY_MD_SHA224, 28, 64 },
	{ "sha256", SODIUM_SHA256, 0, 32, 64 },
	{ "sha384", GCRYPT, GCRY_MD_SHA384, 48, 128 },
	{ "sha512", SODIUM_SHA512, 0, 64, 128 },
	{ "sha3-256", GCRYPT, GCRY_MD_SHA3_256, 32, 136 },
	{ "sha3-512", GCRYPT, GCRY_MD_SHA3_512, 64, 72 },
	{ "blake2b", SODIUM_BLAKE2B, 0, 64, 128 },
};

struct hash {
	const struct algorithm *algorithm;
	crypto_hash_sha256_state sha256;
	crypto_hash_sha512_state sha512;
	crypto_generichash_state blake2b; /* aligned: see hash_new() */
	gcry_md_hd_t handle;
};

static const struct algorithm *algorithm_find(const char *name, struct fault *fault)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (!strcasecmp(algorithms[i].name, name))
			return &algorithms[i];
	fault_set(fault, EINVAL,
		"there is no hash '%s': md5, sha1, sha224, sha256, sha384, sha512, sha3-256, sha3-512, "
		"blake2b",
		name);
	return NULL;
}

static int hash_start(struct hash *hash, struct fault *fault)
{
	switch (hash->algorithm->maker) {
	case SODIUM_SHA256:
		return crypto_hash_sha256_init(&hash->sha256);
	case SODIUM_SHA512:
		return crypto_hash_sha512_init(&hash->sha512);
	case SODIUM_BLAKE2B:
		return crypto_generichash_init(&hash->blake2b, NULL, 0, HASH_SIZE_MAX);
	case GCRYPT:
		break;
	}
	if (!gcrypt_load())
		return fault_set(fault, ENOSYS, "%s needs the package libgcrypt20, which is not here",
			hash->algorithm->name);
	if (gcrypt.open(&hash->handle, hash->algorithm->number, 0) != 0)
		return fault_set(fault, ENOSYS, "libgcrypt refuses %s", hash->algorithm->name);
	return 0;
}

struct hash *hash_new(const char *name, struct fault *fault)
{
	const struct algorithm *algorithm = algorithm_find(name, fault);
	struct hash *hash;

	if (!algorithm)
		return NULL;
	if (posix_memalign((void **)&hash, 64, sizeof(*hash)) != 0) {
		fault_set(fault, ENOMEM, "not enough memory");
		return NULL;
	}
	memset(hash, 0, sizeof(*hash));
	hash->algorithm = algorithm;
	if (hash_start(hash, fault) < 0) {
		free(hash);
		return NULL;
	}
	return hash;
}

void hash_free(struct hash *hash)
{
	if (hash && hash->handle)
		gcrypt.close(hash->handle);
	free(hash);
}

void hash_update(struct hash *hash, const void *data, size_t size)
{
	switch (hash->algorithm->maker) {
	case SODIUM_SHA256:
		crypto_hash_sha256_update(&hash->sha256, data, size);
		break;
	case SODIUM_SHA512:
		crypto_hash_sha512_update(&hash->sha512, data, size);
		break;
	case SODIUM_BLAKE2B:
		crypto_generichash_update(&hash->blake2b, data, size);
		break;
	case GCRYPT:
		gcrypt.write(hash->handle, data, size);
		break;
	}
}

size_t hash_finish(struct hash *hash, unsigned char ret_digest[HASH_SIZE_MAX])
{
	switch (hash->algorithm->maker) {
	case SODIUM_SHA256:
		crypto_hash_sha256_final(&hash->sha256, ret_digest);
		break;
	case SODIUM_SHA512:
		crypto_hash_sha512_final(&hash->sha512, ret_digest);
		break;
	case SODIUM_BLAKE2B:
		crypto_generichash_final(&hash->blake2b, ret_digest, HASH_SIZE_MAX);
		break;
	case GCRYPT:
		memcpy(ret_digest, gcrypt.read(hash->handle, hash->algorithm->number), hash->algorithm->size);
		break;
	}
	return hash->algorithm->size;
}

/* hash(key xor pad, data) into `ret_digest`. */
static int hash_padded(const char *algorithm, const unsigned char *key, unsigned char pad, const void *data,
	size_t size, unsigned char *ret_digest, struct fault *fault)
{
	struct hash *hash = hash_new(algorithm, fault);
	unsigned char block[HASH_BLOCK_MAX];
	size_t n;

	if (!hash)
		return -fault->code;
	for (size_t i = 0; i < hash->algorithm->block; i++)
		block[i] = key[i] ^ pad;
	hash_update(hash, block, hash->algorithm->block);
	hash_update(hash, data, size);
	n = hash_finish(hash, ret_digest);
	hash_free(hash);
	sodium_memzero(block, sizeof(block));
	return (int)n;
}

int hash_hmac(const char *name, const char *key, size_t key_size, const char *text, size_t size,
	unsigned char ret_digest[HASH_SIZE_MAX], struct fault *fault)
{
	const struct algorithm *algorithm = algorithm_find(name, fault);
	unsigned char whole[HASH_BLOCK_MAX] = { 0 }, inner[HASH_SIZE_MAX];
	int r;

	if (!algorithm)
		return -EINVAL;
	if (key_size > algorithm->block) {
		struct hash *hash = hash_new(name, fault);

		if (!hash)
			return -fault->code;
		hash_update(hash, key, key_size);
		hash_finish(hash, whole);
		hash_free(hash);
	} else {
		memcpy(whole, key, key_size);
	}
	r = hash_padded(name, whole, 0x36, text, size, inner, fault);
	if (r > 0)
		r = hash_padded(name, whole, 0x5c, inner, (size_t)r, ret_digest, fault);
	sodium_memzero(whole, sizeof(whole));
	return r;
}

/* For the library in Lua. */

static void free_hash(void *content)
{
	hash_free(content);
}

static struct hash *hash_at(lua_State *L)
{
	struct hash **place = lua_touserdata(L, lua_upvalueindex(1));

	if (!*place)
		luaL_error(L, "this hash is finished");
	return *place;
}

static int lua_update(lua_State *L)
{
	struct hash *hash = hash_at(L);
	size_t size;
	const char *text = luaL_checklstring(L, 2, &size);

	hash_update(hash, text, size);
	return 0;
}

static int lua_digest(lua_State *L)
{
	unsigned char digest[HASH_SIZE_MAX];
	char hex[HASH_SIZE_MAX * 2 + 1];
	size_t size = hash_finish(hash_at(L), digest);

	box_empty(lua_touserdata(L, lua_upvalueindex(1)));
	sodium_bin2hex(hex, sizeof(hex), digest, size);
	lua_pushstring(L, hex);
	return 1;
}

int hash_push(lua_State *L)
{
	struct fault fault = { 0 };
	void **box = box_push(L, free_hash);

	*box = hash_new(luaL_checkstring(L, 1), &fault);
	if (!*box) {
		lua_pushnil(L);
		lua_pushstring(L, fault.text);
		return 2;
	}
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, -2);
	lua_pushcclosure(L, lua_update, 1);
	lua_setfield(L, -2, "update");
	lua_pushvalue(L, -2);
	lua_pushcclosure(L, lua_digest, 1);
	lua_setfield(L, -2, "digest");
	return 1;
}
