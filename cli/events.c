/* SPDX-License-Identifier: MIT */
/* events, stack activity: what happened, from /events.json or a stack's activity.json. The newest stand at
 * the end of the file, so it is read from there. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/print.h"
#include "cli/stack.h"
#include "engine/yaml-out.h"

/* clang-format off */
#define FILTERS                                                                                              \
	{ "type", 't', "PATTERN", "only of this type: lock.acquired, 'lock.*'" },                            \
	{ "user", 'u', "NAME", "only by this user, a name or a number" },                                    \
	{ "since", 0, "TIME", "only from then on: 2026-11-21T14:00:00Z, or 2h (that long ago)" },            \
	{ "until", 0, "TIME", "only before then" },                                                          \
	{ "run", 'r', "RUN", "only of this run" },                                                           \
	{ "limit", 'n', "NUMBER", "at most so many of the past (50; with --since all)" }
#define FOLLOW { "follow", 'f', NULL, "go on with what happens from now on" }
#define STACK { "stack", 's', "NAME", "only of this stack" }

const struct option events_options[] = { FOLLOW, STACK, FILTERS, { NULL } };
static const struct option follow_options[] = { STACK, FILTERS, { NULL } };
const struct option activity_options[] = { FOLLOW, FILTERS, { NULL } };
/* clang-format on */

enum { BLOCK = 256 << 10 };

struct reader {
	struct command *command;
	const char *path;
	const char *stack, *type, *user; /* NULL: any */
	int64_t since_ms, until_ms;	 /* 0: any */
	int64_t run, id;		 /* 0: any */
	int64_t limit, handle, size;
	bool printed; /* any */
};

static bool user_is(const json_t *event, const char *user)
{
	int64_t uid;

	return !strcmp(print_text(event, "user"), user) ||
	       (parse_int64(user, &uid) == 0 && json_integer_value(json_object_get(event, "uid")) == uid);
}

static bool wanted(const struct reader *reader, const json_t *event)
{
	int64_t time = print_ms(json_object_get(event, "time"));

	if (reader->stack && strcmp(print_text(event, "stack"), reader->stack))
		return false;
	if (reader->user && !user_is(event, reader->user))
		return false;
	if (reader->run && json_integer_value(json_object_get(event, "run")) != reader->run)
		return false;
	if (reader->id && json_integer_value(json_object_get(event, "id")) != reader->id)
		return false;
	if ((reader->since_ms && time < reader->since_ms) || (reader->until_ms && time >= reader->until_ms))
		return false;
	return !reader->type || fnmatch(reader->type, print_text(event, "type"), 0) == 0;
}

/* Nothing before this event is wanted. The clock may have been set: a minute is allowed for. */
static bool is_before_all(const struct reader *reader, const json_t *event)
{
	return (reader->since_ms && print_ms(json_object_get(event, "time")) < reader->since_ms - 60000) ||
	       json_integer_value(json_object_get(event, "id")) < reader->id;
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
	if (text) {
		fputs("  ", stdout);
		text_write_json(stdout, text);
	}
	putchar('\n');
	json_decref(rest);
}

static void print_item(const json_t *event)
{
	json_auto_t *list = json_pack("[O]", event);

	if (list)
		yaml_write(stdout, list);
}

/* JSON: a line each, as in the file, so that --follow has the same form as without; YAML: an item of a list.
 */
static void print_event(struct reader *reader, const json_t *event)
{
	reader->printed = true;
	if (reader->command->format == FORMAT_TEXT)
		print_line(event);
	else if (reader->command->format == FORMAT_YAML)
		print_item(event);
	else
		print_json_line((json_t *)event);
}

/* Prints the wanted lines of a text that begins at a line's start; what is behind the last newline is left.
 * The bytes that were used. */
static size_t print_lines(struct reader *reader, const char *text, size_t size)
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
		bool over = event && is_before_all(reader, event);

		if (event && wanted(reader, event)) {
			found++;
			*ret_start = start;
		}
		json_decref(event);
		if (over || found >= reader->limit)
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
static int print_past(struct reader *reader)
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

static int file_size(struct reader *reader, int64_t *ret_size)
{
	json_t *attr;
	int r = client_stat(&reader->command->client, reader->path, &reader->command->fault, &attr);

	if (r < 0)
		return r;
	*ret_size = json_integer_value(json_object_get(attr, "size"));
	json_decref(attr);
	return 0;
}

static int print_future(struct reader *reader)
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

static int moment_option(struct command *command, const char *name, int64_t *ret_ms)
{
	const char *text = command_option(command, name);

	if (text && past_parse(text, ret_ms) < 0)
		return fault_set(&command->fault, EINVAL,
			"--%s %s: it must be a time like 2026-11-21T14:00:00Z, or 2h (that long ago)", name,
			text);
	return 0;
}

static int reader_filters(struct reader *reader)
{
	struct command *command = reader->command;
	int r;

	reader->type = command_option(command, "type");
	reader->user = command_option(command, "user");
	reader->limit = 50;
	r = moment_option(command, "since", &reader->since_ms);
	if (reader->since_ms)
		reader->limit = INT64_MAX;
	r = r < 0 ? r : moment_option(command, "until", &reader->until_ms);
	r = r < 0 ? r : command_number(command, "run", 1, &reader->run);
	return r < 0 ? r : command_number(command, "limit", 0, &reader->limit);
}

static int reader_open(struct reader *reader)
{
	struct client *client = command_client(reader->command);
	int r;

	if (!client)
		return -reader->command->fault.code;
	r = client_file_open(
		client, reader->path, json_pack("[s]", "read"), &reader->command->fault, &reader->handle);
	return r < 0 ? r : file_size(reader, &reader->size);
}

static int reader_run(struct reader *reader, bool follow)
{
	int r = reader_filters(reader);

	r = r < 0 ? r : reader_open(reader);
	r = r < 0 ? r : print_past(reader);
	return r < 0 || !follow ? r : print_future(reader);
}

int events_run(struct command *command)
{
	struct reader reader = {
		.command = command, .path = "/events.json", .stack = command_option(command, "stack")
	};

	return reader_run(&reader, command_flag(command, "follow"));
}

static int follow_events(struct command *command)
{
	struct reader reader = {
		.command = command, .path = "/events.json", .stack = command_option(command, "stack")
	};

	return reader_run(&reader, true);
}

/* A stack's own file also has what happened under its former names. One that was destroyed has none: then the
 * trail of all is searched for its name. */
int activity_run(struct command *command)
{
	struct reader reader = { .command = command, .stack = NULL };
	CLEANUP(cleanup_free) char *path = NULL;
	json_t *attr;
	int r = stack_path(command, command->operands[0], "activity.json", &path);

	if (r == 0 && !command_client(command))
		r = -command->fault.code;
	if (r < 0)
		return r;
	reader.path = path;
	r = client_stat(&command->client, path, &command->fault, &attr);
	if (r == 0)
		json_decref(attr);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r < 0) {
		reader.path = "/events.json";
		reader.stack = command->operands[0];
	}
	r = reader_run(&reader, command_flag(command, "follow"));
	if (r == 0 && reader.stack && !reader.printed)
		return fault_set(&command->fault, ENOENT,
			"there is no stack %s, and no event of one that you may see", reader.stack);
	return r;
}

static void show_pair(const char *key, const json_t *value)
{
	CLEANUP(cleanup_free)
	char *text = json_is_string(value) ? strdup(json_string_value(value))
					   : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	print_detail(key, text ? text : "");
}

static int take_event(struct reader *reader, json_t **ret_event)
{
	for (int64_t part = BLOCK;; part *= 4) {
		CLEANUP(buffer_done) struct buffer content = { 0 };
		int64_t from = part < reader->size ? reader->size - part : 0;
		size_t start = 0;
		bool enough;
		int r = read_block(reader, from, (size_t)(reader->size - from), &content);

		if (r < 0)
			return r;
		start = content.size;
		enough = find_start(reader, buffer_text(&content), content.size, from == 0, &start);
		if (start < content.size) {
			size_t size = strcspn(content.data + start, "\n");

			*ret_event = json_loadb(content.data + start, size, 0, NULL);
			return *ret_event ? 0 : -EBADMSG;
		}
		if (enough || from == 0)
			return fault_set(&reader->command->fault, ENOENT,
				"there is no event %lld that you may see (older ones are in archives, see "
				"sloth cat "
				"/archives)",
				(long long)reader->id);
	}
}

static int show_event(struct command *command)
{
	struct reader reader = { .command = command, .path = "/events.json", .limit = 1 };
	const char *key;
	json_t *event, *value;
	int r;

	if (parse_int64(command->operands[0], &reader.id) < 0 || reader.id < 1)
		return fault_set(&command->fault, EINVAL, "%s: the id of an event is a number from 1",
			command->operands[0]);
	r = reader_open(&reader);
	r = r < 0 ? r : take_event(&reader, &event);
	if (r < 0)
		return r;
	if (command->format != FORMAT_TEXT)
		return print_value(command, event);
	print_heading("Event");
	json_object_foreach (event, key, value)
		if (!json_is_object(value))
			show_pair(key, value);
	json_object_foreach (json_object_get(event, "data"), key, value)
		show_pair(key, value);
	json_decref(event);
	return 0;
}

const struct verb events_verbs[] = {
	{ "list", .help = "Show what happened, newest last", .options = events_options, .run = events_run },
	{ "show", .operands = "ID", .help = "Show one event in full", .run = show_event },
	{ "follow", .help = "Show what happens from now on, too", .options = follow_options,
		.run = follow_events },
	{ "clear", .help = "Move older events into an archive", .options = clear_options, .run = clear_run },
	{ NULL },
};
