/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The keys that values are sealed with. Data keys stand in the database, wrapped by a master key, which does
 * not: that is a file in the home's folder keys/ (0600, made when something is sealed for the first time), or
 * made from a passphrase in the file that SLOTH_PASSPHRASE_FILE names. Never on a command line, never in an
 * environment.
 *
 * Keys that are in use stand in locked memory. When the master key is not to be had, the daemon works, and
 * what needs a key is refused with -ENOKEY and the reason. One thread.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"

enum { KEY_SIZE = 32 };

struct keyring;

/* Reads what keys there are; that they can't be read is no failure here. */
int keyring_new(struct engine *engine, struct keyring **ret_keyring);
void keyring_free(struct keyring *keyring);

/* The key that seals now, made when there is none: in a change. Borrowed, until the next call. */
int keyring_current(
	struct keyring *keyring, struct fault *fault, int64_t *ret_id, const unsigned char **ret_key);
/* The key that something was sealed with: -ENOKEY, -EBADMSG when there is no such key. */
int keyring_find(struct keyring *keyring, int64_t id, struct fault *fault, const unsigned char **ret_key);

/* A new master key (from the passphrase if one is given, unless `to_file`) and a new data key; all that is
 * sealed is sealed anew, in one change. The old master key's file is removed after the commit; old data keys
 * stay, for what versions of stacks hold. For root and the daemon's user. */
int keyring_rotate(struct keyring *keyring, struct caller *caller, bool to_file, struct fault *fault);

/* For people: where the master key is, and which data keys there are. */
void keyring_show(struct keyring *keyring, FILE *out);

/* The turn is on disk (0), or undone (-errno): files of master keys that are of no use are removed. */
void keyring_turn_ended(struct keyring *keyring, int result);
