/* SPDX-License-Identifier: MIT */
#pragma once
/* What each event must be after the one before it: for whoever walks the chain. */
#include <stddef.h>

#include "engine/event.h"

enum event_misfit {
	EVENT_FITS,
	EVENT_GAP,    /* it is not the next one */
	EVENT_JSON,   /* it is no JSON */
	EVENT_HASH,   /* its hash is another */
	EVENT_COLUMN, /* its columns say something else than its JSON, which alone is hashed */
	EVENT_LINE,   /* so does its line */
	EVENT_OFFSET, /* its place in the files is another */
	EVENT_UNREADABLE,
};

/* "hash". */
const char *event_misfit_name(enum event_misfit misfit);
/* The sentence about the event `id` (of `time_ms`, 0: unknown), which should come after `before`: -EBADMSG.
 */
int event_misfit_fault(
	struct fault *fault, enum event_misfit misfit, int64_t id, int64_t time_ms, int64_t before);

/* SHA-256(hash before ‖ JSON without its newline). */
void event_chain_hash(
	const unsigned char before[32], const char *json, size_t size, unsigned char ret_hash[32]);

/* Goes one event on, if this JSON (with its newline) is that of the next one. `kept` is the hash that was
 * stored for it, NULL: none was. */
enum event_misfit event_chain_next(
	struct event_place *place, const char *json, size_t size, const unsigned char *kept);

/* The same for a row of SQL_EVENT_CHAIN. */
enum event_misfit event_chain_next_row(struct event_place *place, struct query *query);

/* A hash in hexadecimal digits. Returns the buffer. */
enum { EVENT_HEX_SIZE = 65 };
char *event_hash_hex(const unsigned char hash[32], char ret_hex[EVENT_HEX_SIZE]);
