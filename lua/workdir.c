/* SPDX-License-Identifier: MIT */
/* The directories that tasks start in. */
#include "lua/workdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

void workdirs_init(struct workdirs *workdirs)
{
	*workdirs = (struct workdirs){ 0 };
}

void workdirs_done(struct workdirs *workdirs)
{
	for (size_t i = 0; i < workdirs->count; i++) {
		rmdir(workdirs->spares[i]);
		free(workdirs->spares[i]);
	}
	free(workdirs->spares);
	workdirs_init(workdirs);
}

/* Whether a directory is as new: nothing in it, and nobody has changed its mode or owner. */
static bool is_as_new(const char *path)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char entries[512];
	struct stat st;
	ssize_t n;
	int count = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_mode & 0700) != 0700 || (st.st_mode & 07000) ||
		st.st_uid != geteuid())
		return false;
	n = getdents64(fd, entries, sizeof(entries));
	for (ssize_t i = 0; i < n; i += ((struct dirent64 *)(entries + i))->d_reclen)
		count++;
	return n > 0 && count == 2; /* "." and ".." */
}

static bool take_spare(struct workdirs *workdirs, const char *path)
{
	while (workdirs->count) {
		CLEANUP(cleanup_free) char *spare = workdirs->spares[--workdirs->count];

		if (is_as_new(spare) && renameat2(AT_FDCWD, spare, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
			return true;
	}
	return false;
}

char *workdir_open(struct workdirs *workdirs, const char *base, const char *task, struct fault *fault)
{
	char *path;

	if (asprintf(&path, "%s/%s", base, task) < 0) {
		fault_set(fault, ENOMEM, "not enough memory");
		return NULL;
	}
	if (take_spare(workdirs, path) || mkdir(path, 0777) == 0 || errno == EEXIST)
		return path;
	fault_set(fault, errno, "can't make the directory %s: %s", path, strerror(errno));
	free(path);
	return NULL;
}

void workdir_close(struct workdirs *workdirs, char *path)
{
	char **spares = reallocarray(workdirs->spares, workdirs->count + 1, sizeof(*spares));

	if (!spares) {
		rmdir(path);
		free(path);
		return;
	}
	workdirs->spares = spares;
	spares[workdirs->count++] = path;
}
