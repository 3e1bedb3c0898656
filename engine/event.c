/* SPDX-License-Identifier: MIT */
/* The audit trail: adding to its end, reading, verifying. */
#include "engine/event.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/event-text.h"

_Static_assert(sizeof(((struct event_tail *)0)->hash) == crypto_hash_sha256_BYTES, "the hash is SHA-256");

/* The newest row as it is in this turn. Read again after anything was undone, because it may have been among
 * that. */
static int tail_get(struct engine *engine, struct event_tail **ret_tail)
{
	CLEANUP(query_endp) struct query *query = NULL;
	struct event_tail *tail = &engine->event_tail;
	const void *hash;
	size_t size;
	int r;

	*ret_tail = tail;
	if (tail->known && tail->undo_count == store_undo_count(engine->store))
		return 0;
	*tail = (struct event_tail){ .undo_count = store_undo_count(engine->store) };
	query = query_begin(engine->store, SQL_EVENT_TAIL, "");
	r = query_step(query);
	if (r < 0)
		return r;
	if (r > 0) {
		tail->id = query_int(query, 0);
		tail->line_end = query_int(query, 1);
		tail->json_end = query_int(query, 2);
		hash = query_blob(query, 3, &size);
		if (size != sizeof(tail->hash))
			return -EBADMSG;
		memcpy(tail->hash, hash, size);
	}
	tail->known = true;
	return 0;
}

static void chain_hash(const unsigned char *before, const char *json, size_t size, unsigned char *ret_hash)
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, before, crypto_hash_sha256_BYTES);
	crypto_hash_sha256_update(&state, (const unsigned char *)json, size);
	crypto_hash_sha256_final(&state, ret_hash);
}

static json_t *event_object(const struct event *event, const char *stack, const char *user, json_t *data)
{
	char time[32];
	json_t *object = json_pack("{sI ss ss ss sI}", "id", (json_int_t)event->id, "time",
		time_format(event->time_ms, time), "type", event->type, "user", user, "uid",
		(json_int_t)event->uid);

	if (!object)
		return NULL;
	if (event->stack_id)
		json_object_set_new(object, "stack_id", json_integer(event->stack_id));
	if (stack && *stack)
		json_object_set_new(object, "stack", json_string(stack));
	if (event->run_id)
		json_object_set_new(object, "run", json_integer(event->run_id));
	if (json_object_size(data) > 0)
		json_object_set(object, "data", data);
	return object;
}

/* Both forms, each with its newline. */
static int event_render(json_t *object, struct buffer *ret_line, struct buffer *ret_json)
{
	CLEANUP(cleanup_free) char *text = json_dumps(object, EVENT_JSON_FLAGS);
	FILE *out;

	if (!text || buffer_append_text(ret_json, text) < 0 || buffer_append(ret_json, "\n", 1) < 0)
		return -ENOMEM;
	out = buffer_stream_open(ret_line);
	if (!out)
		return -ENOMEM;
	event_write_line(object, out);
	return buffer_stream_close(out, ret_line);
}

static int event_insert(struct engine *engine, struct event_tail *tail, const struct event *event,
	const struct buffer *line, const struct buffer *json)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	int r;

	chain_hash(tail->hash, json->data, json->size - 1, hash);
	r = store_run(engine->store, SQL_EVENT_ADD, "iiiiiiisbtt", event->id, event->time_ms,
		tail->line_end + (int64_t)line->size, tail->json_end + (int64_t)json->size, event->stack_id,
		event->run_id, (int64_t)event->uid, event->type, hash, sizeof(hash), line->data, line->size,
		json->data, json->size);
	if (r < 0)
		return r;
	tail->id = event->id;
	tail->line_end += (int64_t)line->size;
	tail->json_end += (int64_t)json->size;
	memcpy(tail->hash, hash, sizeof(hash));
	return 0;
}

int event_add(struct engine *engine, struct caller *caller, const char *type, int64_t stack_id,
	const char *stack, int64_t run_id, json_t *data)
{
	CLEANUP(buffer_done) struct buffer line = { 0 }, json = { 0 };
	json_auto_t *owned = data, *object = NULL;
	struct event event = { .time_ms = time_now_ms(), .stack_id = stack_id, .type = type };
	struct event_tail *tail;
	int r;

	r = name_check(type);
	if (r == 0)
		r = tail_get(engine, &tail);
	if (r < 0)
		return r;
	event.id = tail->id + 1;
	event.run_id = run_id ? run_id : caller ? caller->run_id : 0;
	event.uid = caller ? caller->uid : geteuid();
	object = event_object(&event, stack, caller ? caller_login(caller->uid) : "slothd", owned);
	r = object ? event_render(object, &line, &json) : -ENOMEM;
	if (r == 0)
		r = event_insert(engine, tail, &event, &line, &json);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_EVENTS);
	if (stack_id)
		engine_note(engine, SUBJECT_STACK, stack_id, ASPECT_EVENTS);
	return 0;
}

static void event_load(struct query *query, struct event *ret_event)
{
	*ret_event = (struct event){
		.id = query_int(query, 0),
		.time_ms = query_int(query, 1),
		.stack_id = query_int(query, 2),
		.run_id = query_int(query, 3),
		.uid = (uid_t)query_int(query, 4),
		.type = query_text(query, 5),
		.line = query_text(query, 6),
		.json = query_text(query, 7),
	};
}

int event_each(struct engine *engine, int64_t after, int64_t stack_id,
	int (*each)(void *userdata, const struct event *event), void *userdata)
{
	CLEANUP(query_endp) struct query *query = NULL;
	struct event event;
	int r;

	if (stack_id)
		query = query_begin(engine->store, SQL_EVENT_OF_STACK, "ii", after, stack_id);
	else
		query = query_begin(engine->store, SQL_EVENT_EACH, "i", after);
	while ((r = query_step(query)) > 0) {
		event_load(query, &event);
		r = each(userdata, &event);
		if (r != 0)
			break;
	}
	return r;
}

int event_size(struct engine *engine, bool json, int64_t *ret_size)
{
	struct event_tail *tail;
	int r = tail_get(engine, &tail);

	if (r < 0)
		return r;
	*ret_size = json ? tail->json_end : tail->line_end;
	return 0;
}

/* Where the newest event up to `id` ends: 0 and 0 when there is none. */
static int event_end(struct engine *engine, bool json, int64_t id, int64_t *ret_id, int64_t *ret_end)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_EVENT_AT, "i", id);
	int r = query_step(query);

	if (r < 0)
		return r;
	*ret_id = r ? query_int(query, 0) : 0;
	*ret_end = r ? query_int(query, json ? 2 : 1) : 0;
	return 0;
}

/* By halves: the last event that ends at or before `offset`; the one behind it is the answer. */
int event_seek(struct engine *engine, bool json, int64_t offset, int64_t *ret_id, int64_t *ret_start)
{
	int64_t low = 0, start = 0, high = event_last(engine) + 1;

	while (high - low > 1) {
		int64_t id, end;
		int r = event_end(engine, json, low + (high - low) / 2, &id, &end);

		if (r < 0)
			return r;
		if (end > offset) {
			high = low + (high - low) / 2;
			continue;
		}
		low += (high - low) / 2;
		start = end;
	}
	*ret_id = low + 1;
	*ret_start = start;
	return 0;
}

int64_t event_last(struct engine *engine)
{
	struct event_tail *tail;

	return tail_get(engine, &tail) < 0 ? 0 : tail->id;
}

const char *event_head(struct engine *engine, char ret_text[2 * EVENT_HASH_SIZE + 1])
{
	static const unsigned char none[EVENT_HASH_SIZE];
	struct event_tail *tail;

	return sodium_bin2hex(ret_text, 2 * EVENT_HASH_SIZE + 1,
		tail_get(engine, &tail) < 0 ? none : tail->hash, EVENT_HASH_SIZE);
}

/* What the columns say must be what the JSON says: only that is hashed. */
static bool columns_fit(const struct event *event, const json_t *object)
{
	CLEANUP(buffer_done) struct buffer line = { 0 };
	const char *time = json_string_value(json_object_get(object, "time"));
	const char *type = json_string_value(json_object_get(object, "type"));
	char text[32];
	FILE *out = buffer_stream_open(&line);

	if (!out)
		return false;
	event_write_line(object, out);
	if (buffer_stream_close(out, &line) < 0)
		return false;
	return time && type && !strcmp(time, time_format(event->time_ms, text)) &&
	       !strcmp(type, event->type) && !strcmp(buffer_text(&line), event->line) &&
	       json_integer_value(json_object_get(object, "id")) == event->id &&
	       json_integer_value(json_object_get(object, "uid")) == (json_int_t)event->uid &&
	       json_integer_value(json_object_get(object, "run")) == event->run_id &&
	       json_integer_value(json_object_get(object, "stack_id")) == event->stack_id;
}

static bool row_fits(struct query *query, struct event_tail *tail)
{
	json_auto_t *object = NULL;
	unsigned char hash[crypto_hash_sha256_BYTES];
	struct event event;
	size_t size, json_size;
	const void *kept;

	event_load(query, &event);
	kept = query_blob(query, 8, &size);
	json_size = strlen(event.json);
	if (event.id != tail->id + 1 || size != sizeof(hash) || json_size == 0 ||
		event.json[json_size - 1] != '\n')
		return false;
	chain_hash(tail->hash, event.json, json_size - 1, hash);
	object = json_loads(event.json, 0, NULL);
	if (!object || memcmp(hash, kept, size) != 0 || !columns_fit(&event, object))
		return false;
	tail->id = event.id;
	tail->line_end += (int64_t)strlen(event.line);
	tail->json_end += (int64_t)json_size;
	memcpy(tail->hash, hash, sizeof(hash));
	return query_int(query, 9) == tail->line_end && query_int(query, 10) == tail->json_end;
}

int event_verify(struct engine *engine, struct fault *fault)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_EVENT_CHAIN, "");
	struct event_tail tail = { 0 };
	char time[32];
	int r;

	while ((r = query_step(query)) > 0) {
		int64_t id = query_int(query, 0), before = tail.id;

		if (!row_fits(query, &tail))
			return fault_set(fault, EBADMSG,
				"event %" PRId64 " (%s) does not fit to event %" PRId64
				" before it: somebody changed, added or removed events here",
				id, time_format(query_int(query, 1), time), before);
	}
	return r < 0 ? fault_set(fault, -r, "the events cannot be read: %s", strerror(-r)) : 0;
}
