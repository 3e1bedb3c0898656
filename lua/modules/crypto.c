/* SPDX-License-Identifier: MIT */
/* crypto: hashes, encodings, random text, by libsodium. */
#include <lauxlib.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lua/module.h"

static void push_hex(lua_State *L, const unsigned char *bytes, size_t size)
{
	char *hex = lua_newuserdatauv(L, size * 2 + 1, 0);

	sodium_bin2hex(hex, size * 2 + 1, bytes, size);
	lua_pushstring(L, hex);
}

static int crypto_sha256(lua_State *L)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);

	crypto_hash_sha256(hash, (const unsigned char *)text, size);
	push_hex(L, hash, sizeof(hash));
	return 1;
}

static int crypto_sha512(lua_State *L)
{
	unsigned char hash[crypto_hash_sha512_BYTES];
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);

	crypto_hash_sha512(hash, (const unsigned char *)text, size);
	push_hex(L, hash, sizeof(hash));
	return 1;
}

static int crypto_base64_encode(lua_State *L)
{
	size_t size, room;
	const char *text = lua_tolstring(L, 1, &size);
	char *encoded;

	room = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL);
	encoded = lua_newuserdatauv(L, room, 0);
	sodium_bin2base64(encoded, room, (const unsigned char *)text, size, sodium_base64_VARIANT_ORIGINAL);
	lua_pushstring(L, encoded);
	return 1;
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

static int crypto_random_string(lua_State *L)
{
	push_random(L, check_count(L), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
	return 1;
}

static int crypto_generate_password(lua_State *L)
{
	if (lua_isnil(L, 1)) {
		lua_pushinteger(L, 20);
		lua_replace(L, 1);
	}
	push_random(L, check_count(L), "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_.:,+=!@%");
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

const struct function module_crypto[] = {
	{ "base64_decode", crypto_base64_decode, .args = { { "text", ARG_STRING } } },
	{ "base64_encode", crypto_base64_encode, .args = { { "text", ARG_STRING } } },
	{ "generate_password", crypto_generate_password,
		.args = { { "length", ARG_INTEGER, .optional = true } } },
	{ "hex_decode", crypto_hex_decode, .args = { { "text", ARG_STRING } } },
	{ "hex_encode", crypto_hex_encode, .args = { { "text", ARG_STRING } } },
	{ "random_bytes", crypto_random_bytes, .args = { { "count", ARG_INTEGER } } },
	{ "random_string", crypto_random_string, .args = { { "length", ARG_INTEGER } } },
	{ "sha256", crypto_sha256, .args = { { "text", ARG_STRING } } },
	{ "sha512", crypto_sha512, .args = { { "text", ARG_STRING } } },
	{ "uuid", crypto_uuid },
	{ NULL },
};
