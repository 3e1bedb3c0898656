/* SPDX-License-Identifier: MIT */
/* events: what happened, from /events.json. The newest stand at the end of the file, so it is read from
 * there. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"

const struct option events_options[] = {
	{ "follow", 'f', NULL, "go on with what happens from now on" },
	{ "stack", 's', "NAME", "only of this stack" },
	{ "type", 't', "PATTERN", "only of this type: lock.acquired, 'lock.*'" },
	{ "limit", 'n', "NUMBER", "at most so many of the past (50)" },
	{ NULL },
};

enum { BLOCK = 256 << 10 };

struct reader {
	struct command *command;
	const char *stack, *type; /* NULL: any */
	int64_t limit, handle, size;
};

static bool wanted(const struct reader *reader, const json_t *event)
{
	if (reader->stack && strcmp(print_text(event, "stack"), reader->stack))
		return false;
	return !reader->type || fnmatch(reader->type, print_text(event, "type"), 0) == 0;
}

/* "2026-11-21 14:03:05  lock.acquired  production  alice  {…}" */
static void print_line(const json_t *event)
{
	static const char *const shown[] = { "time", "type", "stack", "run", "user", "id", "uid",
		"stack_id" };
	json_t *rest = json_deep_copy(event), *run = json_object_get(event, "run");
	json_t *time = json_object_get(event, "time");
	CLEANUP(cleanup_free) char *text = NULL;
	char when[32];

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		json_object_del(rest, shown[i]);
	printf("%s%s%s  %s%-26s%s", print_style(stdout, STYLE_DIM), print_time(print_ms(time), when),
		print_style(stdout, STYLE_END), print_style(stdout, STYLE_CYAN), print_text(event, "type"),
		print_style(stdout, STYLE_END));
	printf("  %s", *print_text(event, "stack") ? print_text(event, "stack") : "-");
	if (json_integer_value(run))
		printf("  run %lld", (long long)json_integer_value(run));
	if (*print_text(event, "user"))
		printf("  %s", print_text(event, "user"));
	if (json_object_size(json_object_get(rest, "data")))
		text = json_dumps(json_object_get(rest, "data"), JSON_COMPACT);
	else if (json_object_size(rest) && !json_object_get(rest, "data"))
		text = json_dumps(rest, JSON_COMPACT);
	if (text)
		printf("  %s", text);
	putchar('\n');
	json_decref(rest);
}

/* JSON: a line each, as in the file, so that --follow has the same form as without. */
static void print_event(const struct reader *reader, const json_t *event)
{
	if (reader->command->format == FORMAT_TEXT)
		print_line(event);
	else
		print_json_line((json_t *)event);
}

/* Prints the wanted lines of a text that begins at a line's start; what is behind the last newline is left.
 * The bytes that were used. */
static size_t print_lines(const struct reader *reader, const char *text, size_t size)
{
	size_t used = 0;
	const char *newline;

	while (used < size && (newline = memchr(text + used, '\n', size - used))) {
		json_t *event = json_loadb(text + used, (size_t)(newline - text) - used, 0, NULL);

		if (event && wanted(reader, event))
			print_event(reader, event);
		json_decref(event);
		used = (size_t)(newline - text) + 1;
	}
	return used;
}

/* How many wanted lines there are in text, of those that are complete at their start; and where the limit-th
 * from the end begins. */
static bool find_start(
	const struct reader *reader, const char *text, size_t size, bool whole, size_t *ret_start)
{
	int64_t found = 0;
	size_t end = size;

	while (end > 0) {
		const char *before = end > 1 ? memrchr(text, '\n', end - 1) : NULL;
		size_t start = before ? (size_t)(before - text) + 1 : 0;
		json_t *event;

		if (!before && !whole)
			break;
		event = json_loadb(text + start, end - start, 0, NULL);
		if (event && wanted(reader, event)) {
			found++;
			*ret_start = start;
		}
		json_decref(event);
		if (found >= reader->limit)
			return true;
		end = start;
	}
	return false;
}

static int read_block(const struct reader *reader, int64_t offset, size_t size, struct buffer *content)
{
	struct command *command = reader->command;

	while (content->size < size) {
		CLEANUP(answer_done) struct answer answer = { 0 };
		json_t *fields = json_pack("{sIsIsI}", "handle", (json_int_t)reader->handle, "offset",
			(json_int_t)offset + (json_int_t)content->size, "size",
			(json_int_t)(size - content->size));
		int r = client_call(&command->client, "pread", fields, NULL, 0, &command->fault, &answer);

		r = r < 0 ? r : buffer_append(content, answer.body.data, answer.body.size);
		if (r < 0)
			return r;
		if (!answer.body.size)
			break;
	}
	return 0;
}

/* A larger and larger part of the end, until it holds enough. */
static int print_past(const struct reader *reader)
{
	for (int64_t part = BLOCK;; part *= 4) {
		CLEANUP(buffer_done) struct buffer content = { 0 };
		int64_t from = part < reader->size ? reader->size - part : 0;
		size_t start = 0, size = (size_t)(reader->size - from);
		bool enough;
		int r = size ? read_block(reader, from, size, &content) : 0;

		if (r < 0)
			return r;
		start = content.size;
		enough = reader->limit == 0 ||
			 find_start(reader, buffer_text(&content), content.size, from == 0, &start);
		if (!enough && from > 0)
			continue;
		print_lines(reader, buffer_text(&content) + start, content.size - start);
		return 0;
	}
}

static int print_future(const struct reader *reader)
{
	struct command *command = reader->command;
	int64_t offset = reader->size;
	CLEANUP(buffer_done) struct buffer rest = { 0 };

	for (;;) {
		CLEANUP(answer_done) struct answer answer = { 0 };
		ssize_t n;
		json_t *fields = json_pack(
			"{sIsI}", "handle", (json_int_t)reader->handle, "offset", (json_int_t)offset);
		int r;

		fflush(stdout);
		r = client_call(&command->client, "watch", fields, NULL, 0, &command->fault, &answer);
		if (r < 0 || json_is_true(json_object_get(answer.head, "end")))
			return r;
		n = client_file_read(&command->client, reader->handle, offset, &command->fault, &rest);
		if (n < 0)
			return (int)n;
		offset += n;
		buffer_consume(&rest, print_lines(reader, buffer_text(&rest), rest.size));
	}
}

int events_run(struct command *command)
{
	struct reader reader = { .command = command,
		.limit = 50,
		.stack = command_option(command, "stack"),
		.type = command_option(command, "type") };
	struct client *client;
	json_t *attr;
	int r = command_number(command, "limit", 0, &reader.limit);

	if (r < 0)
		return r;
	client = command_client(command);
	if (!client)
		return -command->fault.code;
	r = client_file_open(
		client, "/events.json", json_pack("[s]", "read"), &command->fault, &reader.handle);
	r = r < 0 ? r : client_stat(client, "/events.json", &command->fault, &attr);
	if (r < 0)
		return r;
	reader.size = json_integer_value(json_object_get(attr, "size"));
	json_decref(attr);
	r = print_past(&reader);
	return r < 0 || !command_flag(command, "follow") ? r : print_future(&reader);
}
