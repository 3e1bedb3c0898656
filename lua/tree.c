/* SPDX-License-Identifier: MIT */
/* Whole directories. */
#include "lua/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int tree_make(const char *path, mode_t mode, struct fault *fault)
{
	CLEANUP(cleanup_free) char *copy = strdup(path);
	struct stat st;
	int made = 0;

	if (!copy)
		return fault_set(fault, ENOMEM, "not enough memory");
	for (char *p = copy;; p++) {
		char end = *p;

		if ((end && end != '/') || p == copy)
			continue;
		*p = '\0';
		if (mkdir(copy, mode) == 0)
			made = 1;
		else if (errno != EEXIST || stat(copy, &st) < 0 || !S_ISDIR(st.st_mode))
			return fault_set(
				fault, errno, "can't make the directory %s: %s", copy, strerror(errno));
		*p = end;
		if (!end)
			return made;
	}
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int remove_at(int at, const char *name)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;
	int fd, r;

	if (unlinkat(at, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		r = remove_at(fd, entry->d_name);
		if (r < 0)
			return r;
	}
	return unlinkat(at, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int tree_remove(const char *path, struct fault *fault)
{
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : fault_set(fault, errno, "can't remove %s: %s", path, strerror(errno));
	r = remove_at(AT_FDCWD, path);
	return r < 0 ? fault_set(fault, -r, "can't remove %s: %s", path, strerror(-r)) : 1;
}
