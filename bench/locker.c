/* SPDX-License-Identifier: MIT */
/* Locks by both of their interfaces. */
#include "bench/locker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void locker_init(struct locker *locker, const char *mount, const char *stack)
{
	char *folder = text_of("%s/stacks/%s", mount, stack);

	if (mkdir(folder, 0755) < 0)
		die("%s: %s", folder, strerror(errno));
	locker->path = text_of("%s/lock", folder);
	free(folder);
	locker->fd = open(locker->path, O_RDONLY | O_CLOEXEC);
	if (locker->fd < 0)
		die("%s: %s", locker->path, strerror(errno));
}

void locker_done(struct locker *locker)
{
	close(locker->fd);
	free(locker->path);
}

static void write_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, line, strlen(line)) < 0 || close(fd) < 0)
		die("%s: %s", path, strerror(errno));
}

void locker_write(void *data)
{
	struct locker *locker = data;

	write_line(locker->path, "a benchmark\n");
	write_line(locker->path, "unlock\n");
}

void locker_flock(void *data)
{
	struct locker *locker = data;

	if (flock(locker->fd, LOCK_EX) < 0 || flock(locker->fd, LOCK_UN) < 0)
		die("flock: %s", strerror(errno));
}
