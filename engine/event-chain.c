/* SPDX-License-Identifier: MIT */
/* The chain of events: its hashes, and whether a row fits to the one before. */
#include "engine/event-chain.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/event-text.h"

static const struct {
	const char *name, *sentence;
} misfits[] = {
	[EVENT_FITS] = { "fits", "it fits" },
	[EVENT_GAP] = { "gap", "what stood between them was removed, or put there" },
	[EVENT_JSON] = { "json", "it is no JSON" },
	[EVENT_HASH] = { "hash",
		"its hash is another: its JSON, its hash or what stood before it was changed" },
	[EVENT_COLUMN] = { "column", "its columns do not say what its JSON says" },
	[EVENT_LINE] = { "line", "its line does not say what its JSON says" },
	[EVENT_OFFSET] = { "offset", "its place in the files is another" },
	[EVENT_UNREADABLE] = { "unreadable", "it cannot be read" },
};

const char *event_misfit_name(enum event_misfit misfit)
{
	return misfits[misfit].name;
}

int event_misfit_fault(
	struct fault *fault, enum event_misfit misfit, int64_t id, int64_t time_ms, int64_t before)
{
	char time[32] = "";

	return fault_set(fault, EBADMSG,
		"event %" PRId64 " %s%s%sdoes not fit to event %" PRId64 " before it: %s", id,
		time_ms ? "(" : "", time_ms ? time_format(time_ms, time) : "", time_ms ? ") " : "", before,
		misfits[misfit].sentence);
}

void event_chain_hash(
	const unsigned char before[32], const char *json, size_t size, unsigned char ret_hash[32])
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, before, crypto_hash_sha256_BYTES);
	crypto_hash_sha256_update(&state, (const unsigned char *)json, size);
	crypto_hash_sha256_final(&state, ret_hash);
}

/* The line that follows from the JSON. */
static int line_of(const json_t *object, struct buffer *ret_line)
{
	FILE *out = buffer_stream_open(ret_line);

	if (!out)
		return -ENOMEM;
	event_write_line(object, out);
	return buffer_stream_close(out, ret_line);
}

/* All that the JSON alone says. */
static enum event_misfit json_next(struct event_place *place, const char *json, size_t size,
	const unsigned char *kept, json_t **ret_object, struct buffer *ret_line)
{
	json_auto_t *object = size && json[size - 1] == '\n' ? json_loadb(json, size, 0, NULL) : NULL;
	struct event_place next = { .id = place->id + 1, .json_end = place->json_end + (int64_t)size };

	if (!object)
		return EVENT_JSON;
	event_chain_hash(place->hash, json, size - 1, next.hash);
	if (kept && memcmp(next.hash, kept, sizeof(next.hash)) != 0)
		return EVENT_HASH;
	if (json_integer_value(json_object_get(object, "id")) != next.id)
		return EVENT_GAP;
	if (line_of(object, ret_line) < 0) {
		memory_failed();
		return EVENT_UNREADABLE;
	}
	next.line_end = place->line_end + (int64_t)ret_line->size;
	*place = next;
	*ret_object = json_incref(object);
	return EVENT_FITS;
}

/* Without memory nothing can be said of an event. */
static enum event_misfit judge(enum event_misfit misfit, uint64_t failures)
{
	return failures != memory_failures() ? EVENT_UNREADABLE : misfit;
}

enum event_misfit event_chain_next(
	struct event_place *place, const char *json, size_t size, const unsigned char *kept)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	json_auto_t *object = NULL;
	uint64_t failures = memory_failures();

	return judge(json_next(place, json, size, kept, &object, &line), failures);
}

/* Only the JSON is hashed: the other columns must follow from it. */
static bool columns_follow(const struct event *event, const json_t *object)
{
	const char *time = json_string_value(json_object_get(object, "time"));
	const char *type = json_string_value(json_object_get(object, "type"));
	char text[32];

	return time && type && !strcmp(time, time_format(event->time_ms, text)) &&
	       !strcmp(type, event->type) &&
	       json_integer_value(json_object_get(object, "uid")) == (json_int_t)event->uid &&
	       json_integer_value(json_object_get(object, "run")) == event->run_id &&
	       json_integer_value(json_object_get(object, "stack_id")) == event->stack_id;
}

static enum event_misfit row_next(struct event_place *place, struct query *query)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	json_auto_t *object = NULL;
	struct event_place next = *place;
	enum event_misfit misfit;
	const unsigned char *kept;
	struct event event;
	size_t size;

	event_load(query, &event);
	kept = query_blob(query, 8, &size);
	if (event.id != place->id + 1)
		return EVENT_GAP;
	if (size != sizeof(next.hash))
		return EVENT_HASH;
	misfit = json_next(&next, event.json, strlen(event.json), kept, &object, &line);
	if (misfit != EVENT_FITS)
		return misfit;
	if (!columns_follow(&event, object))
		return EVENT_COLUMN;
	if (strcmp(buffer_text(&line), event.line) != 0)
		return EVENT_LINE;
	if (query_int(query, 9) != next.line_end || query_int(query, 10) != next.json_end)
		return EVENT_OFFSET;
	*place = next;
	return EVENT_FITS;
}

enum event_misfit event_chain_next_row(struct event_place *place, struct query *query)
{
	uint64_t failures = memory_failures();

	return judge(row_next(place, query), failures);
}

char *event_hash_hex(const unsigned char hash[32], char ret_hex[EVENT_HEX_SIZE])
{
	return sodium_bin2hex(ret_hex, EVENT_HEX_SIZE, hash, crypto_hash_sha256_BYTES);
}
