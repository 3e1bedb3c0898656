/* SPDX-License-Identifier: MIT */
/* logs: what the tasks of a run have printed, from the tree's log.json. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/groups.h"
#include "cli/log-line.h"
#include "cli/print.h"
#include "cli/run-find.h"

const char logs_more[] =
	"RUN is a number, a workflow's name (its newest run) or \"latest\", which it is without one.\n"
	"Of one task alone, its lines stand without its name.";

const struct option logs_options[] = {
	{ "task", 't', "NAME", "only of this task; may be repeated" },
	{ "try", 0, "NUMBER", "only of this try of a task" },
	{ "stream", 0, "STREAM", "only this: out, err (of commands) or log (of the workflow itself)" },
	{ "since", 0, "TIME", "only from then on: 5m (ago), 2026-11-21T14:00" },
	{ "lines", 'n', "NUMBER", "only the last ones" },
	{ "follow", 'f', NULL, "go on until the run is over" },
	{ "timestamps", 0, NULL, "the time before each line" },
	{ NULL },
};

enum { RECONNECT_MS = 30000, PAUSE_MS = 200 };

struct logs {
	struct command *command;
	struct log_style style;
	const char *stream;
	int64_t run, try, since_ms, last; /* last: so many lines at most, 0: all */
	char path[ENCODED_SIZE + 64];
	int64_t handle, offset;
	struct buffer text;
	json_t *kept; /* the last lines, while not all were seen; owned */
	bool printed;
};

static void logs_done(struct logs *logs)
{
	buffer_done(&logs->text);
	json_decref(logs->kept);
}

static bool task_wanted(const struct logs *logs, const char *task)
{
	const char *name;
	int position = 0;

	if (!command_flag(logs->command, "task"))
		return true;
	while ((name = command_next(logs->command, "task", &position)))
		if (!strcmp(name, task))
			return true;
	return false;
}

static bool wanted(const struct logs *logs, const struct log_line *line)
{
	return task_wanted(logs, line->task) && (!logs->try || logs->try == line->try) &&
	       (!logs->stream || !strcmp(logs->stream, line->stream)) && line->time_ms >= logs->since_ms;
}

static void print_one(struct logs *logs, json_t *object)
{
	struct log_line line;

	logs->printed = true;
	if (logs->command->format != FORMAT_TEXT) {
		print_json_line(object);
	} else if (log_line_read(object, &line) == 0) {
		log_line_print(stdout, &line, &logs->style);
		log_line_done(&line);
	}
}

static void use_line(struct logs *logs, json_t *object)
{
	struct log_line line;
	bool is_wanted;

	if (log_line_read(object, &line) < 0)
		return;
	is_wanted = wanted(logs, &line);
	log_line_done(&line);
	if (!is_wanted)
		return;
	if (!logs->kept) {
		print_one(logs, object);
		return;
	}
	json_array_append(logs->kept, object);
	/* Dropped in large pieces: each costs what is kept. */
	if ((int64_t)json_array_size(logs->kept) >= 2 * logs->last + 1000)
		while ((int64_t)json_array_size(logs->kept) > logs->last)
			json_array_remove(logs->kept, 0);
}

static void use_lines(struct logs *logs)
{
	char *start = logs->text.data, *newline;
	size_t left = logs->text.size;

	while (left && (newline = memchr(start, '\n', left))) {
		size_t n = (size_t)(newline + 1 - start);
		json_auto_t *object = json_loadb(start, n - 1, JSON_ALLOW_NUL, NULL);

		if (object)
			use_line(logs, object);
		start += n;
		left -= n;
	}
	buffer_consume(&logs->text, logs->text.size - left);
}

/* All that there was before is known: the last lines are, too. */
static void print_kept(struct logs *logs)
{
	json_auto_t *kept = logs->kept;
	size_t count = json_array_size(kept);

	logs->kept = NULL;
	for (size_t i = (int64_t)count > logs->last ? count - (size_t)logs->last : 0; i < count; i++)
		print_one(logs, json_array_get(kept, i));
}

static int read_new(struct logs *logs)
{
	struct command *command = logs->command;
	ssize_t n = 0;
	int r = 0;

	if (!logs->handle)
		r = client_file_open(&command->client, logs->path, json_pack("[s]", "read"), &command->fault,
			&logs->handle);
	while (r == 0) {
		n = client_file_read(
			&command->client, logs->handle, logs->offset, &command->fault, &logs->text);
		r = n < 0 ? (int)n : 0;
		logs->offset += n > 0 ? n : 0;
		use_lines(logs);
		if (n <= 0)
			break;
	}
	if (r == 0 && logs->kept)
		print_kept(logs);
	fflush(stdout);
	return r;
}

/* 1: it will not grow any more. */
static int wait_for_more(struct logs *logs)
{
	struct command *command = logs->command;
	CLEANUP(answer_done) struct answer answer = { 0 };
	int r = client_call(&command->client, "watch",
		json_pack("{sIsI}", "handle", (json_int_t)logs->handle, "offset", (json_int_t)logs->offset),
		NULL, 0, &command->fault, &answer);

	return r < 0 ? r : json_is_true(json_object_get(answer.head, "end"));
}

static int follow_log(struct logs *logs)
{
	int r = read_new(logs), end = 0;

	while (r == 0 && !end) {
		end = wait_for_more(logs);
		r = end < 0 ? end : read_new(logs);
	}
	return r;
}

/* The daemon went away: the log goes on in the next one, at the same place. */
static int follow_through_restarts(struct logs *logs)
{
	struct command *command = logs->command;
	int r = follow_log(logs);
	int64_t tries = 0;

	while (r == -ENOTCONN && tries++ < RECONNECT_MS / PAUSE_MS) {
		client_close(&command->client);
		command->fault = (struct fault){ 0 };
		logs->handle = 0;
		r = client_open(&command->client, &command->place, true, &command->fault);
		r = r < 0 ? r : follow_log(logs);
		if (r == -ENOTCONN)
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000 * 1000 }, NULL);
	}
	return r;
}

/* Runs of before Sloth kept lines apart have a log alone. */
static int print_plain(struct logs *logs)
{
	struct command *command = logs->command;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r;

	if (logs->offset || logs->printed || command->format != FORMAT_TEXT)
		return 0;
	logs->path[strlen(logs->path) - strlen(".json")] = '\0';
	r = client_read(&command->client, logs->path, &command->fault, &text);
	if (r == 0 && text.size)
		fwrite(text.data, 1, text.size, stdout);
	return r;
}

static int no_such_task(struct logs *logs, const char *name)
{
	struct command *command = logs->command;
	const char *names[256];
	json_auto_t *entries = NULL;
	struct fault fault = { 0 };
	json_t *entry;
	char path[64];
	size_t i, count = 0;
	const char *near;

	snprintf(path, sizeof(path), "/runs/%lld/tasks", (long long)logs->run);
	if (client_list(&command->client, path, false, &fault, &entries) < 0)
		return fault_set(
			&command->fault, ENOENT, "run %lld has no task \"%s\"", (long long)logs->run, name);
	json_array_foreach (entries, i, entry)
		if (count < sizeof(names) / sizeof(names[0]))
			names[count++] = print_text(entry, "name");
	near = text_nearest(name, names, count);
	return fault_set(&command->fault, ENOENT, "run %lld has no task \"%s\"%s%s%s", (long long)logs->run,
		name, near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
}

static int check_tasks(struct logs *logs)
{
	struct command *command = logs->command;
	const char *name;
	int position = 0, r = 0;

	while (r == 0 && (name = command_next(command, "task", &position))) {
		CLEANUP(cleanup_free) char *path = NULL;
		json_auto_t *attr = NULL;
		char encoded[ENCODED_SIZE];

		if (strlen(name) >= NAME_SIZE)
			return no_such_task(logs, name);
		if (asprintf(&path, "/runs/%lld/tasks/%s", (long long)logs->run, name_encode(name, encoded)) <
			0) {
			path = NULL;
			return fault_set(&command->fault, ENOMEM, "no memory");
		}
		r = client_stat(&command->client, path, &command->fault, &attr);
		if (r == -ENOENT || r == -EINVAL || r == -ENAMETOOLONG)
			r = no_such_task(logs, name);
	}
	return r;
}

static int read_options(struct logs *logs)
{
	struct command *command = logs->command;
	const char *stream = command_option(command, "stream"), *since = command_option(command, "since");
	int r = command_number(command, "try", 1, &logs->try);

	if (r == 0)
		r = command_number(command, "lines", 0, &logs->last);
	if (r < 0)
		return r;
	if (stream && strcmp(stream, "out") && strcmp(stream, "err") && strcmp(stream, "log"))
		return fault_set(&command->fault, EINVAL, "--stream %s: it must be out, err or log", stream);
	if (since && past_parse(since, &logs->since_ms) < 0)
		return fault_set(&command->fault, EINVAL,
			"--since %s: it must be how long ago (5m, 2h) or a time (2026-11-21T14:00)", since);
	if (command_flag(command, "lines") && !(logs->kept = json_array()))
		return fault_set(&command->fault, ENOMEM, "no memory");
	logs->stream = stream;
	return 0;
}

/* Of one task alone, its own file is read. */
static void choose_file(struct logs *logs)
{
	const char *name, *other;
	char encoded[ENCODED_SIZE];
	int position = 0;

	name = command_next(logs->command, "task", &position);
	other = command_next(logs->command, "task", &position);
	snprintf(logs->path, sizeof(logs->path), "/runs/%lld/log.json", (long long)logs->run);
	if (!name || other)
		return;
	logs->style.bare = true;
	snprintf(logs->path, sizeof(logs->path), "/runs/%lld/tasks/%s/log.json", (long long)logs->run,
		name_encode(name, encoded));
}

int logs_run(struct command *command)
{
	CLEANUP(logs_done)
	struct logs logs = { .command = command,
		.style = { .timestamps = command_flag(command, "timestamps"),
			.terminal = print_is_terminal(stdout),
			.separator = " | " } };
	int r = read_options(&logs);

	r = r < 0 ? r : run_find_operand(command, &logs.run);
	r = r < 0 ? r : check_tasks(&logs);
	if (r < 0)
		return r;
	choose_file(&logs);
	r = command_flag(command, "follow") ? follow_through_restarts(&logs) : read_new(&logs);
	return r < 0 ? r : print_plain(&logs);
}
