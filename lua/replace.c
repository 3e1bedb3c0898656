/* SPDX-License-Identifier: MIT */
/* Files that get another content at once. */
#include "lua/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "lua/files.h"

enum { NAME_KEPT = 200, XATTRS_MAX = 64 << 10 };

static int path_fault(struct fault *fault, const char *path, int error)
{
	return fault_set(fault, error, "%s: %s", path, strerror(error));
}

/* "/etc/hosts" → "/etc/.hosts.XXXXXX", opened. */
static int open_spare(const char *path, char **ret_spare, struct fault *fault)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *spare;
	int fd;

	if (asprintf(&spare, "%.*s.%.*s.XXXXXX", (int)(name - path), path, NAME_KEPT, name) < 0)
		return fault_set(fault, ENOMEM, "not enough memory");
	fd = mkostemp(spare, O_CLOEXEC);
	if (fd < 0) {
		fd = path_fault(fault, path, errno);
		free(spare);
		return fd;
	}
	*ret_spare = spare;
	return fd;
}

/* What says who may do what, and what users noted; not what vouches for the old content (capabilities,
 * signatures). */
static bool is_kept(const char *name)
{
	return !strncmp(name, "user.", 5) || !strcmp(name, "system.posix_acl_access") ||
	       !strcmp(name, "security.selinux");
}

static int copy_attribute(const char *path, int fd, const char *name)
{
	CLEANUP(cleanup_free) char *value = malloc(XATTRS_MAX);
	ssize_t size;

	if (!value)
		return -ENOMEM;
	size = lgetxattr(path, name, value, XATTRS_MAX);
	if (size < 0)
		return -errno;
	return fsetxattr(fd, name, value, (size_t)size, 0) < 0 ? -errno : 0;
}

/* 0 or -errno, when something of it can't be kept. */
static int copy_attributes(const char *path, int fd)
{
	CLEANUP(cleanup_free) char *names = malloc(XATTRS_MAX);
	ssize_t size = names ? llistxattr(path, names, XATTRS_MAX) : -1;

	for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1) {
		int r = is_kept(names + i) ? copy_attribute(path, fd, names + i) : 0;

		if (r < 0 && strncmp(names + i, "security.", 9) != 0)
			return r;
	}
	return 0;
}

static mode_t default_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

static int write_content(const struct replacement *replacement, int fd, struct fault *fault)
{
	CLEANUP(cleanup_fd) int in = -1;
	int r;

	if (replacement->content) {
		r = files_write_all(fd, replacement->content, replacement->size);
		return r < 0 ? path_fault(fault, replacement->path, -r) : 0;
	}
	in = open(replacement->source, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return path_fault(fault, replacement->source, errno);
	r = files_pump(in, fd);
	return r < 0 ? path_fault(fault, replacement->path, -r) : 0;
}

/* Owner and mode: as wanted, else as they were. */
static int set_owner(const struct replacement *replacement, const struct stat *old, int fd,
	bool *ret_in_place, struct fault *fault)
{
	uid_t uid = replacement->uid != (uid_t)-1 ? replacement->uid : old ? old->st_uid : (uid_t)-1;
	gid_t gid = replacement->gid != (gid_t)-1 ? replacement->gid : old ? old->st_gid : (gid_t)-1;
	bool wanted = replacement->uid != (uid_t)-1 || replacement->gid != (gid_t)-1;

	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0) {
		if (wanted || errno != EPERM)
			return fault_set(fault, errno, "%s: its owner can't be set: %s", replacement->path,
				strerror(errno));
		*ret_in_place = true;
	}
	if (old && copy_attributes(replacement->path, fd) < 0)
		*ret_in_place = true;
	if (fchmod(fd, replacement->has_mode ? replacement->mode
		       : old		     ? old->st_mode & 07777
					     : default_mode()) < 0)
		return path_fault(fault, replacement->path, errno);
	return 0;
}

int replace_stage(
	const struct replacement *replacement, char **ret_spare, bool *ret_in_place, struct fault *fault)
{
	CLEANUP(cleanup_free) char *spare = NULL;
	CLEANUP(cleanup_fd) int fd = -1;
	bool in_place = false;
	struct stat st;
	bool there = lstat(replacement->path, &st) == 0;
	int r;

	if (there && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return fault_set(
			fault, EINVAL, "%s is no file, but a %s", replacement->path, files_type(st.st_mode));
	there = there && S_ISREG(st.st_mode);
	fd = open_spare(replacement->path, &spare, fault);
	if (fd < 0)
		return fd;
	r = write_content(replacement, fd, fault);
	if (r == 0)
		r = set_owner(replacement, there ? &st : NULL, fd, &in_place, fault);
	if (r == 0 && fsync(fd) < 0)
		r = path_fault(fault, replacement->path, errno);
	if (r < 0) {
		unlink(spare);
		return r;
	}
	FAILPOINT("put.staged");
	*ret_spare = TAKE(spare);
	*ret_in_place = in_place;
	return 0;
}

/* For files that can't be replaced: somebody else's in a shared directory, or one that is mounted. */
static int overwrite(const char *spare, const char *path, struct fault *fault)
{
	CLEANUP(cleanup_fd) int in = open(spare, O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_fd) int out = open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (in < 0 || out < 0)
		return path_fault(fault, path, errno);
	r = files_pump(in, out);
	if (r == 0 && fsync(out) < 0)
		r = -errno;
	if (r < 0)
		return path_fault(fault, path, -r);
	unlink(spare);
	return 0;
}

/* The new name is on the disk, too. A file system that can't say so is no failure. */
static void sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(cleanup_free) char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	CLEANUP(cleanup_fd) int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0)
		fsync(fd);
}

int replace_commit(const char *spare, const char *path, bool in_place, struct fault *fault)
{
	if (in_place)
		return overwrite(spare, path, fault);
	if (rename(spare, path) < 0) {
		if (errno == EBUSY)
			return overwrite(spare, path, fault);
		return path_fault(fault, path, errno);
	}
	FAILPOINT("put.renamed");
	sync_directory(path);
	return 0;
}
