/* SPDX-License-Identifier: MIT */
/* Globs of artifacts. */
#include "lua/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <jansson.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

void globbed_done(struct globbed *globbed)
{
	for (size_t i = 0; i < globbed->count; i++)
		free(globbed->files[i].path);
	free(globbed->files);
	if (globbed->root >= 0)
		close(globbed->root);
	*globbed = (struct globbed){ .root = -1 };
}

int glob_open(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* NULL with errno when it can't be listed. */
static DIR *open_dir(int root, const char *path, int flags)
{
	int fd = glob_open(root, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | flags, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd < 0)
		errno = -fd;
	else if (!dir)
		close(fd);
	return dir;
}

static int join(const char *folder, const char *name, char ret_path[GLOB_PATH_MAX], struct fault *fault)
{
	int n = snprintf(ret_path, GLOB_PATH_MAX, "%s%s%s", folder, *folder ? "/" : "", name);

	return n < GLOB_PATH_MAX
		       ? 0
		       : fault_set(fault, ENAMETOOLONG, "the artifact's path is too long: %.100s…", ret_path);
}

static int refuse(struct fault *fault, const char *path, int error)
{
	if (error == EXDEV)
		return fault_set(fault, EXDEV,
			"the artifact %s is a link that leads out of the task's directory", path);
	return fault_set(fault, error, "the artifact %s can't be kept: %s", path, strerror(error));
}

static int too_many(struct globbed *globbed, struct fault *fault)
{
	if (++globbed->looks <= GLOB_LOOKS_MAX)
		return 0;
	return fault_set(fault, EDQUOT, "there are more than %d files to look at for artifacts: name folders",
		GLOB_LOOKS_MAX);
}

static int file_add(struct globbed *globbed, const char *path, const struct stat *st, struct fault *fault)
{
	json_t *text = json_string(path);
	struct glob_file *files;

	json_decref(text);
	if (!text)
		return fault_set(fault, EILSEQ, "an artifact's name is not UTF-8: %s", path);
	if (globbed->count >= GLOB_FILES_MAX)
		return fault_set(fault, EDQUOT, "more than %d files would be kept: put them into an archive",
			GLOB_FILES_MAX);
	files = realloc(globbed->files, (globbed->count + 1) * sizeof(*files));
	if (!files)
		return fault_set(fault, ENOMEM, "not enough memory");
	globbed->files = files;
	files[globbed->count] = (struct glob_file){ strdup(path), st->st_size, st->st_mode & 0777 };
	return files[globbed->count++].path ? 0 : fault_set(fault, ENOMEM, "not enough memory");
}

static int tree_add(struct globbed *globbed, const char *folder, struct fault *fault);

/* What a glob means: a file, or a folder with all that it has. */
static int path_add(struct globbed *globbed, const char *path, struct fault *fault)
{
	CLEANUP(cleanup_fd) int fd = glob_open(globbed->root, path, O_PATH, 0);
	struct stat st, link;

	if (fd < 0)
		return refuse(fault, path, -fd);
	if (fstat(fd, &st) < 0 || fstatat(globbed->root, path, &link, AT_SYMLINK_NOFOLLOW) < 0)
		return refuse(fault, path, errno);
	if (S_ISREG(st.st_mode))
		return file_add(globbed, path, &st, fault);
	if (S_ISDIR(st.st_mode) && !S_ISLNK(link.st_mode))
		return tree_add(globbed, path, fault);
	return fault_set(fault, EINVAL, "the artifact %s is %s, and only plain files can be kept", path,
		S_ISDIR(st.st_mode) ? "a link to a folder" : "a device, a pipe or a socket");
}

static int tree_add(struct globbed *globbed, const char *folder, struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *dir = open_dir(globbed->root, folder, O_NOFOLLOW);
	char path[GLOB_PATH_MAX];
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return refuse(fault, folder, errno);
	while (r == 0 && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		r = too_many(globbed, fault);
		if (r == 0)
			r = join(folder, entry->d_name, path, fault);
		if (r == 0)
			r = path_add(globbed, path, fault);
	}
	return r;
}

/* The first part of a glob; *ret_rest is what follows, NULL when it was the last. */
static size_t part_of(const char *glob, const char **ret_rest)
{
	size_t n = strcspn(glob, "/");

	*ret_rest = glob[n] ? glob + n + 1 : NULL;
	return n;
}

static int walk(struct globbed *globbed, const char *folder, const char *glob, struct fault *fault);

static bool is_folder(const struct globbed *globbed, const char *path, bool through_links)
{
	CLEANUP(cleanup_fd)
	int fd = glob_open(globbed->root, path, O_PATH | O_DIRECTORY | (through_links ? 0 : O_NOFOLLOW), 0);

	return fd >= 0;
}

/* One name of a folder against the first part of a glob. */
static int walk_name(
	struct globbed *globbed, const char *folder, const char *name, const char *glob, struct fault *fault)
{
	char part[GLOB_PATH_MAX], path[GLOB_PATH_MAX];
	const char *rest;
	size_t n = part_of(glob, &rest);
	bool deep = n == 2 && !strncmp(glob, "**", 2);
	int r = too_many(globbed, fault);

	snprintf(part, sizeof(part), "%.*s", (int)n, glob);
	if (r < 0 || fnmatch(deep ? "*" : part, name, FNM_PERIOD) != 0)
		return r;
	r = join(folder, name, path, fault);
	if (r < 0)
		return r;
	if (deep && is_folder(globbed, path, false))
		return walk(globbed, path, glob, fault);
	if (deep)
		return rest ? 0 : path_add(globbed, path, fault);
	if (!rest)
		return path_add(globbed, path, fault);
	return is_folder(globbed, path, true) ? walk(globbed, path, rest, fault) : 0;
}

static int walk_literal(
	struct globbed *globbed, const char *folder, const char *name, const char *rest, struct fault *fault)
{
	char path[GLOB_PATH_MAX];
	struct stat st;
	int r = join(folder, name, path, fault);

	if (r < 0)
		return r;
	if (rest)
		return is_folder(globbed, path, true) ? walk(globbed, path, rest, fault) : 0;
	if (fstatat(globbed->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return path_add(globbed, path, fault);
}

static int walk(struct globbed *globbed, const char *folder, const char *glob, struct fault *fault)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	char part[GLOB_PATH_MAX];
	struct dirent *entry;
	const char *rest;
	size_t n = part_of(glob, &rest);
	int r = 0;

	snprintf(part, sizeof(part), "%.*s", (int)n, glob);
	if (!strpbrk(part, "*?["))
		return walk_literal(globbed, folder, part, rest, fault);
	if (!strcmp(part, "**") && rest)
		r = walk(globbed, folder, rest, fault);
	dir = open_dir(globbed->root, folder, 0);
	while (r == 0 && dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = walk_name(globbed, folder, entry->d_name, glob, fault);
	return r;
}

int glob_find(struct globbed *globbed, const char *glob, struct fault *fault)
{
	size_t before = globbed->count;
	int r;

	if (strlen(glob) >= GLOB_PATH_MAX)
		return fault_set(fault, ENAMETOOLONG, "the artifact's path is too long: %.100s…", glob);
	r = walk(globbed, "", glob, fault);
	if (r == 0 && globbed->count == before)
		return fault_set(fault, ENOENT, "the artifact %s is not there", glob);
	return r;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct glob_file *)a)->path, ((const struct glob_file *)b)->path);
}

void globbed_sort(struct globbed *globbed)
{
	size_t kept = 0;

	if (globbed->count)
		qsort(globbed->files, globbed->count, sizeof(*globbed->files), by_path);
	for (size_t i = 0; i < globbed->count; i++) {
		if (kept && !strcmp(globbed->files[kept - 1].path, globbed->files[i].path))
			free(globbed->files[i].path);
		else
			globbed->files[kept++] = globbed->files[i];
	}
	globbed->count = kept;
}

bool glob_matches(const char *glob, const char *path)
{
	const char *glob_rest, *path_rest;
	size_t n = part_of(glob, &glob_rest), m = part_of(path, &path_rest);
	char pattern[GLOB_PATH_MAX], name[GLOB_PATH_MAX];
	bool deep = n == 2 && !strncmp(glob, "**", 2);

	snprintf(pattern, sizeof(pattern), "%.*s", (int)n, glob);
	snprintf(name, sizeof(name), "%.*s", (int)m, path);
	if (deep && glob_rest && glob_matches(glob_rest, path))
		return true;
	if (fnmatch(deep ? "*" : pattern, name, FNM_PERIOD) != 0)
		return false;
	if (deep)
		return path_rest ? glob_matches(glob, path_rest) : !glob_rest;
	if (!glob_rest)
		return true; /* the file, or a folder above it */
	return path_rest && glob_matches(glob_rest, path_rest);
}
