/* SPDX-License-Identifier: MIT */
/* crypto: hashes, encodings, random text, texts under a password. */
#include <lauxlib.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/hash.h"
#include "lua/module.h"
#include "lua/modules/seal.h"

static void push_hex(lua_State *L, const unsigned char *bytes, size_t size)
{
	char *hex = lua_newuserdatauv(L, size * 2 + 1, 0);

	sodium_bin2hex(hex, size * 2 + 1, bytes, size);
	lua_pushstring(L, hex);
}

static int push_fault(lua_State *L, const struct fault *fault)
{
	lua_pushnil(L);
	lua_pushstring(L, fault->text);
	return 2;
}

/* The hash of the text at `index`. */
static int push_hash(lua_State *L, const char *algorithm, int index)
{
	unsigned char digest[HASH_SIZE_MAX];
	struct fault fault = { 0 };
	size_t size;
	const char *text = lua_tolstring(L, index, &size);
	struct hash *hash = hash_new(algorithm, &fault);

	if (!hash)
		return push_fault(L, &fault);
	hash_update(hash, text, size);
	size = hash_finish(hash, digest);
	hash_free(hash);
	push_hex(L, digest, size);
	return 1;
}

static int crypto_md5(lua_State *L)
{
	return push_hash(L, "md5", 1);
}

static int crypto_sha1(lua_State *L)
{
	return push_hash(L, "sha1", 1);
}

static int crypto_sha256(lua_State *L)
{
	return push_hash(L, "sha256", 1);
}

static int crypto_sha512(lua_State *L)
{
	return push_hash(L, "sha512", 1);
}

/* hash(algorithm, text) */
static int crypto_hash_text(lua_State *L)
{
	return push_hash(L, lua_tostring(L, 1), 2);
}

/* hmac(algorithm, key, text) */
static int crypto_hmac(lua_State *L)
{
	unsigned char digest[HASH_SIZE_MAX];
	struct fault fault = { 0 };
	size_t key_size, size;
	const char *key = lua_tolstring(L, 2, &key_size), *text = lua_tolstring(L, 3, &size);
	int r = hash_hmac(lua_tostring(L, 1), key, key_size, text, size, digest, &fault);

	if (r < 0)
		return push_fault(L, &fault);
	push_hex(L, digest, (size_t)r);
	return 1;
}

/* equal(a, b): in a time that tells nothing of where they differ. */
static int crypto_equal(lua_State *L)
{
	size_t m, n;
	const char *a = lua_tolstring(L, 1, &m), *b = lua_tolstring(L, 2, &n);

	lua_pushboolean(L, m == n && sodium_memcmp(a, b, n) == 0);
	return 1;
}

static int base64_encode(lua_State *L, int variant)
{
	size_t size, room;
	const char *text = lua_tolstring(L, 1, &size);
	char *encoded;

	room = sodium_base64_encoded_len(size, variant);
	encoded = lua_newuserdatauv(L, room, 0);
	sodium_bin2base64(encoded, room, (const unsigned char *)text, size, variant);
	lua_pushstring(L, encoded);
	return 1;
}

static int crypto_base64_encode(lua_State *L)
{
	return base64_encode(L, sodium_base64_VARIANT_ORIGINAL);
}

static int crypto_base64url_encode(lua_State *L)
{
	return base64_encode(L, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static int bad_input(lua_State *L, const char *what)
{
	lua_pushnil(L);
	lua_pushfstring(L, "the text is not %s", what);
	return 2;
}

static int crypto_base64_decode(lua_State *L)
{
	size_t size, done;
	const char *text = lua_tolstring(L, 1, &size);
	unsigned char *bytes = lua_newuserdatauv(L, size + 1, 0);

	if (sodium_base642bin(
		    bytes, size + 1, text, size, "\r\n ", &done, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return bad_input(L, "base64");
	lua_pushlstring(L, (const char *)bytes, done);
	return 1;
}

/* With and without the = at its end. */
static int crypto_base64url_decode(lua_State *L)
{
	size_t size, done;
	const char *text = lua_tolstring(L, 1, &size);
	unsigned char *bytes = lua_newuserdatauv(L, size + 1, 0);

	while (size && text[size - 1] == '=')
		size--;
	if (sodium_base642bin(bytes, size + 1, text, size, "\r\n ", &done, NULL,
		    sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return bad_input(L, "base64url");
	lua_pushlstring(L, (const char *)bytes, done);
	return 1;
}

static int crypto_hex_encode(lua_State *L)
{
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);

	push_hex(L, (const unsigned char *)text, size);
	return 1;
}

static int crypto_hex_decode(lua_State *L)
{
	size_t size, done;
	const char *text = lua_tolstring(L, 1, &size);
	unsigned char *bytes = lua_newuserdatauv(L, size + 1, 0);

	if (size % 2 || sodium_hex2bin(bytes, size + 1, text, size, NULL, &done, NULL) != 0 ||
		done != size / 2)
		return bad_input(L, "hexadecimal");
	lua_pushlstring(L, (const char *)bytes, done);
	return 1;
}

static size_t check_count(lua_State *L)
{
	lua_Integer count = lua_tointeger(L, 1);

	luaL_argcheck(L, count > 0 && count <= 1 << 20, 1, "a number from 1 to 1048576");
	return (size_t)count;
}

static int crypto_random_bytes(lua_State *L)
{
	size_t count = check_count(L);
	void *bytes = lua_newuserdatauv(L, count, 0);

	randombytes_buf(bytes, count);
	lua_pushlstring(L, bytes, count);
	return 1;
}

static void push_random(lua_State *L, size_t count, const char *letters)
{
	char *text = lua_newuserdatauv(L, count, 0);

	for (size_t i = 0; i < count; i++)
		text[i] = letters[randombytes_uniform((uint32_t)strlen(letters))];
	lua_pushlstring(L, text, count);
}

/* random_string(length [, letters]) */
static int crypto_random_string(lua_State *L)
{
	size_t count = check_count(L);
	const char *letters =
		luaL_optstring(L, 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

	luaL_argcheck(L, strlen(letters) >= 2, 2, "at least two letters");
	push_random(L, count, letters);
	return 1;
}

/* What a password has one of, at least; nothing that is easily taken for something else. */
static const char *const classes[] = {
	"ABCDEFGHJKLMNPQRSTUVWXYZ",
	"abcdefghijkmnopqrstuvwxyz",
	"23456789",
	"-_.:,+=!@%",
};

static void make_password(char *text, size_t size, int count)
{
	char letters[128] = "";

	for (int i = 0; i < count; i++)
		strcat(letters, classes[i]);
	for (size_t i = 0; i < size; i++)
		text[i] = letters[randombytes_uniform((uint32_t)strlen(letters))];
}

static bool has_all(const char *text, size_t size, int count)
{
	for (int i = 0; i < count; i++) {
		size_t n = 0;

		while (n < size && !memchr(classes[i], text[n], strlen(classes[i])))
			n++;
		if (n == size)
			return false;
	}
	return true;
}

/* generate_password([length [, symbols]]): drawn anew until it has one of each kind, so that none is more
 * likely than another. */
static int crypto_generate_password(lua_State *L)
{
	lua_Integer size = luaL_optinteger(L, 1, 20);
	int count = lua_isnil(L, 2) || lua_toboolean(L, 2) ? 4 : 3;
	char *text;

	luaL_argcheck(L, size >= 8 && size <= 1024, 1, "a number from 8 to 1024");
	text = lua_newuserdatauv(L, (size_t)size, 0);
	do
		make_password(text, (size_t)size, count);
	while (!has_all(text, (size_t)size, count));
	lua_pushlstring(L, text, (size_t)size);
	sodium_memzero(text, (size_t)size);
	return 1;
}

/* Version 4 of RFC 9562. */
static int crypto_uuid(lua_State *L)
{
	unsigned char b[16];
	char text[37];

	randombytes_buf(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(text, sizeof(text), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
	lua_pushstring(L, text);
	return 1;
}

/* clang-format off */
#define TEXT_ARG { "text", ARG_STRING }
#define PASSWORD_ARG { "password", ARG_STRING }
#define ALGORITHM_ARG { "algorithm", ARG_STRING }
/* clang-format on */

const struct function module_crypto[] = {
	{ "base64_decode", crypto_base64_decode, .args = { TEXT_ARG } },
	{ "base64_encode", crypto_base64_encode, .args = { TEXT_ARG } },
	{ "base64url_decode", crypto_base64url_decode, .args = { TEXT_ARG } },
	{ "base64url_encode", crypto_base64url_encode, .args = { TEXT_ARG } },
	{ "decrypt", seal_decrypt, .args = { TEXT_ARG, PASSWORD_ARG } },
	{ "encrypt", seal_encrypt, .args = { TEXT_ARG, PASSWORD_ARG } },
	{ "equal", crypto_equal, .args = { { "a", ARG_STRING }, { "b", ARG_STRING } } },
	{ "generate_password", crypto_generate_password,
		.args = { { "length", ARG_INTEGER, .optional = true },
			{ "symbols", ARG_BOOLEAN, .optional = true } } },
	{ "hash", crypto_hash_text, .args = { ALGORITHM_ARG, TEXT_ARG } },
	{ "hex_decode", crypto_hex_decode, .args = { TEXT_ARG } },
	{ "hex_encode", crypto_hex_encode, .args = { TEXT_ARG } },
	{ "hmac", crypto_hmac, .args = { ALGORITHM_ARG, { "key", ARG_STRING }, TEXT_ARG } },
	{ "md5", crypto_md5, .args = { TEXT_ARG } },
	{ "random_bytes", crypto_random_bytes, .args = { { "count", ARG_INTEGER } } },
	{ "random_string", crypto_random_string,
		.args = { { "length", ARG_INTEGER }, { "letters", ARG_STRING, .optional = true } } },
	{ "sha1", crypto_sha1, .args = { TEXT_ARG } },
	{ "sha256", crypto_sha256, .args = { TEXT_ARG } },
	{ "sha512", crypto_sha512, .args = { TEXT_ARG } },
	{ "uuid", crypto_uuid },
	{ "uuid_v4", crypto_uuid },
	{ NULL },
};
