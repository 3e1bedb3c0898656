/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Hashes: SHA-256, SHA-512 and BLAKE2b by libsodium; the others, which are asked for less, by libgcrypt,
 * which Debian has on every machine (apt needs it), and which is loaded when one of them is used.
 */
#include <lua.h>
#include <stddef.h>

#include "base/fault.h"

enum { HASH_SIZE_MAX = 64, HASH_BLOCK_MAX = 144 };

struct hash;

/* By its name ("sha256"). malloc'ed, or NULL with the sentence that names the known ones. */
struct hash *hash_new(const char *algorithm, struct fault *fault);
void hash_free(struct hash *hash);

void hash_update(struct hash *hash, const void *data, size_t size);

/* Once, at the end. The size of the result. */
size_t hash_finish(struct hash *hash, unsigned char ret_digest[HASH_SIZE_MAX]);

/* HMAC (RFC 2104) of a text. The size, or -errno with the sentence. */
int hash_hmac(const char *algorithm, const char *key, size_t key_size, const char *text, size_t size,
	unsigned char ret_digest[HASH_SIZE_MAX], struct fault *fault);

/* For the library in Lua: hash(algorithm) → an object with update(text) and digest() → hexadecimal; or nil
 * and a message. */
int hash_push(lua_State *L);
