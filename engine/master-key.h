/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A master key: 32 bytes that are never in the database. Either a file in the home's folder keys/, named by
 * the salt, with the key in hex; or made from a passphrase with Argon2id, the salt and the effort. The
 * keyring's own.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "engine/keyring.h"

enum { MASTER_SALT_SIZE = 16 };

struct master_key {
	int64_t id; /* 0: there is none */
	bool passphrase;
	unsigned char salt[MASTER_SALT_SIZE];
	int64_t effort, memory; /* as of crypto_pwhash(3); memory in bytes */
	int64_t created_ms;
};

/* `passphrase_file` NULL: none is given. -ENOKEY with the reason. */
int master_key_read(const char *home, const char *passphrase_file, const struct master_key *master,
	struct fault *fault, unsigned char ret_key[KEY_SIZE]);

/* A new one: from the passphrase if one is given, else in a file, which is on disk when this returns. */
int master_key_make(const char *home, const char *passphrase_file, struct fault *fault,
	struct master_key *ret_master, unsigned char ret_key[KEY_SIZE]);

/* The file's name, relative to the home: "keys/1f…". */
enum { MASTER_NAME_SIZE = 5 + 2 * MASTER_SALT_SIZE + 1 };
char *master_key_name(const struct master_key *master, char ret_name[MASTER_NAME_SIZE]);

void master_key_remove(const char *home, const struct master_key *master);
