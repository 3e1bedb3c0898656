/* SPDX-License-Identifier: MIT */
/* The process that spawners come from. One packet an order (SOCK_SEQPACKET), one an answer. */
#include "engine/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "engine/spawner-serve.h"

enum { SEED_FD = 3 };

struct seed_order {
	char program[PATH_SIZE];
};

union control {
	char space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* In the child. Without the program nothing can be run; whoever tries is told so. */
static void become_spawner(const char *program, int fd)
{
	char *const argv[] = { (char *)"sloth-runner", (char *)"--spawner", NULL };
	char language[64];
	/* Runners are forks of it, and /proc shows their users with what environment it was started. */
	char *environment[] = { NULL, NULL, NULL }, **next = environment;

	if (dup2(fd, SEED_FD) < 0)
		_exit(1);
	close_range(SEED_FD + 1, ~0U, 0);
	snprintf(language, sizeof(language), "LANG=%s", getenv("LANG") ? getenv("LANG") : "");
	if (getenv("LANG"))
		*next++ = language;
#ifdef SLOTH_TORTURE
	*next = failpoint_variable();
#endif
	execve(program, argv, environment);
	spawner_serve(NULL, NULL);
}

/* As fork(2), but the child is the daemon's, which waits for it. */
static pid_t make_spawner(const struct seed_order *order, int fd)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		become_spawner(order->program, fd);
	return pid < 0 ? -errno : pid;
}

static void serve_order(void)
{
	static struct seed_order order;
	union control control;
	struct iovec part = { &order, sizeof(order) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(SEED_FD, &message, MSG_CMSG_CLOEXEC);
	CLEANUP(cleanup_fd) int fd = -1;
	struct cmsghdr *header;
	pid_t answer = -EPROTO;

	if (n <= 0)
		_exit(0); /* the daemon is gone */
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	order.program[sizeof(order.program) - 1] = '\0';
	if (fd >= 0)
		answer = make_spawner(&order, fd);
	if (send(SEED_FD, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
		_exit(0);
}

static void serve(int fd)
{
	sigset_t none;

	if (dup2(fd, SEED_FD) < 0)
		_exit(1);
	close_range(SEED_FD + 1, ~0U, 0);
	prctl(PR_SET_NAME, "sloth-seed");
	/* The daemon's end is what ends it, not a terminal's ^C. */
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (;;)
		serve_order();
}

int seed_start(struct seed *ret_seed)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		serve(fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -errno;
	}
	*ret_seed = (struct seed){ .fd = fds[0], .pid = pid };
	return 0;
}

int seed_adopt(const char *text, struct seed *ret_seed)
{
	int fd, pid;

	if (sscanf(text, "%d:%d", &fd, &pid) != 2 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -EINVAL;
	*ret_seed = (struct seed){ .fd = fd, .pid = pid };
	return 0;
}

int seed_hand_on(struct seed *seed, char *ret_text, size_t size)
{
	char nothing;

	if (recv(seed->fd, &nothing, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
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
