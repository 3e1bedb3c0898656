/* SPDX-License-Identifier: MIT */
#pragma once
/* What the files of keys and values share. */
#include <errno.h>

#include "engine/kv.h"

/* Tells who shows it that a key has changed; ASPECT_NAMES: that it came or went. */
void kv_note(struct engine *engine, struct kv_scope scope, int64_t id, unsigned aspects);

/* A key ends then; 0: none does. */
void kv_expiry_note(struct engine *engine, int64_t expires_ms);
