/* SPDX-License-Identifier: MIT */
/* The daemon's side of the process that spawners come from. */
#include "engine/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/seed-serve.h"

enum { GREETING_MS = 1000 };

union control {
	char space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int seed_greet(int fd, struct seed *ret_seed)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	pid_t pid;
	int n;

	do
		n = poll(&polled, 1, GREETING_MS);
	while (n < 0 && errno == EINTR);
	if (n != 1 || recv(fd, &pid, sizeof(pid), MSG_DONTWAIT) != sizeof(pid)) {
		close(fd);
		return -ENOTCONN;
	}
	*ret_seed = (struct seed){ .fd = fd, .pid = pid };
	return 0;
}

int seed_start(struct seed *ret_seed)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		seed_serve(fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -errno;
	}
	return seed_greet(fds[0], ret_seed);
}

int seed_adopt(const char *text, struct seed *ret_seed)
{
	int fd, pid;

	if (sscanf(text, "%d:%d", &fd, &pid) != 2 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -EINVAL;
	*ret_seed = (struct seed){ .fd = fd, .pid = pid };
	return 0;
}

bool seed_lives(const struct seed *seed)
{
	char nothing;

	return seed->fd >= 0 && recv(seed->fd, &nothing, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

int seed_hand_on(struct seed *seed, char *ret_text, size_t size)
{
	if (!seed_lives(seed))
		return -ENOTCONN;
	snprintf(ret_text, size, "%d:%d", seed->fd, (int)seed->pid);
	return fcntl(seed->fd, F_SETFD, 0) < 0 ? -errno : 0;
}

void seed_done(struct seed *seed)
{
	if (seed->fd < 0)
		return;
	close(seed->fd);
	seed->fd = -1;
	waitpid(seed->pid, NULL, 0);
}

pid_t seed_spawner(struct seed *seed, const char *program, int fd)
{
	CLEANUP(cleanup_free) struct seed_order *order = calloc(1, sizeof(*order));
	union control control = { { 0 } };
	struct iovec part = { order, sizeof(*order) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	pid_t pid;
	ssize_t n;

	if (!order)
		return -ENOMEM;
	if (strlen(program) >= sizeof(order->program))
		return -ENAMETOOLONG;
	strcpy(order->program, program);
	*CMSG_FIRSTHDR(&message) = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))
	};
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(fd));
	if (sendmsg(seed->fd, &message, MSG_NOSIGNAL) < 0)
		return -errno;
	do
		n = recv(seed->fd, &pid, sizeof(pid), 0);
	while (n < 0 && errno == EINTR);
	return n == sizeof(pid) ? pid : -ENOTCONN;
}
