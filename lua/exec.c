/* SPDX-License-Identifier: MIT */
/* Commands as processes. */
#include "lua/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/drain.h"
#include "lua/environment.h"
#include "lua/runner.h"
#include "lua/scope.h"

enum {
	READ_CHUNK = 64 << 10,
	LINE_MAX_SIZE = 64 << 10, /* a longer line is logged in parts */
	TAIL = 400,		  /* bytes of stderr that an error message quotes */
};
static const ev_tstamp LINGER = 1.0; /* seconds to wait for the end of the output after the exit */

/* What the shell itself does, or does differently from the program of that name. */
static const char *const shell_words[] = { ".", ":", "alias", "bg", "break", "builtin", "case", "cd", "command", "continue",
	"do", "done", "elif", "else", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "function",
	"getopts", "hash", "if", "in", "jobs", "let", "local", "read", "readonly", "return", "select", "set", "shift",
	"source", "then", "time", "times", "trap", "type", "typeset", "ulimit", "umask", "unalias", "unset", "until",
	"wait", "while" };

bool command_is_simple(const char *text)
{
	size_t size;

	if (strpbrk(text, "|&;<>()$`\\\"'*?[]#~=%!{}\n\r"))
		return false;
	text += strspn(text, " \t");
	size = strcspn(text, " \t");
	if (size == 0)
		return false;
	for (size_t i = 0; i < sizeof(shell_words) / sizeof(shell_words[0]); i++)
		if (strlen(shell_words[i]) == size && !strncmp(shell_words[i], text, size))
			return false;
	/* echo's options are another matter in every shell. */
	return !(size == 4 && !strncmp(text, "echo", 4) && strstr(text, " -"));
}

/* The words of a simple command; the pointers are into `copy`, the array is malloc'ed. */
static char **split_words(char *copy)
{
	char **words = malloc((strlen(copy) / 2 + 2) * sizeof(*words)), *rest;
	size_t count = 0;

	if (!words)
		return NULL;
	for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		words[count++] = word;
	words[count] = NULL;
	return words;
}

/* The last program that was found: workflows call the same few again and again, along a PATH that may be long. */
static struct {
	char name[64], path[1024], file[512];
} found;

static bool was_found(const char *name, const char *path, char *ret_file, size_t size)
{
	if (!path || strcmp(found.name, name) != 0 || strcmp(found.path, path) != 0 || access(found.file, X_OK) < 0)
		return false;
	return (size_t)snprintf(ret_file, size, "%s", found.file) < size;
}

static void keep_found(const char *name, const char *path, const char *file)
{
	if (strlen(name) >= sizeof(found.name) || strlen(path) >= sizeof(found.path) || strlen(file) >= sizeof(found.file))
		return;
	strcpy(found.name, name);
	strcpy(found.path, path);
	strcpy(found.file, file);
}

/* Where a program is, as execvp(3) looks for it. 0, -ENOENT, -EACCES, -ENAMETOOLONG. */
static int find_program(const char *name, const char *path, char *ret_file, size_t size)
{
	const char *all = path;
	int r = -ENOENT;

	if (strchr(name, '/'))
		return (size_t)snprintf(ret_file, size, "%s", name) < size ? 0 : -ENAMETOOLONG;
	if (was_found(name, path, ret_file, size))
		return 0;
	while (path && *path) {
		size_t n = strcspn(path, ":");
		struct stat st;

		if ((size_t)snprintf(ret_file, size, "%.*s/%s", n ? (int)n : 1, n ? path : ".", name) < size &&
			stat(ret_file, &st) == 0 && S_ISREG(st.st_mode)) {
			if (access(ret_file, X_OK) == 0) {
				keep_found(name, all, ret_file);
				return 0;
			}
			r = -EACCES;
		}
		path += n + (path[n] == ':');
	}
	return r;
}

/* The log. */

static void stream_log(struct exec *exec, struct exec_stream *stream, bool end)
{
	struct scope *scope = exec->scope;
	char *newline = stream->line.size ? memrchr(stream->line.data, '\n', stream->line.size) : NULL;
	size_t size = newline ? (size_t)(newline + 1 - stream->line.data) : 0;

	if (end || stream->line.size > LINE_MAX_SIZE)
		size = stream->line.size;
	if (!size)
		return;
	link_log(&scope->runner->link, scope->task, scope->try, stream->name, stream->line.data, size);
	buffer_consume(&stream->line, size);
}

static void stream_keep(struct exec *exec, struct exec_stream *stream, const char *data, size_t size)
{
	size_t room = EXEC_CAPTURE_MAX - stream->kept.size;

	if (exec->capture) {
		stream->truncated |= size > room;
		buffer_append(&stream->kept, data, size < room ? size : room);
	} else if (stream == &exec->err) {
		buffer_append(&stream->kept, data, size);
		if (stream->kept.size > TAIL)
			buffer_consume(&stream->kept, stream->kept.size - TAIL);
	}
}

/* Streams. */

static void stream_close(struct exec *exec, struct exec_stream *stream)
{
	if (stream->fd < 0)
		return;
	/* The loop is told before the close: numbers are used again at once. */
	ev_io_stop(exec->scope->runner->loop, &stream->readable);
	close(stream->fd);
	stream->fd = -1;
	stream_log(exec, stream, true);
}

/* Reads what is there, up to a bound. */
static void stream_read(struct exec *exec, struct exec_stream *stream)
{
	static char chunk[READ_CHUNK]; /* one thread; nothing below reads */
	ssize_t n;

	if (stream->fd < 0)
		return;
	n = read(stream->fd, chunk, sizeof(chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stream_close(exec, stream);
		return;
	}
	stream_keep(exec, stream, chunk, (size_t)n);
	if (exec->quiet)
		return;
	buffer_append(&stream->line, chunk, (size_t)n);
	stream_log(exec, stream, false);
	if (link_full(&exec->scope->runner->link))
		exec_pause_all(exec->scope->runner, true);
}

static void exec_check(struct exec *exec);

static void stream_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct exec *exec = io->data;

	stream_read(exec, io == &exec->out.readable ? &exec->out : &exec->err);
	exec_check(exec);
}

static void stream_init(struct exec *exec, struct exec_stream *stream, const char *name, int fd)
{
	stream->name = name;
	stream->fd = fd;
	ev_io_init(&stream->readable, stream_readable, fd, EV_READ);
	stream->readable.data = exec;
	ev_io_start(exec->scope->runner->loop, &stream->readable);
}

static void input_close(struct exec *exec)
{
	if (exec->input_fd < 0)
		return;
	ev_io_stop(exec->scope->runner->loop, &exec->writable);
	close(exec->input_fd);
	exec->input_fd = -1;
}

static void input_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct exec *exec = io->data;
	ssize_t n = write(exec->input_fd, exec->input + exec->input_done, exec->input_size - exec->input_done);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		exec->input_done += (size_t)n;
	if (n < 0 || exec->input_done == exec->input_size)
		input_close(exec);
}

/* The end. */

static void exec_finish(struct exec *exec)
{
	struct scope *scope = exec->scope;

	exec->over = true;
	ev_timer_stop(scope->runner->loop, &exec->linger);
	ev_timer_stop(scope->runner->loop, &exec->deadline);
	LIST_REMOVE(exec, link);
	exec->link = (typeof(exec->link)){ 0 };
	if (exec->done)
		exec->done(exec);
	else
		exec_free(exec);
	scope_check(scope);
}

static void exec_check(struct exec *exec)
{
	if (!exec->pid && exec->out.fd < 0 && exec->err.fd < 0)
		exec_finish(exec);
}

/* What it left in the background still holds its output: that one may go on writing, to nobody. */
static void stream_leave(struct exec *exec, struct exec_stream *stream)
{
	int fd;

	if (stream->fd < 0)
		return;
	stream_read(exec, stream);
	fd = stream->fd >= 0 ? fcntl(stream->fd, F_DUPFD_CLOEXEC, 0) : -1;
	stream_close(exec, stream);
	if (fd >= 0)
		drain_add(&exec->scope->runner->drain, fd);
}

static void exec_lingered(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct exec *exec = timer->data;

	stream_leave(exec, &exec->out);
	stream_leave(exec, &exec->err);
	exec_check(exec);
}

static struct exec *exec_find(struct runner *runner, pid_t pid)
{
	struct scope *scope;
	struct exec *exec;

	LIST_FOREACH (scope, &runner->scopes, link)
		LIST_FOREACH (exec, &scope->execs, link)
			if (exec->pid == pid)
				return exec;
	return NULL;
}

void exec_reaped(struct runner *runner, pid_t pid, int status)
{
	struct exec *exec = exec_find(runner, pid);

	if (!exec)
		return; /* an orphan of some command, whose parent we became */
	exec->pid = 0;
	exec->status = status;
	ev_timer_stop(runner->loop, &exec->deadline);
	input_close(exec);
	/* Mostly all is there by now, and we save a turn. */
	for (int i = 0; i < 2 && !runner->link.full; i++) {
		stream_read(exec, &exec->out);
		stream_read(exec, &exec->err);
	}
	if (exec->out.fd >= 0 || exec->err.fd >= 0) {
		ev_timer_set(&exec->linger, LINGER, 0);
		ev_timer_start(runner->loop, &exec->linger);
	}
	exec_check(exec);
}

void exec_signal(struct exec *exec, int signal)
{
	/* Once the leader is reaped its number may be somebody else's: the sweep finds the rest. */
	if (exec->pid)
		kill(-exec->group, signal);
}

static void exec_deadline(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct exec *exec = timer->data;

	if (exec->timed_out) {
		exec_signal(exec, SIGKILL);
		return;
	}
	exec->timed_out = true;
	exec_signal(exec, SIGTERM);
	ev_timer_set(timer, (ev_tstamp)exec->grace_ms / 1000, 0);
	ev_timer_start(loop, timer);
}

int exec_exit_code(const struct exec *exec)
{
	return WIFSIGNALED(exec->status) ? 128 + WTERMSIG(exec->status) : WEXITSTATUS(exec->status);
}

void exec_forget(void *exec)
{
	((struct exec *)exec)->done = NULL;
}

void exec_free(struct exec *exec)
{
	struct ev_loop *loop;

	if (!exec)
		return;
	loop = exec->scope->runner->loop;
	for (int i = 0; i < 2; i++) {
		struct exec_stream *stream = i ? &exec->err : &exec->out;

		ev_io_stop(loop, &stream->readable);
		if (stream->fd >= 0)
			close(stream->fd);
		buffer_done(&stream->line);
		buffer_done(&stream->kept);
	}
	input_close(exec);
	ev_timer_stop(loop, &exec->deadline);
	ev_timer_stop(loop, &exec->linger);
	if (!exec->over && exec->link.le_prev)
		LIST_REMOVE(exec, link);
	free(exec->input);
	free(exec);
}

void exec_pause_all(struct runner *runner, bool pause)
{
	struct scope *scope;
	struct exec *exec;

	LIST_FOREACH (scope, &runner->scopes, link)
		LIST_FOREACH (exec, &scope->execs, link)
			for (int i = 0; i < 2; i++) {
				struct exec_stream *stream = i ? &exec->err : &exec->out;

				if (pause)
					ev_io_stop(runner->loop, &stream->readable);
				else if (stream->fd >= 0)
					ev_io_start(runner->loop, &stream->readable);
			}
}

/* The start. */

struct pipes {
	int in[2], out[2], err[2];
};

static void cleanup_pipes(struct pipes *pipes)
{
	int *ends[] = { pipes->in, pipes->out, pipes->err };

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 2; j++)
			if (ends[i][j] >= 0)
				close(ends[i][j]);
}

static int pipes_open(struct pipes *pipes, bool input)
{
	if (pipe2(pipes->out, O_CLOEXEC) < 0 || pipe2(pipes->err, O_CLOEXEC) < 0 ||
		(input && pipe2(pipes->in, O_CLOEXEC) < 0))
		return -errno;
	fcntl(pipes->out[0], F_SETFL, O_NONBLOCK);
	fcntl(pipes->err[0], F_SETFL, O_NONBLOCK);
	if (input)
		fcntl(pipes->in[1], F_SETFL, O_NONBLOCK);
	return 0;
}

static int spawn(const char *file, char *const *argv, char *const *envp, const char *workdir, const struct pipes *pipes,
	int null_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setsigmask(&attributes, &none);
	r = posix_spawn_file_actions_adddup2(&actions, pipes->in[0] >= 0 ? pipes->in[0] : null_fd, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, pipes->out[1], 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, pipes->err[1], 2);
	if (r == 0 && workdir)
		r = posix_spawn_file_actions_addchdir_np(&actions, workdir);
	if (r == 0)
		r = posix_spawn(ret_pid, file, &actions, &attributes, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

static int spawn_failed(int error, const char *program, const char *workdir, struct fault *fault)
{
	struct stat st;

	if (workdir && (stat(workdir, &st) < 0 || !S_ISDIR(st.st_mode)))
		return fault_set(fault, -error, "the working directory %s does not exist", workdir);
	if (error == -ENOENT)
		return fault_set(fault, ENOENT, "%s: command not found", program);
	return fault_set(fault, -error, "%s: %s", program, strerror(-error));
}

static int command_spawn(struct scope *scope, const struct command *command, const struct pipes *pipes,
	struct fault *fault, pid_t *ret_pid)
{
	struct runner *runner = scope->runner;
	CLEANUP(cleanup_free) char *copy = NULL, **words = NULL;
	CLEANUP(cleanup_free) const char **envp = NULL;
	char *shell[] = { "sh", "-c", (char *)command->text, NULL };
	char *const *argv = command->arguments;
	char file[4096];
	int r;

	if (!argv && command_is_simple(command->text)) {
		copy = strdup(command->text);
		argv = words = copy ? split_words(copy) : NULL;
		if (!words)
			return fault_set(fault, ENOMEM, "not enough memory");
	}
	envp = environment_make(&runner->environment, scope->env, command->env, scope->task, scope->try);
	if (!envp)
		return fault_set(fault, ENOMEM, "not enough memory");
	if (argv) {
		r = find_program(argv[0], environment_get(envp, "PATH"), file, sizeof(file));
	} else {
		argv = shell;
		strcpy(file, "/bin/sh");
		r = 0;
	}
	if (r == 0)
		r = spawn(file, argv, (char *const *)envp, command->workdir, pipes, runner->null_fd, ret_pid);
	return r < 0 ? spawn_failed(r, argv[0], command->workdir, fault) : 0;
}

int exec_start(struct scope *scope, const struct command *command, void (*done)(struct exec *exec), void *userdata,
	struct exec **ret_exec, struct fault *fault)
{
	CLEANUP(cleanup_pipes) struct pipes pipes = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct ev_loop *loop = scope->runner->loop;
	struct exec *exec;
	pid_t pid = 0;
	int r;

	r = pipes_open(&pipes, command->input);
	if (r < 0)
		return fault_set(fault, -r, "can't make a pipe: %s", strerror(-r));
	exec = calloc(1, sizeof(*exec));
	if (!exec)
		return fault_set(fault, ENOMEM, "not enough memory");
	*exec = (struct exec){ .scope = scope, .quiet = command->quiet, .capture = command->capture, .grace_ms = command->grace_ms,
		.started = ev_time(), .input_fd = -1, .out.fd = -1, .err.fd = -1, .done = done, .userdata = userdata };
	ev_init(&exec->deadline, exec_deadline);
	ev_init(&exec->linger, exec_lingered);
	exec->deadline.data = exec->linger.data = exec;
	if (command->input && command->input_size) {
		exec->input = malloc(command->input_size);
		if (exec->input)
			memcpy(exec->input, command->input, command->input_size);
	}
	r = command->input && command->input_size && !exec->input ?
		fault_set(fault, ENOMEM, "not enough memory") :
		command_spawn(scope, command, &pipes, fault, &pid);
	if (r < 0) {
		exec_free(exec);
		return r;
	}
	exec->pid = exec->group = pid;
	LIST_INSERT_HEAD(&scope->execs, exec, link);
	scope_add_group(scope, pid);
	stream_init(exec, &exec->out, "out", take_fd(&pipes.out[0]));
	stream_init(exec, &exec->err, "err", take_fd(&pipes.err[0]));
	if (exec->input) {
		exec->input_fd = take_fd(&pipes.in[1]);
		exec->input_size = command->input_size;
		ev_io_init(&exec->writable, input_writable, exec->input_fd, EV_WRITE);
		exec->writable.data = exec;
		ev_io_start(loop, &exec->writable);
	}
	if (command->timeout_ms > 0) {
		ev_timer_set(&exec->deadline, (ev_tstamp)command->timeout_ms / 1000, 0);
		ev_timer_start(loop, &exec->deadline);
	}
	*ret_exec = exec;
	return 0;
}
