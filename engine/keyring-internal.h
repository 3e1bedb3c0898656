/* SPDX-License-Identifier: MIT */
#pragma once
/* The keyring from inside. Shared by keyring.c (having keys) and keyring-rotate.c (changing them). */
#include <stdbool.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "engine/keyring.h"
#include "engine/master-key.h"

struct data_key {
	int64_t id;
	bool retired;
	unsigned char bytes[KEY_SIZE];
};

struct keyring {
	struct engine *engine;
	char *passphrase_file; /* NULL: none is given */
	bool loaded;
	uint64_t undo_count; /* the store's, when this was loaded: what was undone since may be in here */
	struct master_key master;    /* id 0: there is none yet */
	unsigned char *master_bytes; /* sodium_malloc()'ed; valid for `master` while `master_known` */
	bool master_known;
	struct data_key *keys; /* sodium_malloc()'ed, by id */
	size_t count;
	/* The last failure, kept while nothing has changed: making a key from a passphrase is dear. */
	struct fault failure;
	struct timespec tried; /* the time of the passphrase's file then */
	/* What this turn leaves over: the file of a new master key if it is undone, of an old one if not. */
	struct master_key added, removed;
};

/* Reads the keys anew if they are not known to be as in the database. */
int keyring_load(struct keyring *keyring, struct fault *fault);
/* Forgets the keys; the master key stays, if it is still the one. */
void keyring_forget(struct keyring *keyring);
/* Makes a master key the one in use (passphrase_file NULL: from a file), and a data key. In the caller's
 * change. */
int keyring_add_master(struct keyring *keyring, const char *passphrase_file, struct fault *fault);
int keyring_add_data_key(struct keyring *keyring);
int keyring_wrap(struct keyring *keyring, const unsigned char key[KEY_SIZE], struct buffer *ret_wrapped);
