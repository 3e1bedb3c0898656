/* SPDX-License-Identifier: MIT */
/*
 * What processes of runs, of detection, of checks and of watching send to the daemon that started them: they
 * are their user's, who may put anything into their mouths. There is no spawner here; the other end of each
 * connection is the fuzzer's. Of the input, lines are these, N a digit, the place of a connection:
 *
 *     N{…}     a frame with this head, to which its seq is added; a line that begins with '+' after it is its
 * body =N…      a frame with just this head !N…      bytes that are no frame xN       the connection is
 * closed >PATH TEXT    user 1001 writes to a file of the tree
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/frame.h"
#include "engine/runner-internal.h"
#include "engine/spawner.h"
#include "engine/stack.h"
#include "engine/watch-internal.h"
#include "tests/fuzz/home.h"
#include "tests/fuzz/input.h"

enum { PROCESSES = 10, LINE = 1 << 16, LINES = 200, WRITTEN = 20 };

extern char **environ;

struct process {
	int64_t id;
	int64_t seq;
	int fd;
	pid_t pid;
	bool told;
};

/* In place of engine/spawner.c. */
struct spawner {
	const struct spawner_callbacks *callbacks;
	void *userdata;
	struct process processes[PROCESSES];
	size_t count;
};

void spawner_find_program(char *ret_path, size_t size)
{
	snprintf(ret_path, size, "/bin/false");
}

void spawner_attach(struct spawner *spawner, struct ev_loop *loop, const struct spawner_callbacks *callbacks,
	void *userdata)
{
	spawner->callbacks = callbacks;
	spawner->userdata = userdata;
}

int spawner_spawn(struct spawner *spawner, const struct spawn *spawn)
{
	struct process *process = &spawner->processes[spawner->count];

	if (spawner->count == PROCESSES)
		return -EAGAIN;
	spawner->count++;
	*process = (struct process){ .id = spawn->ticket, .fd = fcntl(spawn->fd, F_DUPFD_CLOEXEC, 0) };
	must(process->fd >= 0);
	fcntl(process->fd, F_SETFL, O_NONBLOCK);
	return 0;
}

int spawner_remove(struct spawner *spawner, const char *work, uid_t uid, gid_t gid)
{
	return 0;
}

/* Somebody whose end can be waited for, and who may be killed. */
static void tell_started(struct spawner *spawner)
{
	char *const arguments[] = { "sleep", "600", NULL };

	for (size_t i = 0; i < spawner->count; i++) {
		struct process *process = &spawner->processes[i];

		if (process->told)
			continue;
		process->told = true;
		must(posix_spawn(&process->pid, "/bin/sleep", NULL, NULL, arguments, environ) == 0);
		spawner->callbacks->started(spawner->userdata, process->id, process->pid);
	}
}

struct written {
	struct request request; /* the first: see done() */
	struct handle *handle;
	bool waits;
};

struct play {
	struct written written[WRITTEN];
	size_t written_count;
	struct home home;
	struct turn turn;
	struct spawner spawner;
	struct runners *runners;
};

static void loaded(void *userdata, int result, const struct fault *fault)
{
	must(result <= 0);
	must(result == 0 || fault->code);
}

static void done(struct request *request, ssize_t result)
{
	((struct written *)request)->waits = false;
}

/* Watching begins a moment after what it is about: at once, here. */
static void hurry(struct play *play)
{
	struct watches *watches = play->runners ? play->runners->watches : NULL;

	if (watches && ev_is_active(&watches->soon)) {
		ev_timer_stop(play->home.loop, &watches->soon);
		ev_feed_event(play->home.loop, &watches->soon, EV_TIMER);
	}
}

static void settle(struct play *play)
{
	char text[65536];

	for (int i = 0; i < 3; i++) {
		hurry(play);
		ev_run(play->home.loop, EVRUN_NOWAIT);
		turn_end(&play->turn);
		tell_started(&play->spawner);
		for (size_t k = 0; k < play->spawner.count; k++) {
			struct process *process = &play->spawner.processes[k];

			while (process->fd >= 0 && recv(process->fd, text, sizeof(text), MSG_DONTWAIT) > 0)
				;
		}
	}
}

static void play_new(struct play *play)
{
	struct fault fault = { 0 };
	struct caller caller = { .uid = 1001, .gid = 1001, .pid = getpid(), .groups_known = true };
	struct submission submission = { .file = "fuzz.sloth", .text = "--", .size = 2, .loaded = loaded };
	struct stack stack;
	int64_t run;

	home_new(&play->home);
	turn_init(&play->turn, play->home.loop, play->home.engine);
	must(runners_new(play->home.engine, &play->spawner, "/nowhere", &play->runners) == 0);
	play->home.tree->runners = play->runners;
	must(runners_recover(play->runners) == 0);
	must(stack_find(play->home.engine, "prod", &stack) == 0);
	submission.stack_id = stack.id;
	must(runner_submit(play->runners, &caller, &submission, &fault, &run) == 0);
	settle(play);
}

static void say(struct play *play, struct process *process, const char *text, size_t size)
{
	while (size && process->fd >= 0) {
		ssize_t n = send(process->fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			return;
		text += n < 0 ? 0 : n;
		size -= n < 0 ? 0 : (size_t)n;
		if (n < 0)
			settle(play);
	}
}

static void say_frame(
	struct play *play, struct process *process, const char *head, const char *body, size_t body_size)
{
	struct frame_sizes sizes = { (uint32_t)strlen(head), (uint32_t)body_size };

	say(play, process, (const char *)&sizes, sizeof(sizes));
	say(play, process, head, strlen(head));
	say(play, process, body, body_size);
}

static struct process *process_of(struct play *play, char digit)
{
	size_t count = play->spawner.count;

	return count ? &play->spawner.processes[(unsigned char)digit % 16 % count] : NULL;
}

static void play_frame(
	struct play *play, struct input *input, struct process *process, const char *head, bool plain)
{
	static char body[LINE], whole[LINE + 32];
	size_t body_size = 0;

	if (input->left && *input->at == '+')
		body_size = input_text(input, '\n', body, sizeof(body));
	if (plain || *head != '{')
		snprintf(whole, sizeof(whole), "%s", head);
	else
		snprintf(whole, sizeof(whole), "{\"seq\":%lld%s%s", (long long)++process->seq,
			head[1] == '}' ? "" : ",", head + 1);
	say_frame(play, process, whole, body + 1, body_size ? body_size - 1 : 0);
}

/* Who writes may have to wait; then the file stays open to the end. */
static void play_write(struct play *play, const char *line)
{
	struct written *written = &play->written[play->written_count];
	struct request *request = &written->request;
	const char *text = strchr(line, ' ');
	struct attr attr;
	char path[512];

	if (!text || play->written_count == WRITTEN)
		return;
	*request = (struct request){ .tree = play->home.tree,
		.done = done,
		.caller = { .uid = 1001, .gid = 1001, .pid = getpid(), .groups_known = true } };
	snprintf(path, sizeof(path), "%.*s", (int)(text - line), line);
	if (tree_walk(play->home.tree, request, path, &attr) < 0 ||
		tree_open(play->home.tree, request, attr.number, O_WRONLY | O_TRUNC, &written->handle) < 0) {
		caller_done(&request->caller);
		return;
	}
	play->written_count++;
	if (tree_write(play->home.tree, request, written->handle, 0, text + 1, strlen(text + 1)) == LATER)
		written->waits = true;
	else if (tree_flush(play->home.tree, request, written->handle) == LATER)
		written->waits = true;
}

static void close_written(struct play *play)
{
	for (size_t i = 0; i < play->written_count; i++) {
		struct written *written = &play->written[i];

		if (written->waits)
			tree_cancel(&written->request);
		tree_release(play->home.tree, &written->request, written->handle);
		caller_done(&written->request.caller);
	}
}

static void play_line(struct play *play, struct input *input)
{
	static char line[LINE];
	size_t size = input_text(input, '\n', line, sizeof(line));
	bool other = *line == '=' || *line == '!' || *line == 'x';
	struct process *process = process_of(play, line[other ? 1 : 0]);

	if (*line == '>')
		play_write(play, line + 1);
	else if (!process || size < 2)
		return;
	else if (*line == '!')
		say(play, process, line + 2, size - 2);
	else if (*line == 'x' && process->fd >= 0) {
		close(process->fd);
		process->fd = -1;
	} else if (*line != 'x')
		play_frame(play, input, process, line + (other ? 2 : 1), other);
	settle(play);
}

static void play_end(struct play *play)
{
	for (size_t i = 0; i < play->spawner.count; i++) {
		struct process *process = &play->spawner.processes[i];

		if (process->fd >= 0)
			close(process->fd);
		if (process->pid > 0) {
			kill(process->pid, SIGKILL);
			waitpid(process->pid, NULL, 0);
		}
	}
	for (int i = 0; i < 3; i++) {
		ev_run(play->home.loop, EVRUN_NOWAIT);
		turn_end(&play->turn);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct play play = { 0 };

	play_new(&play);
	for (int i = 0; input.left && i < LINES; i++)
		play_line(&play, &input);
	play_end(&play);
	close_written(&play);
	runners_free(play.runners);
	turn_done(&play.turn);
	home_check(&play.home);
	home_free(&play.home);
	return 0;
}
