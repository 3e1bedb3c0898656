/* SPDX-License-Identifier: MIT */
/* Follows a run until it ends. */
#include "cli/follow.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/print.h"
#include "cli/progress.h"

enum {
	DRAW_MS = 100,	      /* between two drawings */
	LOOK_MS = 250,	      /* between two looks at the state where nothing is drawn */
	RECONNECT_MS = 30000, /* for a daemon that is being upgraded */
};

static volatile sig_atomic_t interrupts;

static void on_signal(int number)
{
	/* Who asks a third time wants to be let go, whatever the daemon is doing. */
	if (++interrupts > 2)
		_exit(128 + number);
}

void follow_catch_signals(void)
{
	/* Without SA_RESTART: poll(2) must return. */
	const struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int follow_exit_status(const char *status)
{
	static const struct {
		const char *status;
		int code; /* errno that says the same */
	} ends[] = {
		{ "cancelled", ECANCELED },
		{ "timed_out", ETIMEDOUT },
	};

	if (!strcmp(status, "success"))
		return 0;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(ends[i].status, status))
			return fault_exit_status(ends[i].code);
	return 1;
}

struct follow {
	struct command *command;
	struct progress progress;
	int64_t run;
	int64_t log, offset;	     /* handle and place in the log */
	int64_t watch, wait, cancel; /* requests under way, 0: none */
	int cancelled;		     /* interrupts that were passed on */
	bool ended, told;
	json_t *status; /* as last seen; owned */
};

static void follow_done(struct follow *follow)
{
	progress_done(&follow->progress);
	json_decref(follow->status);
}

static void run_path(const struct follow *follow, const char *file, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "/runs/%lld/%s", (long long)follow->run, file);
}

static int ask(struct follow *follow, const char *op, json_t *fields, const char *body, int64_t *ret_id)
{
	int64_t id = client_send(
		&follow->command->client, op, fields, body, strlen(body), &follow->command->fault);

	if (id < 0)
		return (int)id;
	*ret_id = id;
	return 0;
}

static int ask_watch(struct follow *follow)
{
	return ask(follow, "watch",
		json_pack("{sIsI}", "handle", (json_int_t)follow->log, "offset", (json_int_t)follow->offset),
		"", &follow->watch);
}

/* Opens the log and asks to be told of its growth and of the end. */
static int begin(struct follow *follow)
{
	struct command *command = follow->command;
	char path[64];
	int r;

	run_path(follow, "log", path, sizeof(path));
	r = client_file_open(&command->client, path, json_pack("[s]", "read"), &command->fault, &follow->log);
	r = r < 0 ? r : ask_watch(follow);
	run_path(follow, "wait", path, sizeof(path));
	return r < 0 ? r : ask(follow, "read", json_pack("{ss}", "path", path), "", &follow->wait);
}

static int read_log(struct follow *follow)
{
	struct command *command = follow->command;
	ssize_t n;

	do {
		CLEANUP(buffer_done) struct buffer piece = { 0 };

		n = client_file_read(&command->client, follow->log, follow->offset, &command->fault, &piece);
		if (n <= 0)
			break;
		follow->offset += n;
		if (command->format == FORMAT_TEXT)
			progress_log(&follow->progress, piece.data, piece.size);
	} while (n > 0);
	return (int)n;
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
	return json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* A line of JSON for the run and each task whose status or try is another than before. */
static void print_changes(const struct follow *follow, const json_t *now)
{
	const json_t *before = follow->status, *tasks = json_object_get(now, "tasks");
	json_t *task, *line;
	size_t i;

	if (!before || !same(before, now, "status")) {
		line = json_pack("{sssIsO}", "type", "run", "run", (json_int_t)follow->run, "status",
			json_object_get(now, "status"));
		print_json_line(line);
		json_decref(line);
	}
	json_array_foreach (tasks, i, task) {
		const json_t *old = json_array_get(json_object_get(before, "tasks"), i);

		if (old && same(old, task, "status") && same(old, task, "tries"))
			continue;
		line = json_pack("{sssIsO}", "type", "task", "run", (json_int_t)follow->run, "task",
			json_object_get(task, "name"));
		json_object_update_missing(line, task);
		json_object_del(line, "name");
		print_json_line(line);
		json_decref(line);
	}
}

static int look(struct follow *follow)
{
	char path[64];
	json_t *now;
	int r;

	run_path(follow, "status.json", path, sizeof(path));
	r = tree_json(follow->command, path, &now);
	if (r < 0)
		return r;
	if (follow->command->format != FORMAT_TEXT)
		print_changes(follow, now);
	json_decref(follow->status);
	follow->status = now;
	return 0;
}

static int handle(struct follow *follow, const struct answer *answer)
{
	struct fault fault = { 0 };
	bool end;
	int r = answer_check(answer, &fault);

	if (answer->id == follow->cancel) {
		/* A run that ended meanwhile can't be cancelled any more: nothing to say. */
		follow->cancel = 0;
		if (r == -EACCES || r == -EPERM)
			progress_say(&follow->progress, fault.text);
		return 0;
	}
	if (r < 0) {
		follow->command->fault = fault;
		return r;
	}
	if (answer->id == follow->wait)
		follow->ended = true;
	if (answer->id != follow->watch)
		return 0;
	end = json_is_true(json_object_get(answer->head, "end"));
	r = read_log(follow);
	return r < 0 || end ? r : ask_watch(follow);
}

/* Each signal is one word to the run. */
static int pass_signals(struct follow *follow)
{
	char path[64];

	if (follow->cancelled >= interrupts)
		return 0;
	progress_say(&follow->progress, follow->cancelled
						? "Cancelling at once"
						: "Cancelling the run; Ctrl-C again ends its tasks at once");
	follow->cancelled++;
	run_path(follow, "ctl", path, sizeof(path));
	return ask(follow, "write", json_pack("{ss}", "path", path), "cancel\n", &follow->cancel);
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For who sees no state: what a run that does not begin waits for, once. */
static void say_waiting(struct follow *follow)
{
	struct command *command = follow->command;
	struct fault fault = command->fault;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	char path[64];

	if (follow->told)
		return;
	follow->told = true;
	run_path(follow, "waiting", path, sizeof(path));
	if (client_read(&command->client, path, &command->fault, &text) == 0 && text.size) {
		text.data[strcspn(text.data, "\n")] = '\0';
		fprintf(stderr, "Run %lld %s\n", (long long)follow->run, text.data);
	}
	command->fault = fault;
}

static int wait_for_end(struct follow *follow)
{
	int interval = follow->progress.live ? DRAW_MS : LOOK_MS;
	/* Only who is shown the state needs it before the end. */
	bool looks = follow->progress.live || follow->command->format != FORMAT_TEXT;
	int64_t next = 0;
	int r = 0;

	while (r == 0 && !follow->ended) {
		CLEANUP(answer_done) struct answer answer = { 0 };
		int64_t left = next - clock_ms();

		if (looks && left <= 0) {
			r = look(follow);
			progress_draw(&follow->progress, follow->status);
			left = interval;
			next = clock_ms() + left;
		}
		r = r < 0 ? r : pass_signals(follow);
		if (r < 0)
			break;
		/* A signal between the check and the wait is seen an interval later at most. */
		r = client_next(&follow->command->client, (int)(looks ? left : interval),
			&follow->command->fault, &answer);
		if (r == 1)
			r = handle(follow, &answer);
		else if (r == -EINTR)
			r = 0;
		else if (r == 0 && !looks && !command_flag(follow->command, "quiet"))
			say_waiting(follow);
	}
	return r;
}

/* The daemon went away: runs go on without it, and the next one takes them up. */
static int reconnect(struct follow *follow)
{
	struct command *command = follow->command;
	int64_t deadline = clock_ms() + RECONNECT_MS;
	int r;

	do {
		client_close(&command->client);
		command->fault = (struct fault){ 0 };
		r = client_open(&command->client, &command->place, true, &command->fault);
		r = r < 0 ? r : begin(follow);
		if (r < 0)
			nanosleep(&(struct timespec){ .tv_nsec = 200 * 1000 * 1000 }, NULL);
	} while (r < 0 && clock_ms() < deadline && follow->cancelled >= interrupts);
	return r;
}

static int follow_to_end(struct follow *follow)
{
	int r = begin(follow);

	r = r < 0 ? r : wait_for_end(follow);
	while (r == -ENOTCONN) {
		r = reconnect(follow);
		r = r < 0 ? r : wait_for_end(follow);
	}
	r = r < 0 ? r : read_log(follow);
	return r < 0 ? r : look(follow);
}

static void print_result(struct follow *follow)
{
	json_t *result = json_pack("{ss}", "type", "result");

	json_object_update_missing(result, follow->status);
	print_json_line(result);
	json_decref(result);
}

int follow_run(struct command *command, int64_t run)
{
	CLEANUP(follow_done) struct follow follow = { .command = command, .run = run };
	bool quiet = command_flag(command, "quiet") || command->format != FORMAT_TEXT;
	const char *status;
	int r;

	progress_init(&follow.progress, quiet);
	r = follow_to_end(&follow);
	if (r < 0) {
		struct fault fault = command->fault;

		progress_say(&follow.progress, "");
		return fault_set(&command->fault, -r,
			"lost sight of run %lld: %s; it goes on by itself, see "
			"\"sloth cat /runs/%lld/status\"",
			(long long)run, fault.text, (long long)run);
	}
	if (command->format != FORMAT_TEXT)
		print_result(&follow);
	else
		progress_finish(&follow.progress, follow.status);
	status = print_text(follow.status, "status");
	if (command_flag(command, "quiet") && strcmp(status, "success"))
		fprintf(stderr, "sloth: run %lld: %s%s%s\n", (long long)run, status,
			*print_text(follow.status, "error") ? ": " : "", print_text(follow.status, "error"));
	return follow_exit_status(status);
}
