/* SPDX-License-Identifier: MIT */
/* What of a folder is looked after. */
#include "lua/coverage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/anchor.h"
#include "lua/value.h"

struct look {
	const json_t *ignore, *managed;
	dev_t device; /* of the root: what is mounted below it is another's */
	json_int_t names, files, managed_files, ignored, more;
	bool truncated;
	struct timespec end;
	json_t *unmanaged;
};

/* There is no more room or time. */
static bool is_over(struct look *look)
{
	struct timespec now;

	if (look->names++ >= COVERAGE_NAMES_MAX)
		look->truncated = true;
	if (look->names % 64 == 0 && clock_gettime(CLOCK_MONOTONIC, &now) == 0 &&
		now.tv_sec >= look->end.tv_sec)
		look->truncated = true;
	return look->truncated;
}

static bool is_ignored(const struct look *look, const char *path, const char *name)
{
	const json_t *pattern;
	size_t i;

	json_array_foreach (look->ignore, i, pattern) {
		const char *text = json_string_value(pattern);

		if (text && fnmatch(text, strchr(text, '/') ? path : name, 0) == 0)
			return true;
	}
	return false;
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	default:
		return "special";
	}
}

static void tell(struct look *look, const char *path, mode_t mode)
{
	if (json_array_size(look->unmanaged) >= COVERAGE_TOLD_MAX) {
		look->more++;
		return;
	}
	json_array_append_new(look->unmanaged,
		json_pack("{so ss}", "path", value_text(path, strlen(path)), "type", type_name(mode)));
}

static void walk(struct look *look, int folder, const char *path, bool covered, int depth);

/* What cannot be entered is a thing that nobody can look after. */
static void enter(struct look *look, int folder, const char *name, const char *path, bool covered, int depth)
{
	CLEANUP(cleanup_fd) int fd = -1;
	struct stat st;

	if (depth >= COVERAGE_DEPTH_MAX) {
		look->truncated = true;
		return;
	}
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno != EACCES)
		return; /* it is gone */
	if (fd < 0) {
		look->files++;
		tell(look, path, S_IFDIR);
		return;
	}
	if (fstat(fd, &st) == 0 && st.st_dev == look->device)
		walk(look, fd, path, covered, depth + 1);
}

static void look_at(
	struct look *look, int folder, const char *name, const char *path, bool covered, int depth)
{
	const json_t *managed = json_object_get(look->managed, path);
	struct stat st;

	if (is_ignored(look, path, name)) {
		look->ignored++;
		return;
	}
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return; /* it is gone */
	covered = covered || json_is_true(managed);
	if (S_ISDIR(st.st_mode)) {
		enter(look, folder, name, path, covered, depth);
		return;
	}
	look->files++;
	if (covered || managed)
		look->managed_files++;
	else
		tell(look, path, st.st_mode);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of a folder, until there is no more room or time: it may have millions. Owned by the caller, like the
 * list. */
static int read_names(struct look *look, int folder, char ***ret_names)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0, room = 0;
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char **names = NULL;

	if (fd >= 0 && !directory)
		close(fd);
	while (directory && (entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (is_over(look))
			break;
		if (count == room) {
			char **more = realloc(names, (size_t)(room = 2 * room + 64) * sizeof(*names));

			if (!more)
				break;
			names = more;
		}
		names[count] = strdup(entry->d_name);
		count += names[count] != NULL;
	}
	if (directory)
		closedir(directory);
	*ret_names = names;
	return count;
}

/* In the order of names, so that the same is told each time. */
static void walk(struct look *look, int folder, const char *path, bool covered, int depth)
{
	char **names = NULL;
	int count = read_names(look, folder, &names);

	if (count)
		qsort(names, (size_t)count, sizeof(*names), by_name);
	for (int i = 0; i < count; i++) {
		CLEANUP(cleanup_free) char *below = NULL;

		if (asprintf(&below, "%s/%s", strcmp(path, "/") ? path : "", names[i]) >= 0)
			look_at(look, folder, names[i], below, covered, depth);
		free(names[i]);
	}
	free(names);
}

/* The root itself is held as a provider holds a folder; a link that stands in its place is not followed. */
static int root_open(const char *root, struct fault *fault)
{
	CLEANUP(cleanup_fd) int folder = -1;
	char name[NAME_MAX + 1];
	int fd;

	if (!strcmp(root, "/"))
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = anchor_open(root, false, name, fault);
	if (folder < 0)
		return folder;
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR)
		return fault_set(
			fault, ENOTDIR, "%s: no folder, or a link in its place, which is not followed", root);
	return fd < 0 ? fault_set(fault, errno, "%s: %s", root, strerror(errno)) : fd;
}

static bool is_covered(const struct look *look, const char *root)
{
	CLEANUP(cleanup_free) char *path = strdup(root);

	for (char *end = path; path && end;) {
		if (json_is_true(json_object_get(look->managed, *path ? path : "/")))
			return true;
		end = strrchr(path, '/');
		if (end)
			*end = '\0';
	}
	return false;
}

static json_t *look_root(struct look *look, const char *root)
{
	struct fault fault = { 0 };
	CLEANUP(cleanup_fd) int fd = root_open(root, &fault);
	struct stat st;

	if (fd < 0)
		return json_pack("{so so}", "root", value_text(root, strlen(root)), "error",
			value_text(fault.text, strlen(fault.text)));
	if (fstat(fd, &st) == 0) {
		look->device = st.st_dev;
		walk(look, fd, root, is_covered(look, root), 0);
	}
	return json_pack("{so sn}", "root", value_text(root, strlen(root)), "error");
}

static json_t *look_roots(struct look *look, const json_t *list)
{
	json_t *roots = json_array(), *root;
	size_t i;

	json_array_foreach (list, i, root)
		if (json_is_string(root))
			json_array_append_new(roots, look_root(look, json_string_value(root)));
	return json_pack("{so sI sI sI so sI sb}", "roots", roots, "files", look->files, "managed",
		look->managed_files, "ignored", look->ignored, "unmanaged", look->unmanaged, "more",
		look->more, "truncated", look->truncated);
}

json_t *coverage_look(const json_t *order)
{
	struct look look = { .ignore = json_object_get(order, "ignore"),
		.managed = json_object_get(order, "managed"),
		.unmanaged = json_array() };

	clock_gettime(CLOCK_MONOTONIC, &look.end);
	look.end.tv_sec += COVERAGE_SECONDS;
	return look_roots(&look, json_object_get(order, "roots"));
}
