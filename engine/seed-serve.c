/* SPDX-License-Identifier: MIT */
/* What the process that spawners come from does. One packet an order (SOCK_SEQPACKET), one an answer. */
#include "engine/seed-serve.h"

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
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"

enum { SEED_FD = 3 };

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

pid_t fork_sibling(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
}

static pid_t make_spawner(const struct seed_order *order, int fd)
{
	pid_t pid = fork_sibling();

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

void seed_serve(int fd)
{
	pid_t pid = getpid();
	sigset_t none;

	if (dup2(fd, SEED_FD) < 0)
		_exit(1);
	close_range(SEED_FD + 1, ~0U, 0);
	prctl(PR_SET_NAME, "sloth-seed");
	/* The daemon's end is what ends it, not a terminal's ^C. */
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (send(SEED_FD, &pid, sizeof(pid), MSG_NOSIGNAL) < 0)
		_exit(0);
	for (;;)
		serve_order();
}
