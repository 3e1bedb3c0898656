/* SPDX-License-Identifier: MIT */
/* The process that starts runners. One packet a request (SOCK_SEQPACKET), one or two packets an answer. */
#include "engine/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <stddef.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/cgroup.h"

enum { GROUPS_MAX = 4096, PATH_SIZE = 4096 };

enum spawner_verb { SPAWN, REMOVE };

struct wanted {
	enum spawner_verb verb;
	int64_t run_id;
	uid_t uid;
	gid_t gid;
	uint32_t group_count;
	char program[PATH_SIZE], work[PATH_SIZE], mark[128], cgroup[CGROUP_PATH_SIZE];
	gid_t groups[GROUPS_MAX];
};

struct answer {
	int64_t run_id; /* 0: this tells of an end */
	pid_t pid;
	int status;
};

struct spawner {
	int fd;
	pid_t pid;
	struct ev_loop *loop;
	ev_io readable;
	const struct spawner_callbacks *callbacks;
	void *userdata;
};

/* In the spawner. */

/* The login environment of a user, as login(1) makes it. */
static char **login_environment(uid_t uid, const char *mark)
{
	static char *environment[8];
	struct passwd *user = getpwuid(uid);
	const char *const lines[][2] = {
		{ "HOME", user ? user->pw_dir : "/" },
		{ "USER", user ? user->pw_name : "nobody" },
		{ "LOGNAME", user ? user->pw_name : "nobody" },
		{ "SHELL", user && *user->pw_shell ? user->pw_shell : "/bin/sh" },
		{ "PATH", uid == 0 ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
				   : "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games" },
		{ "LANG", getenv("LANG") ? getenv("LANG") : "C.UTF-8" },
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (asprintf(&environment[n], "%s=%s", lines[i][0], lines[i][1]) >= 0)
			n++;
	environment[n++] = (char *)(uintptr_t)mark;
	environment[n] = NULL;
	return environment;
}

static int become_user(const struct wanted *wanted)
{
	if (geteuid() != 0)
		return wanted->uid == geteuid() ? 0 : -EPERM;
	if (setgroups(wanted->group_count, wanted->groups) < 0 ||
		setresgid(wanted->gid, wanted->gid, wanted->gid) < 0 ||
		setresuid(wanted->uid, wanted->uid, wanted->uid) < 0)
		return -errno;
	/* A runner as a user must not be killed or traced by another user's, nor dump core with secrets; but
	 * its own user may look at it, so nothing else is done here. */
	return 0;
}

static void clean_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
}

/* In the child: never returns. */
static void run_program(const struct wanted *wanted, int fd)
{
	char *const argv[] = { (char *)"sloth-runner", NULL };
	char **environment = login_environment(wanted->uid, wanted->mark);
	int null = open("/dev/null", O_RDWR);

	clean_signals();
	setsid();
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	/* The spawner's own 3 is closed by this. */
	if (dup2(fd, 3) < 0)
		_exit(126);
	close_range(4, ~0U, 0);
	umask(022);
	if (become_user(wanted) < 0 || (chdir(wanted->work) < 0 && chdir("/") < 0))
		_exit(126);
	execve(wanted->program, argv, environment);
	_exit(127);
}

static int make_work(const struct wanted *wanted)
{
	struct stat st;

	/* One that is there already, of a run whose number was given twice because its first owner was never
	 * stored, must be the same user's. */
	if (mkdir(wanted->work, 0700) < 0) {
		if (errno != EEXIST || lstat(wanted->work, &st) < 0)
			return -errno;
		return S_ISDIR(st.st_mode) && st.st_uid == wanted->uid ? 0 : -EEXIST;
	}
	if (geteuid() == 0 && lchown(wanted->work, wanted->uid, wanted->gid) < 0)
		return -errno;
	return 0;
}

/* fork(2), but the child is born in the run's group, where there can be one. */
static pid_t fork_into(const struct wanted *wanted)
{
	CLEANUP(cleanup_fd) int folder = -1;
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	pid_t pid;

	if (!*wanted->cgroup || cgroup_make(wanted->cgroup, wanted->uid, wanted->gid) < 0)
		return fork();
	folder = open(wanted->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	args.cgroup = (uint64_t)folder;
	pid = folder < 0 ? -1 : (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid >= 0)
		return pid;
	/* An old kernel, or one that lets us make it and not use it. */
	rmdir(wanted->cgroup);
	return fork();
}

static pid_t serve_spawn(const struct wanted *wanted, int fd)
{
	int r = make_work(wanted);
	pid_t pid;

	if (r < 0)
		return r;
	pid = fork_into(wanted);
	if (pid == 0)
		run_program(wanted, fd);
	return pid < 0 ? -errno : pid;
}

/* The content with the user's rights, so that links in it lead nowhere; then the folder itself, which stands
 * in ours. */
static void serve_remove(const struct wanted *wanted)
{
	char *const argv[] = { (char *)"find", (char *)(uintptr_t)wanted->work, (char *)"-mindepth",
		(char *)"1", (char *)"-delete", NULL };
	pid_t pid = fork();

	if (pid != 0)
		return;
	clean_signals();
	pid = fork();
	if (pid == 0) {
		if (become_user(wanted) == 0)
			execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	rmdir(wanted->work);
	_exit(0);
}

static void serve_request(int fd)
{
	static struct wanted wanted;
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { &wanted, sizeof(wanted) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	CLEANUP(cleanup_fd) int passed = -1;
	struct cmsghdr *header;
	struct answer answer;

	if (n <= 0)
		_exit(0); /* the daemon is gone */
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&passed, CMSG_DATA(header), sizeof(passed));
	if (wanted.verb == REMOVE) {
		serve_remove(&wanted);
		return;
	}
	answer = (struct answer){ .run_id = wanted.run_id, .pid = serve_spawn(&wanted, passed) };
	if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
		_exit(0);
}

static void serve_deaths(int fd)
{
	struct answer answer = { 0 };

	while ((answer.pid = waitpid(-1, &answer.status, WNOHANG)) > 0)
		if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			_exit(0);
}

static void spawner_main(int fd)
{
	struct signalfd_siginfo info;
	struct pollfd polled[2] = { { .fd = fd, .events = POLLIN } };
	sigset_t set;

	prctl(PR_SET_NAME, "sloth-spawner");
	/* Whoever started the daemon may wait for the end of a pipe. */
	if (fd != 3)
		fd = dup3(fd, 3, O_CLOEXEC);
	close_range(4, ~0U, 0);
	polled[0].fd = fd;
	/* The daemon's end is what ends it, not a terminal's ^C. */
	setsid();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	polled[1] = (struct pollfd){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN };
	for (;;) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (polled[1].revents) {
			while (read(polled[1].fd, &info, sizeof(info)) > 0)
				;
			serve_deaths(fd);
		}
		if (polled[0].revents)
			serve_request(fd);
	}
}

/* In the daemon. */

int spawner_start(struct spawner **ret_spawner)
{
	CLEANUP(cleanup_free) struct spawner *spawner = calloc(1, sizeof(*spawner));
	int fds[2];

	if (!spawner)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	spawner->pid = fork();
	if (spawner->pid == 0) {
		close(fds[0]);
		spawner_main(fds[1]);
	}
	close(fds[1]);
	if (spawner->pid < 0) {
		close(fds[0]);
		return -errno;
	}
	spawner->fd = fds[0];
	*ret_spawner = TAKE(spawner);
	return 0;
}

static void spawner_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct spawner *spawner = io->data;
	struct answer answer;
	ssize_t n;

	while ((n = recv(spawner->fd, &answer, sizeof(answer), MSG_DONTWAIT)) == sizeof(answer)) {
		if (answer.run_id)
			spawner->callbacks->started(spawner->userdata, answer.run_id, answer.pid);
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

static int send_wanted(struct spawner *spawner, const struct wanted *wanted, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec part = { (void *)(uintptr_t)wanted,
		offsetof(struct wanted, groups) + wanted->group_count * sizeof(gid_t) };
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

static int fill_paths(
	struct wanted *wanted, const char *program, const char *work, const char *mark, const char *cgroup)
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
	CLEANUP(cleanup_free) struct wanted *wanted = calloc(1, sizeof(*wanted));
	int r;

	if (!wanted)
		return -ENOMEM;
	if (spawn->group_count > GROUPS_MAX)
		return -E2BIG;
	wanted->verb = SPAWN;
	wanted->run_id = spawn->run_id;
	wanted->uid = spawn->uid;
	wanted->gid = spawn->gid;
	wanted->group_count = (uint32_t)spawn->group_count;
	if (spawn->group_count)
		memcpy(wanted->groups, spawn->groups, spawn->group_count * sizeof(gid_t));
	r = fill_paths(wanted, spawn->program, spawn->work, spawn->mark, spawn->cgroup);
	return r < 0 ? r : send_wanted(spawner, wanted, spawn->fd);
}

int spawner_remove(struct spawner *spawner, const char *work, uid_t uid, gid_t gid)
{
	CLEANUP(cleanup_free) struct wanted *wanted = calloc(1, sizeof(*wanted));
	int r;

	if (!wanted)
		return -ENOMEM;
	wanted->verb = REMOVE;
	wanted->uid = uid;
	wanted->gid = gid;
	r = fill_paths(wanted, "", work, "", "");
	return r < 0 ? r : send_wanted(spawner, wanted, -1);
}
