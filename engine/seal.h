/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Sealed values: encrypted and bound to what they are, so that one can't be put in another's place. A sealed
 * value is a text, "sealed:1:KEY:BASE64", and stands where the value would stand. No JSON begins like that.
 */
#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "engine/engine.h"

/* What is shown in place of a sealed value. */
#define SEAL_SHOWN "<sensitive>"

/* `what` the value is, "secret:db_password": enough room for all that there are. */
enum { SEAL_WHAT_SIZE = 320 };

bool seal_is(const char *text, size_t size);

/* In a change. *ret_text is malloc'ed. -ENOKEY: see keyring.h. */
int seal_make(struct engine *engine, const char *what, const void *plain, size_t size, struct fault *fault,
	char **ret_text);
/* -EBADMSG for what is damaged or was sealed as something else. The buffer is buffer_wipe()d by its owner. */
int seal_open(struct engine *engine, const char *what, const char *text, struct fault *fault,
	struct buffer *ret_plain);

/* Like buffer_done(), leaving nothing of the content in memory. */
static inline void buffer_wipe(struct buffer *buffer)
{
	if (buffer->data)
		sodium_memzero(buffer->data, buffer->capacity);
	buffer_done(buffer);
}
