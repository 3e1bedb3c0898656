/* SPDX-License-Identifier: MIT */
/* Whole directories. */
#include "lua/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
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

/* Deeper folders are moved up to the top first: each level holds a descriptor, and there are only so many. */
enum { DEPTH_MAX = 100 };

struct removal {
	int top; /* descriptor of the folder that is removed */
	int moved;
	int budget; /* entries that may still go in this turn */
	char failed[NAME_MAX + 1];
};

static int remove_at(struct removal *removal, int at, const char *name, int depth);

static int failed_at(struct removal *removal, const char *name, int error)
{
	if (!*removal->failed)
		snprintf(removal->failed, sizeof(removal->failed), "%s", name);
	return -error;
}

static int move_up(struct removal *removal, int at, const char *name)
{
	char to[40];

	snprintf(to, sizeof(to), ".removed-%d-%d", (int)getpid(), removal->moved++);
	if (renameat2(at, name, removal->top, to, RENAME_NOREPLACE) == 0)
		return 0;
	return failed_at(removal, name, errno);
}

/* One pass over the entries. What another process removes meanwhile is no failure. The number that is gone,
 * or -errno. */
static int remove_entries(struct removal *removal, DIR *dir, int depth)
{
	struct dirent *entry;
	int count = 0;

	rewinddir(dir);
	while ((entry = readdir(dir))) {
		int r;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		r = remove_at(removal, dirfd(dir), entry->d_name, depth + 1);
		if (r < 0 && r != -ENOENT)
			return r;
		count++;
	}
	return count;
}

/* Never through a symbolic link, also one that takes the folder's place just now. */
static int open_folder(int at, const char *name, DIR **ret_dir)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_dir = fdopendir(fd);
	if (!*ret_dir) {
		int r = -errno;

		close(fd);
		return r;
	}
	return 0;
}

static int remove_folder(struct removal *removal, int at, const char *name, int depth)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	int r = open_folder(at, name, &dir);

	if (r < 0)
		return failed_at(removal, name, r == -ENOTDIR ? EPERM : -r);
	if (depth == 0)
		removal->top = dirfd(dir);
	for (;;) {
		r = remove_entries(removal, dir, depth);
		if (r < 0)
			return r;
		if (unlinkat(at, name, AT_REMOVEDIR) == 0)
			return 0;
		if (errno != ENOTEMPTY || r == 0)
			return failed_at(removal, name, errno);
	}
}

static int remove_at(struct removal *removal, int at, const char *name, int depth)
{
	if (removal->budget-- <= 0)
		return -EAGAIN;
	if (unlinkat(at, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return errno == ENOENT ? -ENOENT : failed_at(removal, name, errno);
	return depth > DEPTH_MAX ? move_up(removal, at, name) : remove_folder(removal, at, name, depth);
}

/* "/a/b//" → "/a/b": with a slash at its end the name of a link would mean what it points to. */
static char *without_slashes(const char *path)
{
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/')
		size--;
	return strndup(path, size);
}

int tree_remove_some(const char *path, int budget, struct fault *fault)
{
	CLEANUP(cleanup_free) char *clean = without_slashes(path);
	struct removal removal = { .top = -1, .budget = budget };
	const char *last;
	struct stat st;
	int r;

	if (!clean)
		return fault_set(fault, ENOMEM, "not enough memory");
	last = strrchr(clean, '/') ? strrchr(clean, '/') + 1 : clean;
	if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
		return fault_set(fault, EINVAL, "%s is not removed: name a folder by its own name", path);
	if (lstat(clean, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : fault_set(fault, errno, "can't remove %s: %s", path, strerror(errno));
	r = remove_at(&removal, AT_FDCWD, clean, 0);
	if (r == 0 || r == -ENOENT)
		return 1;
	if (r == -EAGAIN)
		return r;
	return fault_set(fault, -r, "can't remove %s: %s%s%s", path,
		strcmp(removal.failed, clean) ? removal.failed : "",
		strcmp(removal.failed, clean) ? ": " : "", strerror(-r));
}

int tree_remove(const char *path, struct fault *fault)
{
	int r;

	do
		r = tree_remove_some(path, INT_MAX, fault);
	while (r == -EAGAIN);
	return r;
}
