/* SPDX-License-Identifier: MIT */
/* To be loaded before the C library (LD_PRELOAD): files beside the database are not synced. What a power cut
 * leaves of them then shows whether the method of power cuts looks at them. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd);
int fdatasync(int fd);

static bool of_the_database(int fd)
{
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return strstr(path, "/sloth.db") != NULL;
}

int fsync(int fd)
{
	return of_the_database(fd) ? (int)syscall(SYS_fsync, fd) : 0;
}

int fdatasync(int fd)
{
	return of_the_database(fd) ? (int)syscall(SYS_fdatasync, fd) : 0;
}
