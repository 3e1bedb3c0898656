/* SPDX-License-Identifier: MIT */
/* The process that starts runners. One packet a request (SOCK_SEQPACKET), one or two packets an answer. */
#include "engine/spawner-serve.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "engine/seed-serve.h"

enum { SERVED_FD = 3, GID_NOBODY = 65534 };

/* The login environment of a user, as login(1) makes it. */
static char **login_environment(uid_t uid, const struct passwd *user, const char *mark)
{
	static char *environment[8];
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

/* What the user database says of a user. One that it does not know is in no group. */
static int take_groups(struct spawn_request *wanted, const struct passwd *user)
{
	int count = GROUPS_MAX;

	wanted->gid = user ? user->pw_gid : GID_NOBODY;
	wanted->group_count = 0;
	if (!user)
		return 0;
	if (getgrouplist(user->pw_name, user->pw_gid, wanted->groups, &count) < 0)
		return -E2BIG;
	wanted->group_count = (uint32_t)count;
	return 0;
}

static int become_user(struct spawn_request *wanted, const struct passwd *user)
{
	if (geteuid() != 0)
		return wanted->uid == geteuid() ? 0 : -EPERM;
	if (wanted->gid == SPAWN_LOGIN && take_groups(wanted, user) < 0)
		return -E2BIG;
	if (setgroups(wanted->group_count, wanted->groups) < 0 ||
		setresgid(wanted->gid, wanted->gid, wanted->gid) < 0 ||
		setresuid(wanted->uid, wanted->uid, wanted->uid) < 0)
		return -errno;
	/* A runner as a user must not be killed or traced by another user's, nor dump core with secrets; but
	 * its own user may look at it, so nothing else is done here. */
	return 0;
}

/* What the spawner itself has changed. */
static void clean_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The kernel tells of other users' processes only where root has made the group; what may be marked, it looks
 * at then (lua/who.h). */
static void make_group(const struct spawn_request *wanted)
{
	int fd = -1;

	close(SPAWN_GROUP_FD);
	if (wanted->watches && geteuid() == 0)
		fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_NONBLOCK, O_RDONLY);
	if (fd >= 0 && fd != SPAWN_GROUP_FD)
		dup2(fd, SPAWN_GROUP_FD);
}

static spawner_run run;
static void *run_userdata;

/* In the child: never returns. */
static void run_program(struct spawn_request *wanted, int fd)
{
	char *const argv[] = { (char *)"sloth-runner", NULL };
	const struct passwd *user = getpwuid(wanted->uid); /* once: it is a file that is read */
	char **environment = login_environment(wanted->uid, user, wanted->mark);
	int null = open("/dev/null", O_RDWR);

	FAILPOINT("spawner.child");
	clean_signals();
	setsid();
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	/* The spawner's own 3 is closed by this. */
	if (dup2(fd, 3) < 0)
		_exit(126);
	make_group(wanted);
	close_range(SPAWN_GROUP_FD + 1, ~0U, 0);
	umask(022);
	if (become_user(wanted, user) < 0 || (chdir(wanted->work) < 0 && chdir("/") < 0))
		_exit(126);
	FAILPOINT("spawner.user");
	if (run) {
		environ = environment;
		prctl(PR_SET_NAME, argv[0]);
		/* As a program that its user has executed: to be looked at by him, and by nobody else. */
		prctl(PR_SET_DUMPABLE, 1);
		_exit(run(run_userdata));
	}
	execve(wanted->program, argv, environment);
	_exit(127);
}

static int make_work(const struct spawn_request *wanted)
{
	struct stat st;

	/* One that is there already is that of a run that was never stored, so that its number was given
	 * again. Nothing of it was done yet. */
	if (mkdir(wanted->work, 0700) < 0) {
		if (errno != EEXIST || lstat(wanted->work, &st) < 0)
			return -errno;
		if (S_ISDIR(st.st_mode) && st.st_uid == wanted->uid)
			return 0;
		if (rmdir(wanted->work) < 0 || mkdir(wanted->work, 0700) < 0)
			return -errno;
	}
	if (geteuid() == 0 && lchown(wanted->work, wanted->uid, wanted->gid) < 0)
		return -errno;
	FAILPOINT("spawner.work");
	return 0;
}

/* fork(2), but the child is born in the run's group, where there can be one. */
static pid_t fork_into(const struct spawn_request *wanted)
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

static pid_t serve_spawn(struct spawn_request *wanted, int fd)
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
static void serve_remove(struct spawn_request *wanted)
{
	char *const argv[] = { (char *)"find", (char *)(uintptr_t)wanted->work, (char *)"-mindepth",
		(char *)"1", (char *)"-delete", NULL };
	pid_t pid = fork();

	if (pid != 0)
		return;
	clean_signals();
	pid = fork();
	if (pid == 0) {
		if (become_user(wanted, getpwuid(wanted->uid)) == 0)
			execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	rmdir(wanted->work);
	_exit(0);
}

static void serve_request(int fd)
{
	static struct spawn_request wanted;
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
	struct spawn_answer answer;

	if (n <= 0)
		_exit(0); /* the daemon is gone */
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&passed, CMSG_DATA(header), sizeof(passed));
	FAILPOINT("spawner.asked");
	if (wanted.verb == REMOVE) {
		FAILPOINT("spawner.remove");
		serve_remove(&wanted);
		return;
	}
	if (wanted.verb == SEED) {
		if (passed >= 0 && fork_sibling() == 0)
			seed_serve(passed);
		return;
	}
	answer = (struct spawn_answer){ .ticket = wanted.ticket, .pid = serve_spawn(&wanted, passed) };
	FAILPOINT("spawner.started");
	if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
		_exit(0);
}

static void serve_deaths(int fd)
{
	struct spawn_answer answer = { 0 };

	while ((answer.pid = waitpid(-1, &answer.status, WNOHANG)) > 0) {
		FAILPOINT("spawner.death");
		if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			_exit(0);
	}
}

void spawner_serve(spawner_run run_here, void *userdata)
{
	struct signalfd_siginfo info;
	gid_t groups[1];
	struct pollfd polled[2] = { { .fd = SERVED_FD, .events = POLLIN } };
	sigset_t set;

	run = run_here;
	run_userdata = userdata;
	prctl(PR_SET_NAME, "sloth-spawner");
	/* Once for all children: whatever the daemon was started with; and the files that say where users are
	 * looked for. */
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	getpwuid(getuid());
	getgrouplist("root", 0, groups,
		&(int){ 1 }); /* asks all that nsswitch.conf(5) names: they are libraries */
	fcntl(SERVED_FD, F_SETFD, FD_CLOEXEC);
	/* Whoever started the daemon may wait for the end of a pipe. */
	close_range(SERVED_FD + 1, ~0U, 0);
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
			serve_deaths(SERVED_FD);
		}
		if (polled[0].revents)
			serve_request(SERVED_FD);
	}
}
