/* SPDX-License-Identifier: MIT */
/*
 * Logs of runs. What was said is kept once, in pieces; a piece knows at which byte it starts in its task's
 * log and in the run's, where it is rendered with the time and the task before each line. So reading anywhere
 * is one search.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "engine/log-json.h"
#include "engine/run.h"

enum { PIECE_SIZE_MAX = 64 << 10, PREFIX_SIZE = NAME_SIZE + 24 };

static size_t prefix_format(int64_t time_ms, const char *task, char ret_text[PREFIX_SIZE])
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm tm;
	int n;

	gmtime_r(&seconds, &tm);
	n = snprintf(ret_text, PREFIX_SIZE, "%02d:%02d:%02d.%03d %s%s%s", tm.tm_hour, tm.tm_min, tm.tm_sec,
		(int)(time_ms % 1000), *task ? "[" : "", task, *task ? "] " : "");
	return (size_t)n;
}

/* The lines of a piece; a last part of one is a line of its own here. */
static size_t lines_count(const char *text, size_t size)
{
	size_t n = size > 0 && text[size - 1] != '\n';

	for (const char *p = text; (p = memchr(p, '\n', size - (size_t)(p - text))); p++)
		n++;
	return n;
}

static size_t rendered_size(const char *text, size_t size, size_t prefix)
{
	return size + (size > 0 && text[size - 1] != '\n') + lines_count(text, size) * prefix;
}

static int piece_render(
	const char *text, size_t size, int64_t time_ms, const char *task, struct buffer *ret_text)
{
	char prefix[PREFIX_SIZE];
	size_t prefix_size = prefix_format(time_ms, task, prefix);
	int r = buffer_reserve(ret_text, rendered_size(text, size, prefix_size));

	while (size > 0 && r == 0) {
		const char *end = memchr(text, '\n', size);
		size_t n = end ? (size_t)(end - text) : size;

		r = buffer_append(ret_text, prefix, prefix_size);
		if (r == 0)
			r = buffer_append(ret_text, text, n);
		if (r == 0)
			r = buffer_append(ret_text, "\n", 1);
		n += end != NULL;
		text += n;
		size -= n;
	}
	return r;
}

/* Where the logs end, while pieces are added. */
struct ends {
	int64_t run_id, run_size, run_json;
	bool full;
	struct task task; /* id 0: of the run itself */
	struct log_origin origin;
};

static int ends_get(struct engine *engine, int64_t run_id, int64_t task_id, struct ends *ret_ends)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_RUN_LOG, "i", run_id);
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	ret_ends->run_id = run_id;
	ret_ends->run_size = query_int(query, 0);
	ret_ends->full = query_int(query, 1) != 0;
	ret_ends->run_json = query_int(query, 2);
	if (!task_id)
		return 0;
	r = task_get(engine, task_id, &ret_ends->task);
	return r == 0 && ret_ends->task.run_id != run_id ? -EINVAL : r;
}

static int piece_add(struct engine *engine, struct ends *ends, const char *text, size_t size)
{
	const struct log_origin *origin = &ends->origin;
	const struct log_piece piece = { ends->run_id, ends->task.name, origin->try, origin->stream,
		origin->time_ms, text, size };
	int64_t json = (int64_t)log_json_piece_size(&piece);
	char prefix[PREFIX_SIZE];
	size_t prefix_size = prefix_format(origin->time_ms, ends->task.name, prefix);
	int r = store_run(engine->store, SQL_LOG_ADD, "iiiiibisii", ends->run_id, ends->run_size,
		ends->task.id, ends->task.log_size, origin->time_ms, text, size, (int64_t)origin->try,
		origin->stream, ends->run_json, ends->task.log_json_size);

	if (r < 0)
		return r;
	ends->run_size += (int64_t)rendered_size(text, size, prefix_size);
	ends->run_json += json;
	if (ends->task.id) {
		ends->task.log_size += (int64_t)size;
		ends->task.log_json_size += json;
	}
	return 0;
}

/* As much of `text` as makes a piece: up to a line's end, where one is near enough. */
static size_t piece_cut(const char *text, size_t size)
{
	const char *end;

	if (size <= PIECE_SIZE_MAX)
		return size;
	end = memrchr(text, '\n', PIECE_SIZE_MAX);
	return end ? (size_t)(end - text) + 1 : PIECE_SIZE_MAX;
}

static int ends_put(struct engine *engine, const struct ends *ends)
{
	int64_t now = time_now_ms();
	int r = store_run(engine->store, SQL_RUN_SET_LOG, "iiiii", ends->run_id, ends->run_size,
		(int64_t)ends->full, now, ends->run_json);

	if (r == 0 && ends->task.id)
		r = store_run(engine->store, SQL_TASK_SET_LOG, "iiii", ends->task.id, ends->task.log_size,
			now, ends->task.log_json_size);
	return r;
}

/* How much of a piece makes at most `room` bytes of the log, in whole lines. */
static size_t piece_fit(const char *text, size_t size, size_t prefix, int64_t room)
{
	size_t n = 0;

	while (n < size) {
		const char *end = memchr(text + n, '\n', size - n);
		size_t line = end ? (size_t)(end - text) + 1 - n : size - n;

		room -= (int64_t)rendered_size(text + n, line, prefix);
		if (room < 0)
			break;
		n += line;
	}
	return n;
}

static int tell_full(struct engine *engine, struct ends *ends)
{
	char last[128];

	ends->full = true;
	ends->task = (struct task){ 0 };
	ends->origin = (struct log_origin){ .stream = "log", .time_ms = ends->origin.time_ms };
	snprintf(last, sizeof(last),
		"the log is over max_log_size (%" PRId64 " bytes): the rest is dropped\n",
		engine->config.max_log_size);
	return piece_add(engine, ends, last, strlen(last));
}

static int pieces_add(struct engine *engine, struct ends *ends, const char *text, size_t size)
{
	char prefix[PREFIX_SIZE];
	size_t prefix_size = prefix_format(ends->origin.time_ms, ends->task.name, prefix);
	int r = 0;

	while (size > 0 && r == 0 && !ends->full) {
		size_t n = piece_cut(text, size);
		size_t fit = piece_fit(text, n, prefix_size, engine->config.max_log_size - ends->run_size);

		if (fit)
			r = piece_add(engine, ends, text, fit);
		if (r == 0 && fit < n)
			r = tell_full(engine, ends);
		text += n;
		size -= n;
	}
	return r;
}

/* What is neither of a process's streams is the workflow's. */
static const char *stream_known(const char *stream)
{
	return stream && (!strcmp(stream, "out") || !strcmp(stream, "err")) ? stream : "log";
}

int log_append(
	struct engine *engine, int64_t run_id, const struct log_origin *origin, const char *text, size_t size)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct ends ends = { .origin = *origin };
	int64_t task_id = origin->task_id, task_size;
	int r = ends_get(engine, run_id, task_id, &ends);

	if (r < 0 || size == 0 || ends.full)
		return r;
	ends.origin.stream = stream_known(origin->stream);
	task_size = ends.task.log_size;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = pieces_add(engine, &ends, text, size);
	if (r == 0)
		r = ends_put(engine, &ends);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_RUN, run_id, ASPECT_LOG);
	if (task_id && ends.task.log_size != task_size)
		engine_note(engine, SUBJECT_TASK, task_id, ASPECT_LOG);
	return 0;
}

/* Copies what lies at `offset` of a piece that starts at `start`; 0 when it is behind its end. */
static size_t piece_copy(
	const char *data, size_t data_size, int64_t start, int64_t offset, char *ret_data, size_t size)
{
	size_t skip = (size_t)(offset - start), n;

	if (skip >= data_size)
		return 0;
	n = data_size - skip < size ? data_size - skip : size;
	memcpy(ret_data, data + skip, n);
	return n;
}

static ssize_t read_task_piece(
	struct engine *engine, int64_t task_id, int64_t offset, char *ret_data, size_t size)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_LOG_OF_TASK, "ii", task_id, offset);
	const char *data;
	size_t data_size;
	int r = query_step(query);

	if (r <= 0)
		return r;
	data = query_blob(query, 1, &data_size);
	return (ssize_t)piece_copy(data, data_size, query_int(query, 0), offset, ret_data, size);
}

static ssize_t read_run_piece(
	struct engine *engine, int64_t run_id, int64_t offset, char *ret_data, size_t size)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_LOG_OF_RUN, "ii", run_id, offset);
	CLEANUP(buffer_done) struct buffer text = { 0 };
	const char *data;
	size_t data_size;
	int r = query_step(query);

	if (r <= 0)
		return r;
	data = query_blob(query, 3, &data_size);
	r = piece_render(data, data_size, query_int(query, 2), query_text(query, 4), &text);
	if (r < 0)
		return r;
	return (ssize_t)piece_copy(text.data, text.size, query_int(query, 0), offset, ret_data, size);
}

ssize_t log_read(
	struct engine *engine, int64_t run_id, int64_t task_id, int64_t offset, char *ret_data, size_t size)
{
	size_t done = 0;

	if (offset < 0)
		return -EINVAL;
	while (done < size) {
		int64_t at = offset + (int64_t)done;
		ssize_t n = task_id ? read_task_piece(engine, task_id, at, ret_data + done, size - done)
				    : read_run_piece(engine, run_id, at, ret_data + done, size - done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}
