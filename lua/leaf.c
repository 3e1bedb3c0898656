/* SPDX-License-Identifier: MIT */
/* The pool of cgroups of a run. */
#include "lua/leaf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

enum { NESTED_MAX = 8 }; /* groups that a task made in its own */

void leaves_init(struct leaves *leaves)
{
	*leaves = (struct leaves){ .folder = -1 };
	STAILQ_INIT(&leaves->spare);
}

void leaves_set(struct leaves *leaves, char *path)
{
	free(leaves->path);
	leaves->path = path;
}

static void leaf_name(unsigned number, char ret_name[32])
{
	snprintf(ret_name, 32, "task-%u", number);
}

static void leaf_free(struct leaf *leaf)
{
	if (leaf->folder >= 0)
		close(leaf->folder);
	if (leaf->events >= 0)
		close(leaf->events);
	free(leaf);
}

void leaves_done(struct leaves *leaves)
{
	struct leaf *leaf;
	char name[32];

	while ((leaf = STAILQ_FIRST(&leaves->spare))) {
		STAILQ_REMOVE_HEAD(&leaves->spare, link);
		leaf_name(leaf->number, name);
		unlinkat(leaves->folder, name, AT_REMOVEDIR);
		leaf_free(leaf);
	}
	if (leaves->folder >= 0)
		close(leaves->folder);
	leaves->folder = -1;
	leaves_set(leaves, NULL);
}

static bool leaves_open(struct leaves *leaves)
{
	struct statfs fs;

	if (leaves->folder >= 0)
		return true;
	if (!leaves->path)
		return false;
	leaves->folder = open(leaves->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (leaves->folder >= 0 && fstatfs(leaves->folder, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
		return true;
	if (leaves->folder >= 0)
		close(leaves->folder);
	leaves->folder = -1;
	leaves_set(leaves, NULL);
	return false;
}

static int leaf_make(struct leaves *leaves, struct leaf *leaf)
{
	char name[32];

	leaf->folder = leaf->events = -1;
	leaf->number = leaves->count++;
	leaf_name(leaf->number, name);
	if (mkdirat(leaves->folder, name, 0755) < 0)
		return -errno;
	leaf->folder = openat(leaves->folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (leaf->folder >= 0)
		leaf->events = openat(leaf->folder, "cgroup.events", O_RDONLY | O_CLOEXEC);
	return leaf->events < 0 ? -errno : 0;
}

struct leaf *leaf_take(struct leaves *leaves)
{
	struct leaf *leaf = STAILQ_FIRST(&leaves->spare);
	int r;

	if (leaf) {
		STAILQ_REMOVE_HEAD(&leaves->spare, link);
		return leaf;
	}
	if (!leaves_open(leaves))
		return NULL;
	leaf = calloc(1, sizeof(*leaf));
	r = leaf ? leaf_make(leaves, leaf) : -ENOMEM;
	if (r == 0)
		return leaf;
	if (leaf)
		leaf_free(leaf);
	log_warning("no cgroup for a task in %s: %s; processes are found by their environment instead",
		leaves->path, strerror(-r));
	close(leaves->folder);
	leaves->folder = -1;
	leaves_set(leaves, NULL);
	return NULL;
}

void leaf_give(struct leaves *leaves, struct leaf *leaf)
{
	if (leaf_busy(leaf) || leaves->folder < 0)
		leaf_free(leaf);
	else
		STAILQ_INSERT_HEAD(&leaves->spare, leaf, link);
}

bool leaf_busy(const struct leaf *leaf)
{
	char text[256];
	ssize_t n = pread(leaf->events, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return strstr(text, "populated 1") != NULL;
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static size_t each_in(int folder, void (*each)(void *userdata, pid_t pid), void *userdata, int depth)
{
	int fd = openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_file) FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	int below = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = below >= 0 ? fdopendir(below) : NULL;
	struct dirent *entry;
	size_t count = 0;
	long pid;

	/* 0: in another name space of processes, and none that we could signal. */
	while (file && fscanf(file, "%ld", &pid) == 1) {
		count++;
		if (each && pid > 0)
			each(userdata, (pid_t)pid);
	}
	while (dir && depth < NESTED_MAX && (entry = readdir(dir))) {
		CLEANUP(cleanup_fd) int nested = -1;

		if (entry->d_type != DT_DIR || *entry->d_name == '.')
			continue;
		nested = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (nested >= 0)
			count += each_in(nested, each, userdata, depth + 1);
	}
	return count;
}

size_t leaf_each(const struct leaf *leaf, void (*each)(void *userdata, pid_t pid), void *userdata)
{
	return each_in(leaf->folder, each, userdata, 0);
}

int leaf_kill(const struct leaf *leaf)
{
	CLEANUP(cleanup_fd) int fd = openat(leaf->folder, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, "1", 1) < 0 ? -errno : 0;
}

void leaf_leave(const struct leaf *leaf)
{
	if (fsetxattr(leaf->folder, "user.sloth.left", "1", 1, 0) < 0)
		log_warning("a cgroup can't be marked: %s; what is in it ends with a crash of the run",
			strerror(errno));
}
