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
#include "cli/junit-file.h"
#include "cli/print.h"
#include "cli/progress.h"

enum {
	DRAW_MS = 100,	      /* between two drawings */
	ROUND_MS = 50,	      /* between two looks at what is new; what ends sooner is looked at once */
	SIGNAL_MS = 250,      /* a signal between a check and the wait is seen so much later at most */
	RECONNECT_MS = 30000, /* for a daemon that is being upgraded */
};

static volatile sig_atomic_t interrupts, continued;

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

static void on_continue(int number)
{
	continued = 1;
}

static void on_resize(int number)
{
	/* poll(2) returns, and all is drawn anew. */
}

static void catch_terminal_signals(void)
{
	sigaction(SIGCONT, &(struct sigaction){ .sa_handler = on_continue }, NULL);
	sigaction(SIGWINCH, &(struct sigaction){ .sa_handler = on_resize }, NULL);
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

/* A stream of the tree that is read as it grows. */
struct source {
	const char *file;
	int64_t handle;	    /* 0: not open */
	int64_t offset;	    /* what was read */
	int64_t watch;	    /* request under way, 0: none */
	struct buffer text; /* what was read, and not used yet */
};

struct follow {
	struct command *command;
	struct progress progress;
	struct run_model model;
	int64_t run;
	struct source events, log;
	int64_t wait, cancel; /* requests under way, 0: none */
	int cancelled;	      /* interrupts that were passed on */
	bool ended, fresh;    /* fresh: there is something new to read */
	int64_t next_round, next_draw;
	char waiting[256]; /* what it waits for before it begins */
};

static void follow_done(struct follow *follow)
{
	progress_done(&follow->progress);
	model_done(&follow->model);
	buffer_done(&follow->events.text);
	buffer_done(&follow->log.text);
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
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

/* Asks to be told of the end. What there is to read is looked at a little later: what is over by then needs
 * no more than one look. */
static int begin(struct follow *follow)
{
	char path[64];

	follow->events.handle = follow->log.handle = 0;
	follow->events.watch = follow->log.watch = 0;
	follow->fresh = true;
	follow->next_round = clock_ms() + ROUND_MS;
	run_path(follow, "wait", path, sizeof(path));
	return ask(follow, "read", json_pack("{ss}", "path", path), "", &follow->wait);
}

/* All that is new. */
static int source_read(struct follow *follow, struct source *source)
{
	struct command *command = follow->command;
	char path[64];
	ssize_t n = 0;
	int r = 0;

	if (!source->handle) {
		run_path(follow, source->file, path, sizeof(path));
		r = client_file_open(
			&command->client, path, json_pack("[s]", "read"), &command->fault, &source->handle);
	}
	while (r == 0) {
		n = client_file_read(
			&command->client, source->handle, source->offset, &command->fault, &source->text);
		r = n < 0 ? (int)n : 0;
		source->offset += n > 0 ? n : 0;
		if (n < CLIENT_READ)
			break;
	}
	return r;
}

static int source_watch(struct follow *follow, struct source *source)
{
	if (source->watch)
		return 0;
	return ask(follow, "watch",
		json_pack(
			"{sIsI}", "handle", (json_int_t)source->handle, "offset", (json_int_t)source->offset),
		"", &source->watch);
}

/* The next whole line from *at on, which moves behind it; NULL: there is none. New reference. */
static json_t *next_line(const struct buffer *text, size_t *at)
{
	const char *start = text->data + *at;
	const char *end = text->size > *at ? memchr(start, '\n', text->size - *at) : NULL;
	json_t *line;

	if (!end)
		return NULL;
	line = json_loadb(start, (size_t)(end - start), JSON_ALLOW_NUL, NULL);
	*at += (size_t)(end - start) + 1;
	return line ? line : json_null();
}

enum due { DUE, DUE_LATER, DUE_LAST };

/* Not what a try says that has not been told of yet, and all behind it; of the run's own lines those that
 * came before `until`, a time (NULL: any). */
static enum due log_is_due(const struct follow *follow, const json_t *line, const char *until)
{
	const struct model_task *task = model_find(&follow->model, print_text(line, "task"));

	if (task)
		return json_integer_value(json_object_get(line, "try")) <= task->try ? DUE : DUE_LAST;
	return !until || strcmp(print_text(line, "time"), until) < 0 ? DUE : DUE_LATER;
}

/* What was printed so far by what has been told of; `all`: nothing more will be told. */
static void use_log(struct follow *follow, bool all, const char *until)
{
	CLEANUP(buffer_done) struct buffer kept = { 0 };
	struct buffer *text = &follow->log.text;
	enum due due = DUE;
	size_t at = 0, done = 0;
	json_t *line;

	while (due != DUE_LAST && (line = next_line(text, &at))) {
		due = all ? DUE : log_is_due(follow, line, until);
		if (due == DUE_LATER && buffer_append(&kept, text->data + done, at - done) < 0)
			due = DUE;
		if (due == DUE)
			progress_log(&follow->progress, &follow->model, line);
		json_decref(line);
		done = due == DUE_LAST ? done : at;
	}
	buffer_consume(text, done);
	if (kept.size && buffer_append(&kept, text->data, text->size) == 0) {
		struct buffer all_of_it = *text;

		*text = kept;
		kept = all_of_it;
	}
}

/* What a task printed comes before its end. */
static bool ends_something(const json_t *line)
{
	const char *from = print_text(line, "from");

	return !strcmp(from, "running") || !strcmp(from, "rolling_back");
}

static void use_events(struct follow *follow)
{
	struct buffer *text = &follow->events.text;
	struct model_change change;
	size_t at = 0;
	json_t *line;

	while ((line = next_line(text, &at))) {
		if (ends_something(line))
			use_log(follow, false, print_text(line, "time"));
		if (model_apply(&follow->model, line, &change) == 0)
			progress_change(&follow->progress, &follow->model, &change, line);
		json_decref(line);
	}
	buffer_consume(text, at);
}

static int look_at_plan(struct follow *follow)
{
	json_auto_t *plan = NULL;
	char path[64];
	int r;

	if (follow->model.count)
		return 0;
	run_path(follow, "plan.json", path, sizeof(path));
	r = tree_json(follow->command, path, &plan);
	if (r == 0)
		r = model_set_plan(&follow->model, plan);
	if (r == 0)
		progress_announce(&follow->progress, &follow->model, follow->run);
	return r;
}

/* Why it has not begun; a line of a pipe when that is another reason than before. */
static void look_at_waiting(struct follow *follow)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct fault fault = { 0 };
	char path[64];

	if (strcmp(follow->model.status, "waiting") != 0)
		return;
	run_path(follow, "waiting", path, sizeof(path));
	if (client_read(&follow->command->client, path, &fault, &text) < 0)
		return;
	buffer_truncate(&text, strcspn(buffer_text(&text), "\n"));
	if (!text.size || !strncmp(follow->waiting, text.data, sizeof(follow->waiting) - 1))
		return;
	snprintf(follow->waiting, sizeof(follow->waiting), "%.*s", (int)text.size, text.data);
	if (follow->progress.form == PROGRESS_PLAIN)
		fprintf(stderr, "Run %lld %s\n", (long long)follow->run, follow->waiting);
}

/* Everything that is new: first what happened, then what was printed until then, so that what a task prints
 * is never told after its end. */
static int look(struct follow *follow)
{
	bool logs = progress_wants_log(&follow->progress);
	int r;

	follow->fresh = false;
	follow->next_round = clock_ms() + (follow->progress.form == PROGRESS_LIVE ? DRAW_MS : ROUND_MS);
	r = source_read(follow, &follow->events);
	r = r < 0 || !logs ? r : source_read(follow, &follow->log);
	r = r < 0 ? r : look_at_plan(follow);
	if (r < 0)
		return r;
	/* Nothing of a task that is not known can be told. */
	if (follow->model.count || follow->ended) {
		use_events(follow);
		use_log(follow, follow->ended, NULL);
	}
	if (follow->ended)
		return 0;
	look_at_waiting(follow);
	r = source_watch(follow, &follow->events);
	return r < 0 || !logs ? r : source_watch(follow, &follow->log);
}

static int handle(struct follow *follow, const struct answer *answer)
{
	struct fault fault = { 0 };
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
	if (answer->id == follow->events.watch)
		follow->events.watch = 0;
	if (answer->id == follow->log.watch)
		follow->log.watch = 0;
	follow->fresh = true;
	return 0;
}

/* Each signal is one word to the run. */
static int pass_signals(struct follow *follow)
{
	char path[64];

	if (continued) {
		/* The shell has written below what we drew. */
		continued = 0;
		screen_forget(&follow->progress.screen);
	}
	if (follow->cancelled >= interrupts)
		return 0;
	progress_say(&follow->progress, follow->cancelled
						? "Cancelling at once"
						: "Cancelling the run; Ctrl-C again ends its tasks at once");
	follow->cancelled++;
	run_path(follow, "ctl", path, sizeof(path));
	return ask(follow, "write", json_pack("{ss}", "path", path), "cancel\n", &follow->cancel);
}

static void draw(struct follow *follow)
{
	progress_draw(&follow->progress, &follow->model, follow->waiting);
	follow->next_draw = clock_ms() + DRAW_MS;
}

/* What is due, and how long there is nothing to do then. */
static int do_what_is_due(struct follow *follow, int *ret_wait_ms)
{
	bool live = follow->progress.form == PROGRESS_LIVE, looks = follow->progress.form != PROGRESS_QUIET;
	int64_t now = clock_ms(), wait = SIGNAL_MS;
	bool due = looks && follow->fresh && now >= follow->next_round;
	int r = due ? look(follow) : 0;

	if (r == 0 && (live ? now >= follow->next_draw : due))
		draw(follow);
	r = r < 0 ? r : pass_signals(follow);
	now = clock_ms();
	if (looks && follow->fresh)
		wait = follow->next_round - now;
	if (live && follow->next_draw - now < wait)
		wait = follow->next_draw - now;
	*ret_wait_ms = wait > 0 ? (int)wait : 0;
	return r;
}

static int wait_for_end(struct follow *follow)
{
	int r = 0, wait_ms;

	while (r == 0 && !follow->ended) {
		CLEANUP(answer_done) struct answer answer = { 0 };

		r = do_what_is_due(follow, &wait_ms);
		if (r < 0)
			break;
		r = client_next(&follow->command->client, wait_ms, &follow->command->fault, &answer);
		if (r == 1)
			r = handle(follow, &answer);
		else if (r == -EINTR) {
			follow->next_draw = 0;
			r = 0;
		}
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

static int follow_to_end(struct follow *follow, json_t **ret_summary)
{
	char path[64];
	int r = command_client(follow->command) ? begin(follow) : -follow->command->fault.code;

	r = r < 0 ? r : wait_for_end(follow);
	while (r == -ENOTCONN) {
		r = reconnect(follow);
		r = r < 0 ? r : wait_for_end(follow);
	}
	if (r == 0 && follow->progress.form != PROGRESS_QUIET)
		r = look(follow);
	run_path(follow, follow->progress.form == PROGRESS_JSON ? "status.json" : "summary.json", path,
		sizeof(path));
	return r < 0 ? r : tree_json(follow->command, path, ret_summary);
}

static void print_result(const json_t *status)
{
	json_t *result = json_pack("{ss}", "type", "result");

	json_object_update_missing(result, (json_t *)(uintptr_t)status);
	print_json_line(result);
	json_decref(result);
}

static void say_how_it_ended(struct follow *follow, const json_t *summary)
{
	const char *status = print_text(summary, "status"), *error = print_text(summary, "error");

	if (follow->progress.form == PROGRESS_JSON)
		print_result(summary);
	else
		progress_finish(&follow->progress, summary);
	if (command_flag(follow->command, "quiet") && strcmp(status, "success"))
		fprintf(stderr, "sloth: run %lld: %s%s%s\n", (long long)follow->run, status,
			*error ? ": " : "", error);
}

static int lost(struct follow *follow, int code)
{
	struct fault fault = follow->command->fault;

	progress_say(&follow->progress, "");
	return fault_set(&follow->command->fault, -code,
		"lost sight of run %lld: %s; it goes on by itself, see "
		"\"sloth cat /runs/%lld/status\"",
		(long long)follow->run, fault.text, (long long)follow->run);
}

static int follow_in_form(
	struct command *command, int64_t run, const enum progress_form *form, json_t **ret_summary)
{
	CLEANUP(follow_done)
	struct follow follow = {
		.command = command, .run = run, .events.file = "events.json", .log.file = "log.json"
	};
	int r;

	progress_init(&follow.progress, command);
	if (form)
		follow.progress.form = *form;
	if (follow.progress.form == PROGRESS_LIVE)
		catch_terminal_signals();
	r = follow_to_end(&follow, ret_summary);
	if (r < 0)
		return lost(&follow, r);
	if (!form)
		say_how_it_ended(&follow, *ret_summary);
	return command_flag(command, "junit")
		       ? junit_file_write(command, run, command_option(command, "junit"))
		       : 0;
}

int follow_run(struct command *command, int64_t run)
{
	json_auto_t *summary = NULL;
	int r = follow_in_form(command, run, NULL, &summary);

	return r < 0 ? r : follow_exit_status(print_text(summary, "status"));
}

int follow_silently(struct command *command, int64_t run, json_t **ret_summary)
{
	static const enum progress_form form = PROGRESS_QUIET;
	json_auto_t *summary = NULL;
	int r = follow_in_form(command, run, &form, &summary);

	if (r == 0)
		*ret_summary = json_incref(summary);
	return r;
}

int detach_check(struct command *command)
{
	if (command_flag(command, "detach") && command_flag(command, "junit"))
		return fault_set(
			&command->fault, EINVAL, "--junit needs the end of the run: not with --detach");
	return 0;
}

int follow_or_detach(struct command *command, int64_t run)
{
	if (!command_flag(command, "detach"))
		return follow_run(command, run);
	if (command->format != FORMAT_TEXT)
		return print_value(command, json_pack("{sI}", "run", (json_int_t)run));
	if (!command_flag(command, "quiet"))
		printf("%lld\n", (long long)run);
	return 0;
}
