/* SPDX-License-Identifier: MIT */
/*
 * log.json: an object a line of the log. Rendered when it is read; where each piece begins in it was counted
 * when the piece was added, and rises with where it begins in the plain log, so that a search by halves finds
 * it.
 */
#include "engine/log-json.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json-text.h"

enum { BASE64 = sodium_base64_VARIANT_ORIGINAL };

static const char partial_word[] = "\"partial\":true,";
static const char base64_word[] = "\"base64\":\"";
static const char base64_end[] = "\",";

/* What stands before and behind each line's text. */
struct frame_texts {
	char head[3 * NAME_SIZE * 2 + 128], tail[96];
	size_t head_size, tail_size;
};

static void frame_make(const struct log_piece *piece, struct frame_texts *ret_frame)
{
	char *p = ret_frame->head, time[32];
	bool of_task = *piece->task != '\0';

	p += sprintf(p, "\"run\":%" PRId64 ",\"stream\":\"%s\",\"task\":%s", piece->run_id, piece->stream,
		of_task ? "\"" : "null");
	p = json_text_write(piece->task, strlen(piece->task), p);
	p += sprintf(p, "%s,\"text\":\"", of_task ? "\"" : "");
	ret_frame->head_size = (size_t)(p - ret_frame->head);
	ret_frame->tail_size = (size_t)sprintf(ret_frame->tail, "\",\"time\":\"%s\",\"try\":%d}\n",
		time_format(piece->time_ms, time), piece->try);
}

struct line {
	const char *text;
	size_t size, used; /* used: with the newline */
	bool partial;	   /* its end is not there (yet) */
	bool binary;	   /* it is no UTF-8: told in base64, too */
};

static struct line line_first(const char *text, size_t size)
{
	const char *end = memchr(text, '\n', size);
	size_t n = end ? (size_t)(end - text) : size;

	return (struct line){ text, n, n + (end != NULL), !end, !text_is_utf8(text, n) };
}

static size_t base64_size(const struct line *line)
{
	return sodium_base64_encoded_len(line->size, BASE64) - 1; /* without the NUL */
}

static size_t line_size(const struct frame_texts *frame, const struct line *line)
{
	size_t size = 1 + frame->head_size + json_text_size(line->text, line->size) + frame->tail_size;

	if (line->binary)
		size += strlen(base64_word) + base64_size(line) + strlen(base64_end);
	return size + (line->partial ? strlen(partial_word) : 0);
}

static char *put(char *p, const char *text, size_t size)
{
	memcpy(p, text, size);
	return p + size;
}

/* The encoder's NUL falls where the next word goes. */
static char *put_base64(char *p, const struct line *line)
{
	p = put(p, base64_word, strlen(base64_word));
	sodium_bin2base64(p, base64_size(line) + 1, (const unsigned char *)line->text, line->size, BASE64);
	return put(p + base64_size(line), base64_end, strlen(base64_end));
}

static char *line_write(const struct frame_texts *frame, const struct line *line, char *p)
{
	*p++ = '{';
	if (line->binary)
		p = put_base64(p, line);
	if (line->partial)
		p = put(p, partial_word, strlen(partial_word));
	p = put(p, frame->head, frame->head_size);
	p = json_text_write(line->text, line->size, p);
	return put(p, frame->tail, frame->tail_size);
}

size_t log_json_piece_size(const struct log_piece *piece)
{
	struct frame_texts frame;
	size_t sum = 0;

	frame_make(piece, &frame);
	for (size_t at = 0; at < piece->size;) {
		struct line line = line_first(piece->text + at, piece->size - at);

		sum += line_size(&frame, &line);
		at += line.used;
	}
	return sum;
}

static int piece_render(const struct log_piece *piece, struct buffer *ret_text)
{
	struct frame_texts frame;
	char *p;
	int r = buffer_truncate(ret_text, log_json_piece_size(piece));

	if (r < 0)
		return r;
	frame_make(piece, &frame);
	p = ret_text->data;
	for (size_t at = 0; at < piece->size;) {
		struct line line = line_first(piece->text + at, piece->size - at);

		p = line_write(&frame, &line, p);
		at += line.used;
	}
	return 0;
}

/* Which of the two logs is read. */
struct log_reader {
	struct engine *engine;
	int64_t id;		 /* of the run or the task */
	int64_t size, json_size; /* bytes of its log and log.json */
	enum statement from, piece;
};

static int reader_init(struct engine *engine, int64_t run_id, int64_t task_id, struct log_reader *ret_reader)
{
	struct task task;
	struct run run;
	int r = task_id ? task_get(engine, task_id, &task) : run_get(engine, run_id, &run);

	if (r < 0)
		return r;
	*ret_reader = task_id ? (struct log_reader){ engine, task_id, task.log_size, task.log_json_size,
		SQL_LOG_TASK_FROM, SQL_LOG_JSON_OF_TASK }
			      : (struct log_reader){ engine, run_id, run.log_size, run.log_json_size,
					SQL_LOG_RUN_FROM, SQL_LOG_JSON_OF_RUN };
	return 0;
}

/* The first piece at or behind a place of the plain log: 1, or 0 when there is none. */
static int piece_from(const struct log_reader *reader, int64_t place, int64_t *ret_place, int64_t *ret_json)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(reader->engine->store, reader->from, "ii", reader->id, place);
	int r = query_step(query);

	if (r > 0) {
		*ret_place = query_int(query, 0);
		*ret_json = query_int(query, 1);
	}
	return r;
}

/* The last piece that begins at the offset of log.json or before: its place in the plain log. 1, 0 or -errno.
 */
static int piece_seek(const struct log_reader *reader, int64_t offset, int64_t *ret_place)
{
	int64_t low = 0, high = reader->size, place, json;
	int found = 0;

	while (low <= high) {
		int64_t middle = low + (high - low) / 2;
		int r = piece_from(reader, middle, &place, &json);

		if (r < 0)
			return r;
		if (r == 0 || json > offset) {
			high = middle - 1;
			continue;
		}
		*ret_place = place;
		found = 1;
		low = place + 1;
	}
	return found;
}

/* The text of the piece at a place, and where it begins in log.json. */
static int piece_text(
	const struct log_reader *reader, int64_t place, int64_t *ret_start, struct buffer *ret_text)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(reader->engine->store, reader->piece, "ii", reader->id, place);
	struct log_piece piece = { 0 };
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_start = query_int(query, 0);
	piece.run_id = query_int(query, 1);
	piece.task = query_text(query, 3);
	piece.try = (int)query_int(query, 4);
	piece.stream = query_text(query, 5);
	piece.time_ms = query_int(query, 6);
	piece.text = query_blob(query, 7, &piece.size);
	return piece_render(&piece, ret_text);
}

static size_t copy_part(const struct buffer *text, int64_t start, int64_t offset, char *ret_data, size_t size)
{
	size_t skip = (size_t)(offset - start), n;

	if (skip >= text->size)
		return 0;
	n = text->size - skip < size ? text->size - skip : size;
	memcpy(ret_data, text->data + skip, n);
	return n;
}

ssize_t log_json_read(
	struct engine *engine, int64_t run_id, int64_t task_id, int64_t offset, char *ret_data, size_t size)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct log_reader reader;
	int64_t place = 0, start = 0, next;
	size_t done = 0;
	int r;

	if (offset < 0)
		return -EINVAL;
	r = reader_init(engine, run_id, task_id, &reader);
	if (r < 0 || offset >= reader.json_size)
		return r;
	r = piece_seek(&reader, offset, &place);
	while (r > 0 && done < size) {
		r = piece_text(&reader, place, &start, &text);
		if (r < 0)
			return r;
		done += copy_part(&text, start, offset + (int64_t)done, ret_data + done, size - done);
		r = piece_from(&reader, place + 1, &place, &next);
	}
	return r < 0 ? r : (ssize_t)done;
}
