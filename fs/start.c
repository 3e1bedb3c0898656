/* SPDX-License-Identifier: MIT */
/* Starting a daemon from a client. */
#include "fs/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/child.h"
#include "base/text.h"
#include "build.h"

enum {
	READY_FD = 3,	       /* the daemon's end of the pipe on which it says that it serves */
	READY_WAIT_MS = 30000, /* a migration of a large database may come first */
	RIVAL_WAIT_MS = 30000, /* for the daemon that another client has just started */
	RIVAL_TRY_MS = 20,     /* between two looks whether it serves */
	RIVAL_START_MS = 640,  /* at most, between two tries to start one, if that one was just ending */
};

void start_program(char *ret_path, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		char *slash;

		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash) {
			*slash = '\0';
			int length = snprintf(ret_path, size, "%s/../fs/slothd", self);
			if (length > 0 && (size_t)length < size && access(ret_path, X_OK) == 0)
				return;
		}
	}
	snprintf(ret_path, size, "%s/slothd", SLOTH_SBINDIR);
}

/* Its own session, no terminal, messages into a file, a clean signal state, and the pipe. */
static int spawn_daemon(const char *program, const char *log, int ready_fd, pid_t *ret_pid)
{
	static const char *const argv[] = { "slothd", "--auto", "--ready-fd", "3", NULL };
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	/* The pipe first: opening the others may not land on its number. */
	r = posix_spawn_file_actions_adddup2(&actions, ready_fd, READY_FD);
	r = r ? r : posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	r = r ? r : posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	r = r ? r : posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	r = r ? r : posix_spawn_file_actions_addclosefrom_np(&actions, READY_FD + 1);
	r = r ? r : posix_spawn_file_actions_addchdir_np(&actions, "/");
	r = r ? -r : child_spawn(program, argv, &actions, POSIX_SPAWN_SETSID, ret_pid);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* What the daemon says about itself: nothing, "1", or a sentence. */
static void read_answer(int fd, char *ret_text, size_t size)
{
	int64_t deadline = time_now_ms() + READY_WAIT_MS;
	size_t used = 0;

	while (used < size - 1) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - time_now_ms();
		ssize_t n;

		if (left <= 0)
			break;
		n = poll(&poll_fd, 1, (int)left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		n = read(fd, ret_text + used, size - 1 - used);
		if (n <= 0)
			break;
		used += (size_t)n;
		if (memchr(ret_text, '\n', used) || ret_text[0] == '1')
			break;
	}
	ret_text[used] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
}

/* `ret_answer`: the daemon's words about itself, "" for none. */
static int start_daemon(const struct place *place, struct fault *fault, char *ret_answer, size_t size)
{
	char program[PATH_MAX], log[PATH_MAX + 16];
	CLEANUP(cleanup_fd) int read_end = -1;
	CLEANUP(cleanup_fd) int write_end = -1;
	int ends[2], r;
	pid_t pid;

	r = place_make(place, fault);
	if (r < 0)
		return r;
	start_program(program, sizeof(program));
	snprintf(log, sizeof(log), "%s/slothd.log", place->home);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fault_set(fault, errno, "can't make a pipe: %s", strerror(errno));
	read_end = ends[0];
	/* dup2() onto itself would leave the close-on-exec flag set. */
	write_end = fcntl(ends[1], F_DUPFD_CLOEXEC, READY_FD + 1);
	close(ends[1]);
	if (write_end < 0)
		return fault_set(fault, errno, "can't make a pipe: %s", strerror(errno));
	r = spawn_daemon(program, log, write_end, &pid);
	if (r < 0)
		return fault_set(fault, ENOTCONN, "no daemon answers at %s, and %s can't be started: %s",
			place->socket, program, strerror(-r));
	close(take_fd(&write_end));
	read_answer(read_end, ret_answer, size);
	/* One that gave up is reaped; one that serves is nobody's child when this program ends. */
	waitpid(pid, NULL, WNOHANG);
	return 0;
}

static int connect_fault(const struct place *place, int error, struct fault *fault)
{
	if (error == -EACCES)
		return fault_set(fault, EACCES, "you may not use the daemon's socket %s", place->socket);
	return fault_set(fault, -error, "can't connect to %s: %s", place->socket, strerror(-error));
}

static bool nobody_there(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED || error == -ENOTDIR;
}

/* One attempt. 0: another daemon has the home and may serve in a moment, or is just ending. */
static int start_once(const struct place *place, struct fault *fault)
{
	char answer[FAULT_TEXT_MAX / 2] = "";
	int fd, r = start_daemon(place, fault, answer, sizeof(answer));

	if (r < 0)
		return r;
	fd = place_connect(place);
	if (fd >= 0 || !nobody_there(fd))
		return fd >= 0 ? fd : connect_fault(place, fd, fault);
	if (strstr(answer, "another daemon"))
		return 0;
	if (answer[0] && answer[0] != '1')
		return fault_set(fault, EIO, "the daemon did not start: %s", answer);
	return fault_set(
		fault, EIO, "the daemon did not start; its messages are in %s/slothd.log", place->home);
}

int start_connect(const struct place *place, bool may_start, struct fault *fault)
{
	int64_t deadline = 0, next_start = 0, rest = RIVAL_TRY_MS;

	for (;;) {
		int fd = place_connect(place);

		if (fd >= 0)
			return fd;
		if (!nobody_there(fd))
			return connect_fault(place, fd, fault);
		if (!may_start)
			return fault_set(fault, ENOTCONN, "no daemon answers at %s", place->socket);
		/* Many clients that start daemons all the time would keep the one from serving. */
		if (time_now_ms() >= next_start) {
			fd = start_once(place, fault);
			if (fd)
				return fd;
			next_start = time_now_ms() + rest;
			rest = rest * 2 < RIVAL_START_MS ? rest * 2 : RIVAL_START_MS;
		}
		deadline = deadline ? deadline : time_now_ms() + RIVAL_WAIT_MS;
		if (time_now_ms() >= deadline)
			return fault_set(fault, EIO, "another daemon has %s, but does not answer at %s",
				place->home, place->socket);
		nanosleep(&(struct timespec){ .tv_nsec = RIVAL_TRY_MS * 1000 * 1000 }, NULL);
	}
}
