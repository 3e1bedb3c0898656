/* SPDX-License-Identifier: MIT */
/* Whose the things below a directory are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/tree.h"

enum { DEPTH_MAX = 200, ENTRIES_MAX = 200000 };

struct ownership {
	const struct tree_owner *owner;
	struct tree_owned *owned;
	char path[PATH_MAX]; /* below the top, of what is looked at */
	int entries;
};

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int own_folder(struct ownership *ownership, int fd, int depth);

static bool differs(const struct tree_owner *owner, const struct stat *st)
{
	return (owner->uid != (uid_t)-1 && owner->uid != st->st_uid) ||
	       (owner->gid != (gid_t)-1 && owner->gid != st->st_gid);
}

/* chown(2) takes away set-user-id: as it was is also that. */
static int own_entry(struct ownership *ownership, int at, const char *name, const struct stat *st)
{
	const struct tree_owner *owner = ownership->owner;

	if (!ownership->owned->count++)
		snprintf(ownership->owned->first, sizeof(ownership->owned->first), "%s", ownership->path);
	if (!owner->change)
		return 0;
	return fchownat(at, name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* What goes meanwhile is no failure. */
static int own_at(struct ownership *ownership, int at, const char *name, int depth)
{
	struct stat st;
	int fd, r = 0;

	if (ownership->entries++ >= ENTRIES_MAX)
		return -E2BIG;
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (differs(ownership->owner, &st))
		r = own_entry(ownership, at, name, &st);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return own_folder(ownership, fd, depth + 1);
}

/* Takes the descriptor. */
static int own_folder(struct ownership *ownership, int fd, int depth)
{
	CLEANUP(cleanup_dir) DIR *dir = depth < DEPTH_MAX ? fdopendir(fd) : NULL;
	size_t length = strlen(ownership->path);
	struct dirent *entry;

	if (!dir) {
		int r = depth < DEPTH_MAX ? -errno : -ELOOP;

		close(fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		int r;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(ownership->path + length, sizeof(ownership->path) - length, "%s%s",
			length ? "/" : "", entry->d_name);
		r = own_at(ownership, dirfd(dir), entry->d_name, depth);
		if (r < 0)
			return r;
		ownership->path[length] = '\0';
	}
	return 0;
}

int tree_own(
	const char *path, const struct tree_owner *owner, struct tree_owned *ret_owned, struct fault *fault)
{
	struct tree_owned owned = { 0 };
	struct ownership ownership = { .owner = owner, .owned = &owned };
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : own_folder(&ownership, fd, 0);

	if (r == -E2BIG)
		return fault_set(fault, E2BIG, "there are more than %d things in it", ENTRIES_MAX);
	if (r < 0)
		return fault_set(
			fault, -r, "%s%s%s", ownership.path, *ownership.path ? ": " : "", strerror(-r));
	*ret_owned = owned;
	return 0;
}
