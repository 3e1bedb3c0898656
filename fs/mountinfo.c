/* SPDX-License-Identifier: MIT */
/* What is mounted where. */
#include "fs/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

extern char **environ;

/* mountinfo writes blanks and such as \ooo. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		unsigned int code;

		if (text[0] == '\\' && sscanf(text + 1, "%3o", &code) == 1) {
			*out++ = (char)code;
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

int mountinfo_is_sloth(const char *directory)
{
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/self/mountinfo", "re");
	CLEANUP(cleanup_free) char *line = NULL;
	size_t capacity = 0;
	int found = 0;

	if (!file)
		return -errno;
	while (getline(&line, &capacity, file) > 0) {
		char *type = strstr(line, " - ");
		char *save = NULL, *field = strtok_r(line, " ", &save);

		for (int i = 0; field && i < 4; i++)
			field = strtok_r(NULL, " ", &save);
		if (!field || !type)
			continue;
		unescape(field);
		/* A later line hides an earlier one at the same place. */
		if (!strcmp(field, directory))
			found = !strncmp(type + 3, "fuse.sloth ", strlen("fuse.sloth "));
	}
	return found;
}

static pid_t spawn(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	/* What it has to say is in its exit status. */
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* The exit status, or -ETIMEDOUT after a second. A child that is stuck in the kernel is left to init. */
static int wait_a_second(pid_t pid)
{
	CLEANUP(cleanup_fd) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	int status;

	if (fd < 0)
		return -errno;
	if (poll(&poller, 1, 1000) == 0) {
		kill(pid, SIGKILL);
		return -ETIMEDOUT;
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

bool mountinfo_alive(const char *directory)
{
	char *const argv[] = { (char *)"stat", (char *)"-f", (char *)"-c", (char *)"", (char *)directory,
		NULL };
	pid_t pid = spawn(argv);

	return pid > 0 && wait_a_second(pid) == 0;
}

void mountinfo_break_off(const char *directory)
{
	umount2(directory,
		MNT_FORCE | UMOUNT_NOFOLLOW); /* fails, as somebody is in it, but does that before */
}

int mountinfo_detach(const char *directory)
{
	char *const argv[] = { (char *)"fusermount3", (char *)"-u", (char *)"-q", (char *)"-z", (char *)"--",
		(char *)directory, NULL };
	pid_t pid;

	if (umount2(directory, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOENT)
		return 0; /* it is gone already */
	pid = spawn(argv);
	if (pid < 0)
		return -errno;
	return wait_a_second(pid) == 0 ? 0 : -EIO;
}

bool mountinfo_may_allow_other(void)
{
	CLEANUP(cleanup_file) FILE *file = NULL;
	CLEANUP(cleanup_free) char *line = NULL;
	size_t capacity = 0;

	if (geteuid() == 0)
		return true;
	file = fopen("/etc/fuse.conf", "re");
	while (file && getline(&line, &capacity, file) > 0)
		if (!strncmp(line, "user_allow_other", strlen("user_allow_other")))
			return true;
	return false;
}
