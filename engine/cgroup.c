/* SPDX-License-Identifier: MIT */
/* The cgroups of runs. Small files of a virtual file system: nothing here waits for a disk. */
#include "engine/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"

enum { NESTED_MAX = 16, DEPTH_MAX = 8, GROUPS_MAX = 1024 };

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Where version 2 is mounted: mountinfo, proc(5). `root`: which of its groups is seen there. */
static bool find_mount(char ret_dir[256], char ret_root[256])
{
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, " - cgroup2 ") &&
			sscanf(line, "%*s %*s %*s %255s %255s", ret_root, ret_dir) == 2)
			return true;
	return false;
}

static bool find_own(char ret_path[256])
{
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "0::%255[^\n]", ret_path) == 1)
			return true;
	return false;
}

static bool may(const char *folder, const char *name)
{
	char path[CGROUP_PATH_SIZE + 32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, W_OK) == 0;
}

void cgroup_base(char ret_path[CGROUP_PATH_SIZE])
{
	char dir[256], root[256], own[256], parent[CGROUP_PATH_SIZE];
	size_t length;

	*ret_path = '\0';
	if (!find_mount(dir, root) || !find_own(own))
		return;
	/* In a container without a name space of its own the mount shows only a part. */
	length = strcmp(root, "/") ? strlen(root) : 0;
	if (strncmp(own, root, length) != 0 || (length && own[length] && own[length] != '/'))
		return;
	snprintf(parent, sizeof(parent), "%s%s", dir, strcmp(own + length, "/") ? own + length : "");
	/* A process is moved from here to there by who may write both ends' common group. */
	if (!may(parent, "cgroup.procs") || strlen(parent) + 64 > CGROUP_PATH_SIZE)
		return;
	snprintf(ret_path, CGROUP_PATH_SIZE, "%.400s/sloth", parent);
	if ((mkdir(ret_path, 0755) < 0 && errno != EEXIST) || !may(ret_path, "cgroup.kill"))
		*ret_path = '\0';
}

/* Groups cost the kernel's memory, and us the time to remove them. */
static void set_limit(const char *path, const char *name, int limit)
{
	char file[CGROUP_PATH_SIZE + 32];
	CLEANUP(cleanup_fd) int fd = -1;

	snprintf(file, sizeof(file), "%s/%s", path, name);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		dprintf(fd, "%d", limit);
}

int cgroup_make(const char *path, uid_t uid, gid_t gid)
{
	char file[CGROUP_PATH_SIZE + 32];

	if (mkdir(path, 0755) < 0)
		return -errno;
	if (geteuid() != 0 || uid == 0)
		return 0;
	set_limit(path, "cgroup.max.depth", DEPTH_MAX);
	set_limit(path, "cgroup.max.descendants", GROUPS_MAX);
	/* What a group's new owner needs to make others in it, and to put his processes there. */
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	return chown(path, uid, gid) < 0 || chown(file, uid, gid) < 0 ? -errno : 0;
}

/* The next group in `dir`. */
static struct dirent *next_group(DIR *dir)
{
	struct dirent *entry;

	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && *entry->d_name != '.')
			return entry;
	return NULL;
}

static DIR *open_group(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

static bool was_left(int folder)
{
	return fgetxattr(folder, "user.sloth.left", NULL, 0) >= 0;
}

int cgroup_kill_tasks(const char *path)
{
	CLEANUP(cleanup_dir) DIR *dir = *path ? open_group(AT_FDCWD, path) : NULL;
	struct dirent *entry;

	if (!dir)
		return *path ? -errno : -ENOENT;
	while ((entry = next_group(dir))) {
		CLEANUP(cleanup_dir) DIR *task = open_group(dirfd(dir), entry->d_name);
		CLEANUP(cleanup_fd) int fd = -1;

		if (!task || was_left(dirfd(task)))
			continue;
		fd = openat(dirfd(task), "cgroup.kill", O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, "1", 1) < 0)
			return -errno;
	}
	return 0;
}

bool cgroup_is_deserted(const char *path)
{
	char file[CGROUP_PATH_SIZE + 300], text[256];
	struct stat st;

	snprintf(file, sizeof(file), "%s/cgroup.events", path);
	return stat(path, &st) == 0 && st.st_mtime + 60 < time(NULL) &&
	       process_read_file(file, text, sizeof(text)) > 0 && strstr(text, "populated 0");
}

static void remove_below(int at, const char *name, int depth)
{
	CLEANUP(cleanup_dir) DIR *dir = open_group(at, name);
	struct dirent *entry;

	while (dir && depth < NESTED_MAX && (entry = next_group(dir))) {
		remove_below(dirfd(dir), entry->d_name, depth + 1);
		unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
}

int cgroup_remove(const char *path)
{
	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	remove_below(AT_FDCWD, path, 0);
	return rmdir(path) == 0 || errno == ENOENT ? 0 : -EBUSY;
}

void cgroup_each(
	const char *base, void (*each)(void *userdata, const char *path, int64_t run_id), void *userdata)
{
	CLEANUP(cleanup_dir) DIR *dir = *base ? open_group(AT_FDCWD, base) : NULL;
	struct dirent *entry;
	char path[CGROUP_PATH_SIZE + 256];
	int64_t run_id;

	while (dir && (entry = next_group(dir))) {
		if (sscanf(entry->d_name, "run-%" SCNd64 "-", &run_id) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s", base, entry->d_name);
		each(userdata, path, run_id);
	}
}
