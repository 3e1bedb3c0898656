/* SPDX-License-Identifier: MIT */
/* Commands as processes. */
#include "lua/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/drain.h"
#include "lua/runner.h"
#include "lua/scope.h"

enum {
	READ_CHUNK = 64 << 10,
	INPUT_MAX = 1 << 20,	  /* bytes on their way to a process before whoever gives more waits */
	LINE_MAX_SIZE = 64 << 10, /* a longer line is logged in parts */
	TAIL = 400,		  /* bytes of stderr that an error message quotes */
};
static const ev_tstamp LINGER = 1.0; /* seconds to wait for the end of the output after the exit */

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

/* The last lines, whole: a part of one could be a part of a secret, which is not known as such where it is
 * masked. Of a line that is too long nothing is kept; the log has it. */
static void tail_keep(struct exec_stream *stream, const char *data, size_t size)
{
	const char *newline;
	size_t cut;

	if (stream->skips) {
		newline = memchr(data, '\n', size);
		if (!newline)
			return;
		stream->skips = false;
		size -= (size_t)(newline + 1 - data);
		data = newline + 1;
	}
	buffer_append(&stream->kept, data, size);
	if (stream->kept.size <= TAIL)
		return;
	cut = stream->kept.size - TAIL;
	newline = memchr(stream->kept.data + cut - 1, '\n', TAIL + 1);
	stream->skips = !newline;
	buffer_consume(
		&stream->kept, newline ? (size_t)(newline + 1 - stream->kept.data) : stream->kept.size);
}

static void stream_keep(struct exec *exec, struct exec_stream *stream, const char *data, size_t size)
{
	size_t room = EXEC_CAPTURE_MAX - stream->kept.size;

	if (exec->capture && (!exec->hush_out || stream == &exec->out)) {
		stream->truncated |= size > room;
		buffer_append(&stream->kept, data, size < room ? size : room);
	} else if (stream == &exec->err) {
		tail_keep(stream, data, size);
	}
}

/* Streams. */

static void exec_check(struct exec *exec);

static void exec_changed(struct exec *exec)
{
	if (exec->changed)
		exec->changed(exec);
}

/* Whether somebody has to take some of it before more is read. */
static bool stream_is_full(const struct exec *exec, const struct exec_stream *stream)
{
	return exec->hold && stream == &exec->out && stream->kept.size >= exec->hold;
}

static void stream_go_on(struct exec *exec, struct exec_stream *stream)
{
	if (stream->fd >= 0 && !exec->runner->link.full && !stream_is_full(exec, stream))
		ev_io_start(exec->runner->loop, &stream->readable);
}

static void stream_close(struct exec *exec, struct exec_stream *stream)
{
	if (stream->fd < 0)
		return;
	/* The loop is told before the close: numbers are used again at once. */
	ev_io_stop(exec->runner->loop, &stream->readable);
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
	if (n <= 0)
		stream_close(exec, stream);
	else
		stream_keep(exec, stream, chunk, (size_t)n);
	exec_changed(exec);
	if (stream_is_full(exec, stream))
		ev_io_stop(exec->runner->loop, &stream->readable);
	if (n <= 0 || exec->quiet || (exec->hush_out && stream == &exec->out))
		return;
	buffer_append(&stream->line, chunk, (size_t)n);
	stream_log(exec, stream, false);
	if (link_full(&exec->runner->link))
		exec_pause_all(exec->runner, true);
}

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
	ev_io_start(exec->runner->loop, &stream->readable);
}

static void input_close(struct exec *exec)
{
	if (exec->input_fd < 0)
		return;
	ev_io_stop(exec->runner->loop, &exec->writable);
	close(exec->input_fd);
	exec->input_fd = -1;
}

static void input_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct exec *exec = io->data;
	ssize_t n = write(
		exec->input_fd, exec->input.data + exec->input_done, exec->input.size - exec->input_done);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		exec->input_done += (size_t)n;
	if (n < 0 || (exec->input_ends && exec->input_done == exec->input.size))
		input_close(exec);
	else if (exec->input_done == exec->input.size)
		ev_io_stop(loop, io);
	exec_changed(exec);
}

int exec_put(struct exec *exec, const char *text, size_t size)
{
	if (exec->input_fd < 0 || exec->input_ends)
		return -EPIPE;
	if (exec->input.size - exec->input_done > INPUT_MAX)
		return -EAGAIN;
	buffer_consume(&exec->input, exec->input_done);
	exec->input_done = 0;
	if (buffer_append(&exec->input, text, size) < 0)
		return -EAGAIN;
	if (size)
		ev_io_start(exec->runner->loop, &exec->writable);
	return 0;
}

void exec_end_input(struct exec *exec)
{
	exec->input_ends = true;
	if (exec->input_done == exec->input.size)
		input_close(exec);
}

void exec_consume(struct exec *exec, struct exec_stream *stream, size_t size)
{
	buffer_consume(&stream->kept, size);
	stream_go_on(exec, stream);
}

void exec_drain(struct exec *exec)
{
	exec->hold = 0;
	stream_go_on(exec, &exec->out);
}

void exec_discard(struct exec *exec)
{
	exec->capture = false;
	buffer_done(&exec->out.kept);
	buffer_done(&exec->err.kept);
	exec_drain(exec);
}

void exec_close_output(struct exec *exec)
{
	exec_discard(exec);
	stream_close(exec, &exec->out);
	if (!exec->over)
		exec_check(exec);
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
		drain_add(&exec->runner->drain, fd);
}

static void exec_lingered(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct exec *exec = timer->data;

	if (exec->out.fd >= 0 && stream_is_full(exec, &exec->out)) {
		/* That is not for lack of an end. */
		ev_timer_set(timer, LINGER, 0);
		ev_timer_start(loop, timer);
		return;
	}
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
	if (!exec->pid)
		return;
	kill(-exec->group, signal);
	if (signal == SIGTERM)
		kill(-exec->group, SIGCONT);
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

const char *exec_end_text(const struct exec *exec, char *ret_text, size_t size)
{
	int number = WTERMSIG(exec->status);
	const char *name = sigabbrev_np(number);
	char text[20];

	snprintf(text, sizeof(text), "signal %d", number);
	snprintf(ret_text, size, "%s%s (%s%s)", name ? "SIG" : "", name ? name : text, strsignal(number),
		WCOREDUMP(exec->status) ? ", core dumped" : "");
	return ret_text;
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
	loop = exec->runner->loop;
	if (exec->lost)
		exec->lost(exec);
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
	buffer_done(&exec->input);
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
				else
					stream_go_on(exec, stream);
			}
}

/* The start. */

int exec_start(struct scope *scope, const struct command *command, void (*done)(struct exec *exec),
	void *userdata, struct exec **ret_exec, struct fault *fault)
{
	CLEANUP(cleanup_pipes) struct pipes pipes = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct ev_loop *loop = scope->runner->loop;
	struct exec *exec;
	pid_t pid = 0;
	int r;

	r = pipes_open(&pipes, command->input || command->talk);
	if (r < 0)
		return fault_set(fault, -r, "can't make a pipe: %s", strerror(-r));
	exec = calloc(1, sizeof(*exec));
	if (!exec)
		return fault_set(fault, ENOMEM, "not enough memory");
	*exec = (struct exec){ .runner = scope->runner,
		.scope = scope,
		.talk = command->talk,
		.hush_out = command->hush_out,
		.input_ends = !command->talk,
		.hold = command->hold,
		.quiet = command->quiet,
		.capture = command->capture,
		.grace_ms = command->grace_ms,
		.started = ev_time(),
		.input_fd = -1,
		.out.fd = -1,
		.err.fd = -1,
		.done = done,
		.userdata = userdata };
	ev_init(&exec->deadline, exec_deadline);
	ev_init(&exec->linger, exec_lingered);
	exec->deadline.data = exec->linger.data = exec;
	r = command->input ? buffer_append(&exec->input, command->input, command->input_size) : 0;
	r = r < 0 ? fault_set(fault, ENOMEM, "not enough memory")
		  : command_spawn(scope, command, &pipes, fault, &pid);
	if (r < 0) {
		exec_free(exec);
		return r;
	}
	exec->pid = exec->group = pid;
	LIST_INSERT_HEAD(&scope->execs, exec, link);
	scope_add_group(scope, pid);
	stream_init(exec, &exec->out, "out", take_fd(&pipes.out[0]));
	stream_init(exec, &exec->err, "err", take_fd(&pipes.err[0]));
	if (exec->input.size || command->talk) {
		exec->input_fd = take_fd(&pipes.in[1]);
		ev_io_init(&exec->writable, input_writable, exec->input_fd, EV_WRITE);
		exec->writable.data = exec;
		if (exec->input.size)
			ev_io_start(loop, &exec->writable);
	}
	if (command->timeout_ms > 0) {
		ev_timer_set(&exec->deadline, (ev_tstamp)command->timeout_ms / 1000, 0);
		ev_timer_start(loop, &exec->deadline);
	}
	*ret_exec = exec;
	return 0;
}
