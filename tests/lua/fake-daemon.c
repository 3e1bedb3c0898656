/* SPDX-License-Identifier: MIT */
/*
 * A daemon for tests of the runner: starts it on a socket pair, gives it one workflow, answers its calls from
 * memory, and prints what it sends, a line a frame (logs: a line a line), without what differs from run to
 * run.
 *
 *   fake-daemon RUNNER FILE [NAME=VALUE …]
 *
 * values, options, resume, imports: JSON. agents: names that mean this host. parallel, memory: limits. dir:
 * the run's directory (default: a new one, removed at the end). cancel, again, break, deny: text; when a
 * printed line contains it, the run is cancelled (again with grace 0: any second time), the socket is broken
 * and taken up again, or taken up with an error. grace: milliseconds. noack: 1: nothing is acknowledged until
 * the run has finished. leave: 1: the run is cancelled instead of started, and the daemon goes away until the
 * runner sleeps. Keys of state that begin with "watch" are about a process that watches (fake-watcher.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/frame.h"
#include "tests/lua/fake-calls.h"
#include "tests/lua/fake-watcher.h"

enum { PATIENCE_MS = 60000 };

static struct {
	const char *values, *options, *resume, *imports, *parallel, *memory, *dir, *cancel, *again, *break_at,
		*deny, *grace, *noack, *leave, *agents, *loading, *work;
} args = { .grace = "10000" };

static const struct {
	const char *name;
	const char **value;
} names[] = {
	{ "values", &args.values },
	{ "options", &args.options },
	{ "resume", &args.resume },
	{ "imports", &args.imports },
	{ "parallel", &args.parallel },
	{ "memory", &args.memory },
	{ "dir", &args.dir },
	{ "work", &args.work },
	{ "cancel", &args.cancel },
	{ "again", &args.again },
	{ "break", &args.break_at },
	{ "deny", &args.deny },
	{ "grace", &args.grace },
	{ "noack", &args.noack },
	{ "leave", &args.leave },
	{ "agents", &args.agents },
	{ "loading", &args.loading },
};

static pid_t runner_pid;
static char *program;
static int daemon_fd, listen_fd, watcher_fd = -1;
static char socket_path[256];
static json_int_t applied;
static bool over;
static int status = 1;

static void die(const char *what)
{
	fprintf(stderr, "fake-daemon: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void send_json(json_t *head, const char *body, size_t size)
{
	char *text = json_dumps(head, JSON_COMPACT);

	/* The runner may be gone already; what it sent shows that. */
	frame_send(daemon_fd, text, strlen(text), body, size);
	free(text);
	json_decref(head);
}

/* Leaves the runner alone until it comes again. */
static void hear_again(void)
{
	struct buffer buffer = { 0 };
	struct frame frame;

	close(daemon_fd);
	daemon_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (daemon_fd < 0 || frame_receive(daemon_fd, &buffer, &frame) < 0)
		die("take up");
	json_t *head = json_loads(frame.head, 0, NULL);
	printf("runner %s run=%d\n", json_string_value(json_object_get(head, "secret")),
		(int)json_integer_value(json_object_get(head, "run")));
	json_decref(head);
	buffer_done(&buffer);
}

static void take_up(bool deny)
{
	hear_again();
	if (deny)
		send_json(json_pack("{ss ss}", "errno", "ESTALE", "text", "the run is over"), NULL, 0);
	else
		send_json(json_pack("{ss sI}", "op", "taken_up", "seq", applied), NULL, 0);
}

/* Whether it is seen asleep. One that spins never is, however long one looks. */
static bool runner_sleeps(void)
{
	char path[64], text[512] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)runner_pid);
	for (int looks = 0; looks < 2000; looks++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		const char *state = n > 0 ? strrchr(text, ')') : NULL;

		close(fd);
		if (state && !strncmp(state, ") S", 3))
			return true;
		usleep(10000);
	}
	return false;
}

/* It has come once without being taken up: so it has read all that was said before. */
static void leave(void)
{
	send_json(json_pack("{ss sI}", "op", "cancel", "grace_ms", (json_int_t)atoi(args.grace)), NULL, 0);
	hear_again();
	close(daemon_fd);
	daemon_fd = -1;
	printf("the runner %s\n", runner_sleeps() ? "sleeps" : "spins");
	take_up(false);
}

static void start(void)
{
	send_json(json_pack("{ss ss si s{ss ss ss}}", "op", "start", "stack", "prod", "token", 5, "env",
			  "SLOTH_RUN", "42", "SLOTH_STACK", "prod", "SLOTH_LOCK_TOKEN", "5"),
		NULL, 0);
}

static bool matches(const char *line, const char **pattern)
{
	if (!*pattern || !strstr(line, *pattern))
		return false;
	*pattern = NULL;
	return true;
}

static void react(const char *line)
{
	printf("%s\n", line);
	fflush(stdout);
	if (matches(line, &args.cancel) || matches(line, &args.again))
		send_json(json_pack("{ss sI}", "op", "cancel", "grace_ms", (json_int_t)atoi(args.grace)),
			NULL, 0);
	if (matches(line, &args.break_at))
		take_up(false);
	if (matches(line, &args.deny))
		take_up(true);
}

static const char *text_of(json_t *head, const char *name)
{
	const char *text = json_string_value(json_object_get(head, name));

	return text ? text : "-";
}

/* Calls. */

static void answer_with(json_int_t seq, json_t *value)
{
	send_json(json_pack("{ss sI sb so}", "op", "return", "seq", seq, "ok", 1, "value", value), NULL, 0);
}

/* Whether it is about the process that watches, which is started when it is first asked for. */
static bool is_of_watcher(const char *fn, const json_t *call)
{
	const char *key = json_string_value(json_object_get(call, "key"));
	char work[300];

	if (strncmp(fn, "state.", 6) != 0 || !key || strncmp(key, "watch", 5) != 0)
		return false;
	snprintf(work, sizeof(work), "%s/.watch", args.dir);
	if (watcher_fd < 0)
		watcher_fd = watcher_start(program, work);
	return true;
}

static void answer(json_t *head)
{
	const char *fn = json_string_value(json_object_get(head, "fn"));
	json_t *call = json_object_get(head, "args"), *value;
	json_int_t seq = json_integer_value(json_object_get(head, "seq"));

	if (is_of_watcher(fn, call)) {
		watcher_call(fn, call, fake_resources(), seq, answer_with);
		return;
	}
	value = fake_call(fn, call);
	if (value)
		answer_with(seq, value);
	else
		send_json(json_pack("{ss sO ss ss}", "op", "return", "seq", json_object_get(head, "seq"),
				  "errno", "ENOSYS", "text", "the fake daemon does not know that"),
			NULL, 0);
}

/* Printing. */

static void print_field(FILE *out, json_t *head, const char *name)
{
	json_t *value = json_object_get(head, name);
	char *text;

	if (!value || json_is_null(value))
		return;
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
	fprintf(out, " %s=%s", name, text);
	free(text);
}

static void print_log(json_t *head, const struct frame *frame)
{
	const char *p = frame->body, *end = frame->body + frame->body_size;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((newline ? newline : end) - p);
		char *line;

		if (asprintf(&line, "log %s %d %s: %.*s", text_of(head, "task"),
			    (int)json_integer_value(json_object_get(head, "try")), text_of(head, "stream"),
			    (int)n, p) < 0)
			die("memory");
		react(line);
		free(line);
		p += n + 1;
	}
}

static const char *const shown[] = { "workflow", "stack", "description", "version", "config", "imports",
	"tasks", "errno", "text", "try", "error", "message", "outputs", "fn", "args" };

static void print_frame(json_t *head)
{
	const char *op = text_of(head, "op");
	struct buffer line = { 0 };
	FILE *out = buffer_stream_open(&line);

	fprintf(out, "%s", op);
	if (!strcmp(op, "task"))
		fprintf(out, " %s %s", text_of(head, "name"), text_of(head, "status"));
	if (!strcmp(op, "finished"))
		fprintf(out, " %s", text_of(head, "status"));
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		print_field(out, head, shown[i]);
	buffer_stream_close(out, &line);
	react(line.data);
	buffer_done(&line);
}

static void on_frame(const struct frame *frame)
{
	json_t *head = json_loads(frame->head, 0, NULL);
	const char *op = text_of(head, "op");
	json_int_t seq = json_integer_value(json_object_get(head, "seq"));

	if (seq <= applied) {
		printf("again %s\n", op);
		json_decref(head);
		return;
	}
	if (seq != applied + 1)
		printf("gap: %lld after %lld\n", (long long)seq, (long long)applied);
	applied = seq;
	if (!strcmp(op, "log"))
		print_log(head, frame);
	else
		print_frame(head);
	if (!strcmp(op, "call"))
		answer(head);
	if (!strcmp(op, "loaded"))
		args.leave ? leave() : start();
	over = !strcmp(op, "refused") || !strcmp(op, "finished");
	if (over)
		status = !strcmp(op, "refused") ? 3 : strcmp(text_of(head, "status"), "success") != 0;
	if (!args.noack || over)
		send_json(json_pack("{ss sI}", "op", "ack", "seq", applied), NULL, 0);
	json_decref(head);
}

static json_t *json_arg(const char *text)
{
	json_error_t error;
	json_t *json = text ? json_loads(text, 0, &error) : json_object();

	if (!json) {
		fprintf(stderr, "fake-daemon: %s: %s\n", text, error.text);
		exit(99);
	}
	return json;
}

static void send_run(const char *file)
{
	struct buffer text = { 0 };
	FILE *in = fopen(file, "re");
	char chunk[4096];
	size_t n;

	if (!in)
		die(file);
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		buffer_append(&text, chunk, n);
	fclose(in);
	send_json(json_pack("{ss si ss ss ss sn so so so so ss ss* s{si si si si si}}", "op", "run", "run",
			  42, "secret", "s3cret", "socket", socket_path, "file",
			  strrchr(file, '/') ? strrchr(file, '/') + 1 : file, "stack", "values",
			  json_arg(args.values), "options", json_arg(args.options), "resume",
			  json_arg(args.resume), "imports", json_arg(args.imports), "workdir",
			  args.work ? args.work : args.dir, "local_agents", args.agents, "limits",
			  "max_parallel_tasks", args.parallel ? atoi(args.parallel) : 0, "memory_bytes",
			  args.memory ? atoi(args.memory) : 0, "loading_ms",
			  args.loading ? atoi(args.loading) : 0, "max_unpacked_size", 4 << 20,
			  "max_unpacked_files", 2000),
		buffer_text(&text), text.size);
	buffer_done(&text);
}

static void listen_at(const char *dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(socket_path, sizeof(socket_path), "%s/socket", dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", dir);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listen_fd, 1) < 0)
		die("listen");
}

static pid_t start_runner(char *path)
{
	posix_spawn_file_actions_t actions;
	char *argv[] = { path, NULL };
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	daemon_fd = fcntl(pair[0], F_DUPFD_CLOEXEC, 10);
	close(pair[0]);
	posix_spawn_file_actions_init(&actions);
	/* dup2() of a descriptor onto itself would leave it close-on-exec. */
	int theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
	close(pair[1]);
	posix_spawn_file_actions_adddup2(&actions, theirs, 3);
	errno = posix_spawn(&pid, path, &actions, NULL, argv, environ);
	if (errno)
		die(path);
	posix_spawn_file_actions_destroy(&actions);
	close(theirs);
	return pid;
}

/* Whether the runner has sent something. */
static bool wait_for_runner(void)
{
	struct pollfd fds[] = { { daemon_fd, POLLIN, 0 }, { watcher_fd, POLLIN, 0 } };

	if (watcher_fd < 0)
		return true;
	if (poll(fds, 2, PATIENCE_MS) == 0)
		watcher_impatient();
	if (fds[1].revents)
		watcher_readable();
	return fds[0].revents;
}

static void read_args(int argc, char **argv)
{
	for (int i = 3; i < argc; i++) {
		char *value = strchr(argv[i], '=');
		size_t n = value ? (size_t)(value - argv[i]) : 0, j;

		for (j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			if (value && strlen(names[j].name) == n && !strncmp(names[j].name, argv[i], n))
				break;
		if (j == sizeof(names) / sizeof(names[0])) {
			fprintf(stderr, "fake-daemon: what is %s?\n", argv[i]);
			exit(99);
		}
		*names[j].value = value + 1;
	}
}

int main(int argc, char **argv)
{
	struct buffer buffer = { 0 };
	struct frame frame;
	char dir[] = "/tmp/fake-daemon-XXXXXX", command[300];
	static char work[4200], values[4200];
	bool own_dir;
	int ended = 0;

	if (argc < 3)
		return fprintf(stderr, "usage: fake-daemon RUNNER FILE [NAME=VALUE …]\n"), 99;
	read_args(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	own_dir = !args.dir;
	if (own_dir)
		args.dir = mkdtemp(dir);
	if (own_dir && chmod(dir, 0755) < 0)
		die(dir);
	if (args.work) {
		snprintf(work, sizeof(work), "%s/%s", args.dir, args.work);
		args.work = work;
		snprintf(values, sizeof(values), "{\"outside\": \"%s\"}", args.dir);
		args.values = values;
		if (mkdir(work, 0755) < 0)
			die(work);
	}
	fake_calls_init();
	listen_at(args.dir);
	program = argv[1];
	runner_pid = start_runner(program);
	send_run(argv[2]);
	for (;;) {
		if (!wait_for_runner())
			continue;
		if (frame_receive(daemon_fd, &buffer, &frame) < 0)
			break;
		on_frame(&frame);
	}
	watcher_end();
	waitpid(runner_pid, &ended, 0);
	if (WIFSIGNALED(ended) || WEXITSTATUS(ended)) {
		printf("runner ended with status %d\n", ended);
		status = 90;
	}
	unlink(socket_path);
	if (own_dir) {
		snprintf(command, sizeof(command), "rm -rf %s", dir);
		if (system(command) != 0)
			status = 91;
	}
	buffer_done(&buffer);
	fake_calls_done();
	close(listen_fd);
	return status;
}
