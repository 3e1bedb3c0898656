/* SPDX-License-Identifier: MIT */
/* The daemon's side of the spawner. */
#include "engine/spawner.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "build.h"
#include "engine/spawner-serve.h"

struct spawner {
	int fd;
	pid_t pid;
	struct ev_loop *loop;
	ev_io readable;
	const struct spawner_callbacks *callbacks;
	void *userdata;
};

void spawner_find_program(char *ret_path, size_t size)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	/* In the build tree the runner stands beside; an installed one is in libexec. */
	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		snprintf(ret_path, size, "%s/../lua/sloth-runner", self);
		if (access(ret_path, X_OK) == 0)
			return;
	}
	snprintf(ret_path, size, "%s/sloth-runner", SLOTH_LIBEXECDIR);
}

int spawner_start(struct seed *seed, struct spawner **ret_spawner)
{
	CLEANUP(cleanup_free) struct spawner *spawner = calloc(1, sizeof(*spawner));
	char program[PATH_SIZE];
	int fds[2];

	if (!spawner)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	spawner_find_program(program, sizeof(program));
	spawner->pid = seed_spawner(seed, program, fds[1]);
	close(fds[1]);
	if (spawner->pid < 0) {
		close(fds[0]);
		return spawner->pid;
	}
	spawner->fd = fds[0];
	*ret_spawner = TAKE(spawner);
	return 0;
}

static void spawner_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct spawner *spawner = io->data;
	struct spawn_answer answer;
	ssize_t n;

	while ((n = recv(spawner->fd, &answer, sizeof(answer), MSG_DONTWAIT)) == sizeof(answer)) {
		if (answer.ticket)
			spawner->callbacks->started(spawner->userdata, answer.ticket, answer.pid);
		else
			spawner->callbacks->exited(spawner->userdata, answer.pid, answer.status);
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		log_error("the spawner is gone");
		ev_ref(loop);
		ev_io_stop(loop, io);
		spawner->callbacks->died(spawner->userdata);
	}
}

void spawner_attach(struct spawner *spawner, struct ev_loop *loop, const struct spawner_callbacks *callbacks,
	void *userdata)
{
	spawner->loop = loop;
	spawner->callbacks = callbacks;
	spawner->userdata = userdata;
	ev_io_init(&spawner->readable, spawner_readable, spawner->fd, EV_READ);
	spawner->readable.data = spawner;
	ev_io_start(loop, &spawner->readable);
	ev_unref(loop);
}

void spawner_free(struct spawner *spawner)
{
	if (!spawner)
		return;
	if (spawner->loop && ev_is_active(&spawner->readable)) {
		ev_ref(spawner->loop);
		ev_io_stop(spawner->loop, &spawner->readable);
	}
	close(spawner->fd);
	waitpid(spawner->pid, NULL, 0);
	free(spawner);
}

static int send_wanted(struct spawner *spawner, const struct spawn_request *wanted, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec part = { (void *)(uintptr_t)wanted,
		offsetof(struct spawn_request, groups) + wanted->group_count * sizeof(gid_t) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
		*CMSG_FIRSTHDR(&message) = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))
		};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(int));
	}
	return sendmsg(spawner->fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int fill_paths(struct spawn_request *wanted, const char *program, const char *work, const char *mark,
	const char *cgroup)
{
	if (strlen(cgroup) >= sizeof(wanted->cgroup) || strlen(program) >= PATH_SIZE ||
		strlen(work) >= PATH_SIZE || strlen(mark) >= sizeof(wanted->mark))
		return -ENAMETOOLONG;
	strcpy(wanted->program, program);
	strcpy(wanted->work, work);
	strcpy(wanted->mark, mark);
	strcpy(wanted->cgroup, cgroup);
	return 0;
}

int spawner_spawn(struct spawner *spawner, const struct spawn *spawn)
{
	CLEANUP(cleanup_free) struct spawn_request *wanted = calloc(1, sizeof(*wanted));
	int r;

	if (!wanted)
		return -ENOMEM;
	if (spawn->group_count > GROUPS_MAX)
		return -E2BIG;
	wanted->verb = SPAWN;
	wanted->ticket = spawn->ticket;
	wanted->uid = spawn->uid;
	wanted->gid = spawn->gid;
	wanted->watches = spawn->watches;
	wanted->group_count = (uint32_t)spawn->group_count;
	if (spawn->group_count)
		memcpy(wanted->groups, spawn->groups, spawn->group_count * sizeof(gid_t));
	r = fill_paths(wanted, spawn->program, spawn->work, spawn->mark, spawn->cgroup);
	return r < 0 ? r : send_wanted(spawner, wanted, spawn->fd);
}

int spawner_remove(struct spawner *spawner, const char *work, uid_t uid, gid_t gid)
{
	CLEANUP(cleanup_free) struct spawn_request *wanted = calloc(1, sizeof(*wanted));
	int r;

	if (!wanted)
		return -ENOMEM;
	wanted->verb = REMOVE;
	wanted->uid = uid;
	wanted->gid = gid;
	r = fill_paths(wanted, "", work, "", "");
	return r < 0 ? r : send_wanted(spawner, wanted, -1);
}

int spawner_renew_seed(struct spawner *spawner, struct seed *seed)
{
	CLEANUP(cleanup_free) struct spawn_request *wanted = calloc(1, sizeof(*wanted));
	int fds[2], r;

	if (!wanted)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	seed_done(seed);
	wanted->verb = SEED;
	r = send_wanted(spawner, wanted, fds[1]);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return r;
	}
	return seed_greet(fds[0], seed);
}
