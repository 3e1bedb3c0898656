/* SPDX-License-Identifier: MIT */
/* The audit trail: adding to its end, and reading. */
#include "engine/event.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/event-chain.h"
#include "engine/event-text.h"

_Static_assert(sizeof(((struct event_place *)0)->hash) == crypto_hash_sha256_BYTES, "the hash is SHA-256");

static int place_load(struct query *query, struct event_place *ret_place)
{
	size_t size;
	const void *hash = query_blob(query, 3, &size);

	if (size != sizeof(ret_place->hash))
		return -EBADMSG;
	ret_place->id = query_int(query, 0);
	ret_place->line_end = query_int(query, 1);
	ret_place->json_end = query_int(query, 2);
	memcpy(ret_place->hash, hash, size);
	return 1;
}

/* 1, or 0 when there is no row. */
static int place_get(struct engine *engine, enum statement statement, struct event_place *ret_place)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, statement, "");
	int r = query_step(query);

	return r > 0 ? place_load(query, ret_place) : r;
}

/* The ends as they are in this turn. Read again after anything was undone, because it may have been among
 * that. */
static int tail_get(struct engine *engine, struct event_tail **ret_tail)
{
	struct event_tail *tail = &engine->event_tail;
	int r;

	*ret_tail = tail;
	if (tail->known && tail->undo_count == store_undo_count(engine->store))
		return 0;
	*tail = (struct event_tail){ .undo_count = store_undo_count(engine->store) };
	r = place_get(engine, SQL_EVENT_BASE, &tail->base);
	if (r >= 0)
		r = place_get(engine, SQL_EVENT_TAIL, &tail->end);
	if (r < 0)
		return r;
	if (tail->end.id < tail->base.id) /* all is archived */
		tail->end = tail->base;
	tail->known = true;
	return 0;
}

int event_places(struct engine *engine, struct event_place *ret_base, struct event_place *ret_end)
{
	struct event_tail *tail;
	int r = tail_get(engine, &tail);

	if (r < 0)
		return r;
	if (ret_base)
		*ret_base = tail->base;
	if (ret_end)
		*ret_end = tail->end;
	return 0;
}

void event_forget_places(struct engine *engine)
{
	engine->event_tail.known = false;
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

static bool is_ascii(const struct buffer *text)
{
	for (size_t i = 0; i < text->size; i++)
		if ((unsigned char)text->data[i] >= 0x80)
			return false;
	return true;
}

/* The same again, of what is told harmlessly. Nearly all events are ASCII, and are spared the way. */
static int render_harmless(
	json_t *object, const json_t *data, struct buffer *ret_line, struct buffer *ret_json)
{
	json_t *harmless = event_harmless(data);

	if (json_object_size(harmless) > 0)
		json_object_set(object, "data", harmless);
	json_decref(harmless);
	buffer_truncate(ret_line, 0);
	buffer_truncate(ret_json, 0);
	return harmless ? event_render(object, ret_line, ret_json) : -ENOMEM;
}

static int event_insert(struct engine *engine, struct event_place *end, const struct event *event,
	const struct buffer *line, const struct buffer *json)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	int r;

	event_chain_hash(end->hash, json->data, json->size - 1, hash);
	r = store_run(engine->store, SQL_EVENT_ADD, "iiiiiiisbtt", event->id, event->time_ms,
		end->line_end + (int64_t)line->size, end->json_end + (int64_t)json->size, event->stack_id,
		event->run_id, (int64_t)event->uid, event->type, hash, sizeof(hash), line->data, line->size,
		json->data, json->size);
	if (r < 0)
		return r;
	end->id = event->id;
	end->line_end += (int64_t)line->size;
	end->json_end += (int64_t)json->size;
	memcpy(end->hash, hash, sizeof(hash));
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
	event.id = tail->end.id + 1;
	event.run_id = run_id ? run_id : caller ? caller->run_id : 0;
	event.uid = caller ? caller->uid : geteuid();
	object = event_object(&event, stack, caller ? caller_login(caller->uid) : "slothd", owned);
	r = object ? event_render(object, &line, &json) : -ENOMEM;
	if (r == 0 && owned && !is_ascii(&json))
		r = render_harmless(object, owned, &line, &json);
	if (r == 0)
		r = event_insert(engine, &tail->end, &event, &line, &json);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_EVENTS);
	if (stack_id)
		engine_note(engine, SUBJECT_STACK, stack_id, ASPECT_EVENTS);
	return 0;
}

int event_add_rights(struct engine *engine, struct caller *caller, const char *type, const char *what,
	const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	char text[8];

	snprintf(text, sizeof(text), "%04o", (unsigned)mode & 07777);
	return event_add(engine, caller, type, 0, NULL, 0,
		json_pack("{ss sI sI ss}", what, name, "owner", (json_int_t)uid, "group", (json_int_t)gid,
			"mode", text));
}

void event_load(struct query *query, struct event *ret_event)
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
	struct event_tail *tail;
	struct event event;
	int r = tail_get(engine, &tail);

	if (r < 0)
		return r;
	if (after < tail->base.id) /* rows of the archive that are still to be removed */
		after = tail->base.id;
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
	*ret_size =
		json ? tail->end.json_end - tail->base.json_end : tail->end.line_end - tail->base.line_end;
	return 0;
}

/* Where the newest event up to `id` ends, from the first event that is kept. */
static int event_end(struct engine *engine, bool json, int64_t id, int64_t *ret_end)
{
	const struct event_place *base = &engine->event_tail.base;
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_EVENT_AT, "i", id);
	int r = query_step(query);

	if (r < 0)
		return r;
	*ret_end = r ? query_int(query, json ? 2 : 1) - (json ? base->json_end : base->line_end) : 0;
	return 0;
}

/* By halves: the last event that ends at or before `offset`; the one behind it is the answer. */
int event_seek(struct engine *engine, bool json, int64_t offset, int64_t *ret_id, int64_t *ret_start)
{
	int64_t low, high, start = 0;
	struct event_tail *tail;
	int r = tail_get(engine, &tail);

	if (r < 0)
		return r;
	low = tail->base.id;
	high = tail->end.id + 1;
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2, end;

		r = event_end(engine, json, middle, &end);
		if (r < 0)
			return r;
		if (end > offset) {
			high = middle;
			continue;
		}
		low = middle;
		start = end;
	}
	*ret_id = low + 1;
	*ret_start = start;
	return 0;
}

int event_offset(struct engine *engine, bool json, int64_t id, int64_t *ret_offset)
{
	struct event_tail *tail;
	int r = tail_get(engine, &tail);

	if (r == 0 && id - 1 <= tail->base.id)
		*ret_offset = 0;
	else if (r == 0)
		r = event_end(engine, json, id - 1, ret_offset);
	return r;
}

int64_t event_last(struct engine *engine)
{
	struct event_tail *tail;

	return tail_get(engine, &tail) < 0 ? 0 : tail->end.id;
}

const char *event_head(struct engine *engine, char ret_text[2 * EVENT_HASH_SIZE + 1])
{
	static const unsigned char none[EVENT_HASH_SIZE];
	struct event_tail *tail;

	return sodium_bin2hex(ret_text, 2 * EVENT_HASH_SIZE + 1,
		tail_get(engine, &tail) < 0 ? none : tail->end.hash, EVENT_HASH_SIZE);
}
