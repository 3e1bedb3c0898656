/* SPDX-License-Identifier: MIT */
/* One SQLite writer behind sockets, with group commit. */
#include "bench/writer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/pair.h"

enum { EVENTS = 64 };

struct message {
	char key[64], value[64];
};

static void answer(int fd)
{
	if (write(fd, "", 1) != 1)
		_exit(1);
}

/* What can be read now is one transaction. */
static void serve(struct pair *pair, int epoll)
{
	struct epoll_event events[EVENTS];
	struct message message;

	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		if (count < 0)
			_exit(1);
		pair_begin(pair);
		for (int i = 0; i < count; i++) {
			if (read(events[i].data.fd, &message, sizeof(message)) != sizeof(message))
				_exit(0);
			pair_set_key(pair, message.key, message.value);
		}
		pair_end(pair);
		for (int i = 0; i < count; i++)
			answer(events[i].data.fd);
	}
}

static void be_writer(const struct bench *bench, const char *name, const int *fds, unsigned count)
{
	struct pair *pair = pair_open(bench, name);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fds[i] };

		if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
			_exit(1);
	}
	serve(pair, epoll);
}

void writer_start(const struct bench *bench, const char *name, struct writer_client *clients, unsigned count)
{
	int *fds = need(calloc(count, sizeof(*fds)));
	pid_t pid;

	for (unsigned i = 0; i < count; i++) {
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
			die("socketpair: %s", strerror(errno));
		clients[i] = (struct writer_client){ .fd = ends[0], .number = (int)i };
		fds[i] = ends[1];
	}
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned i = 0; i < count; i++)
			close(clients[i].fd);
		be_writer(bench, name, fds, count);
	}
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
	free(fds);
	writer_set(&clients[0]);
}

void writer_set(void *data)
{
	struct writer_client *client = data;
	struct message message = { 0 };
	unsigned turn = client->turn++;
	char nothing;

	snprintf(message.key, sizeof(message.key), "client-%d-key-%u", client->number, turn % WRITER_KEYS);
	snprintf(message.value, sizeof(message.value), "\"value-%u\"", turn);
	if (write(client->fd, &message, sizeof(message)) != sizeof(message) ||
		read(client->fd, &nothing, 1) != 1)
		die("the writer does not answer");
}
