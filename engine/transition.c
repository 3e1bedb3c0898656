/* SPDX-License-Identifier: MIT */
/* The lines of events.json. */
#include "engine/transition.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json-text.h"

enum { HEAD_SIZE = 160, TAIL_SIZE = 256 };

static int append_json(struct buffer *text, const char *value)
{
	size_t size = strlen(value), room = json_text_size(value, size), start = text->size;
	int r = buffer_truncate(text, start + room);

	if (r == 0)
		json_text_write(value, size, text->data + start);
	return r;
}

/* `"value"`, or null for "". */
static int append_string(struct buffer *text, const char *value)
{
	int r;

	if (!*value)
		return buffer_append_text(text, "null");
	r = buffer_append_text(text, "\"");
	r = r < 0 ? r : append_json(text, value);
	return r < 0 ? r : buffer_append_text(text, "\"");
}

static int render(const struct transition *t, struct buffer *text)
{
	char head[HEAD_SIZE], tail[TAIL_SIZE], number[24] = "null", time[32], until[32];
	int r;

	if (t->duration_ms >= 0)
		snprintf(number, sizeof(number), "%" PRId64, t->duration_ms);
	snprintf(head, sizeof(head), "{\"duration_ms\":%s,\"error\":", number);
	r = buffer_append_text(text, head);
	r = r < 0 ? r : append_string(text, t->error ? t->error : "");
	r = r < 0 ? r : buffer_append_text(text, ",\"from\":");
	r = r < 0 ? r : append_string(text, t->from);
	snprintf(head, sizeof(head), ",\"run\":%" PRId64 ",\"task\":", t->run_id);
	r = r < 0 ? r : buffer_append_text(text, head);
	r = r < 0 ? r : append_string(text, t->task);
	snprintf(tail, sizeof(tail), ",\"time\":\"%s\",\"to\":\"%s\",\"try\":%d%s%s%s}\n",
		time_format(t->time_ms, time), t->to, t->try, t->until_ms ? ",\"until\":\"" : "",
		t->until_ms ? time_format(t->until_ms, until) : "", t->until_ms ? "\"" : "");
	return r < 0 ? r : buffer_append_text(text, tail);
}

static struct query *rows_from(struct engine *engine, int64_t run_id, int64_t start)
{
	return query_begin(engine->store, SQL_TRANSITION_FROM, "ii", run_id, start);
}

/* The text of a row, and where it begins. */
static int render_row(struct query *query, int64_t run_id, int64_t *ret_start, struct buffer *ret_text)
{
	const struct transition t = {
		.run_id = run_id,
		.task_id = query_int(query, 1),
		.task = query_text(query, 2),
		.try = (int)query_int(query, 3),
		.time_ms = query_int(query, 4),
		.from = query_text(query, 5),
		.to = query_text(query, 6),
		.duration_ms = query_int(query, 7),
		.until_ms = query_int(query, 8),
		.error = query_text(query, 9),
	};
	int r = buffer_truncate(ret_text, 0);

	*ret_start = query_int(query, 0);
	return r < 0 ? r : render(&t, ret_text);
}

/* Where the lines end, read from the last one. */
static int64_t find_end(struct engine *engine, int64_t run_id)
{
	CLEANUP(query_endp) struct query *query = NULL;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int64_t start;
	int r = store_get_int(engine->store, &start, SQL_TRANSITION_BEFORE, "ii", run_id, INT64_MAX);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	query = rows_from(engine, run_id, start);
	r = query_step(query);
	r = r > 0 ? render_row(query, run_id, &start, &text) : r < 0 ? r : -ENOENT;
	return r < 0 ? r : start + (int64_t)text.size;
}

/* Kept for the runs that go on: each of their tasks adds lines. */
static struct transition_end *known_end(struct engine *engine, int64_t run_id)
{
	size_t count = sizeof(engine->transition_ends) / sizeof(engine->transition_ends[0]);

	return &engine->transition_ends[(uint64_t)run_id % count];
}

int64_t transition_size(struct engine *engine, int64_t run_id)
{
	struct transition_end *end = known_end(engine, run_id);
	uint64_t undo_count = store_undo_count(engine->store);
	int64_t size;

	if (end->run_id == run_id && end->undo_count == undo_count)
		return end->end;
	size = find_end(engine, run_id);
	if (size >= 0)
		*end = (struct transition_end){ run_id, size, undo_count };
	return size;
}

int transition_add(struct engine *engine, const struct transition *t)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int64_t start = transition_size(engine, t->run_id);
	int r;

	if (start < 0)
		return (int)start;
	r = render(t, &text);
	r = r < 0 ? r
		  : store_run(engine->store, SQL_TRANSITION_ADD, "iiiiissiis", t->run_id, start, t->task_id,
			    (int64_t)t->try, t->time_ms, t->from, t->to, t->duration_ms, t->until_ms,
			    t->error ? t->error : "");
	if (r == 0)
		known_end(engine, t->run_id)->end = start + (int64_t)text.size;
	return r;
}

/* As much of a line that begins at `start` as lies from `offset` on. */
static size_t copy_part(const struct buffer *text, int64_t start, int64_t offset, char *ret_data, size_t size)
{
	size_t skip = offset > start ? (size_t)(offset - start) : 0, n;

	if (skip >= text->size)
		return 0;
	n = text->size - skip < size ? text->size - skip : size;
	memcpy(ret_data, text->data + skip, n);
	return n;
}

ssize_t transition_read(struct engine *engine, int64_t run_id, int64_t offset, char *ret_data, size_t size)
{
	CLEANUP(query_endp) struct query *query = NULL;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int64_t start;
	size_t done = 0;
	int r;

	if (offset < 0)
		return -EINVAL;
	r = store_get_int(engine->store, &start, SQL_TRANSITION_BEFORE, "ii", run_id, offset);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	query = rows_from(engine, run_id, start);
	while (done < size && (r = query_step(query)) > 0) {
		r = render_row(query, run_id, &start, &text);
		if (r < 0)
			return r;
		done += copy_part(&text, start, offset + (int64_t)done, ret_data + done, size - done);
	}
	return r < 0 ? r : (ssize_t)done;
}
