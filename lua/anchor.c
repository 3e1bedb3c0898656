/* SPDX-License-Identifier: MIT */
/* The way to a folder. */
#include "lua/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { LINKS_MAX = 40, FOLDER = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

struct walk {
	const char *path; /* for the sentences */
	int fd;
	char *rest; /* malloc'ed: what is still to go, without slashes before it */
	int links;
	bool make;
	anchor_visit visit; /* NULL: nobody wants to know */
	void *userdata;
	struct fault *fault;
};

static void walk_tell(const struct walk *walk, enum anchor_step step, int fd, const char *name)
{
	if (walk->visit)
		walk->visit(walk->userdata, step, fd, name);
}

static int walk_fault(const struct walk *walk, const char *component, int error)
{
	return fault_set(walk->fault, error, "%s: %s: %s", walk->path, component, strerror(error));
}

static int walk_to(struct walk *walk, int fd)
{
	close(walk->fd);
	walk->fd = fd;
	return 0;
}

static char *without_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return strdup(path);
}

/* What the link says comes before what is still to go. */
static int walk_link(struct walk *walk, const char *component)
{
	CLEANUP(cleanup_free) char *next = NULL;
	char target[PATH_MAX];
	ssize_t size = readlinkat(walk->fd, component, target, sizeof(target) - 1);

	if (size < 0)
		return walk_fault(walk, component, errno);
	target[size] = '\0';
	if (walk->links++ >= LINKS_MAX)
		return walk_fault(walk, component, ELOOP);
	if (asprintf(&next, "%s/%s", target, walk->rest) < 0)
		return walk_fault(walk, component, ENOMEM);
	if (*target == '/') {
		int fd = open("/", FOLDER);

		if (fd < 0)
			return walk_fault(walk, component, errno);
		walk_to(walk, fd);
	}
	free(walk->rest);
	walk->rest = without_slashes(next);
	return walk->rest ? 0 : walk_fault(walk, component, ENOMEM);
}

static int walk_other(struct walk *walk, const char *component)
{
	struct stat st;

	if (fstatat(walk->fd, component, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return walk_fault(walk, component, errno);
	walk_tell(walk, S_ISLNK(st.st_mode) ? ANCHOR_LINK : ANCHOR_MISSING, walk->fd, component);
	if (!S_ISLNK(st.st_mode))
		return walk_fault(walk, component, ENOTDIR);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return fault_set(walk->fault, ELOOP,
			"%s: %s is a symbolic link of another user (uid %u), and is not followed", walk->path,
			component, (unsigned int)st.st_uid);
	return walk_link(walk, component);
}

static int walk_step(struct walk *walk, const char *component)
{
	int fd = openat(walk->fd, component, FOLDER);

	if (fd < 0 && errno == ENOENT && walk->make) {
		if (mkdirat(walk->fd, component, 0777) < 0 && errno != EEXIST)
			return walk_fault(walk, component, errno);
		fd = openat(walk->fd, component, FOLDER);
	}
	if (fd >= 0) {
		walk_tell(walk, ANCHOR_NAME, walk->fd, component);
		walk_tell(walk, ANCHOR_FOLDER, fd, component);
		return walk_to(walk, fd);
	}
	if (errno == ENOTDIR || errno == ELOOP)
		return walk_other(walk, component);
	fd = errno;
	if (fd == ENOENT)
		walk_tell(walk, ANCHOR_MISSING, walk->fd, component);
	return walk_fault(walk, component, fd);
}

/* Takes the first component of what is still to go. */
static int walk_next(struct walk *walk)
{
	CLEANUP(cleanup_free) char *component = NULL;
	char *end = strchrnul(walk->rest, '/');

	component = strndup(walk->rest, (size_t)(end - walk->rest));
	if (!component)
		return walk_fault(walk, walk->rest, ENOMEM);
	while (*end == '/')
		end++;
	memmove(walk->rest, end, strlen(end) + 1);
	return walk_step(walk, component);
}

/* The last component into `ret_name`, what stands before it into `ret_folder`. */
static int split(const char *path, char **ret_folder, char ret_name[NAME_MAX + 1], struct fault *fault)
{
	size_t end = strlen(path), start;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/';)
		start--;
	if (*path != '/')
		return fault_set(fault, EINVAL, "%s: not an absolute path", path);
	if (start == end || !strncmp(path + start, ".", end - start) ||
		!strncmp(path + start, "..", end - start))
		return fault_set(fault, EINVAL, "%s: name it by its own name", path);
	if (end - start > NAME_MAX || start >= PATH_MAX)
		return fault_set(fault, ENAMETOOLONG, "%.200s…: %s", path, strerror(ENAMETOOLONG));
	*ret_folder = strndup(path, start);
	if (!*ret_folder)
		return fault_set(fault, ENOMEM, "not enough memory");
	memcpy(ret_name, path + start, end - start);
	ret_name[end - start] = '\0';
	return 0;
}

/* To the end of what is still to go. The descriptor, or -errno. */
static int walk_all(struct walk *walk, const char *folder)
{
	int r = 0;

	walk->rest = without_slashes(folder);
	walk->fd = open("/", FOLDER);
	if (!walk->rest || walk->fd < 0)
		r = walk_fault(walk, "/", walk->rest ? errno : ENOMEM);
	while (r == 0 && *walk->rest)
		r = walk_next(walk);
	free(walk->rest);
	if (r < 0 && walk->fd >= 0)
		close(walk->fd);
	return r < 0 ? r : walk->fd;
}

int anchor_folder(const char *folder, anchor_visit visit, void *userdata, struct fault *fault)
{
	struct walk walk = { .path = folder, .fd = -1, .visit = visit, .userdata = userdata, .fault = fault };

	return walk_all(&walk, folder);
}

int anchor_open(const char *path, bool make, char ret_name[NAME_MAX + 1], struct fault *fault)
{
	struct walk walk = { .path = path, .fd = -1, .make = make, .fault = fault };
	CLEANUP(cleanup_free) char *folder = NULL;
	char name[NAME_MAX + 1];
	int r = split(path, &folder, name, fault);

	if (r == 0)
		r = walk_all(&walk, folder);
	if (r >= 0)
		memcpy(ret_name, name, sizeof(name));
	return r;
}
