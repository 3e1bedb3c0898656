/* SPDX-License-Identifier: MIT */
/* Operations through the mount. */
#include "tests/fs/doors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"

void mount_write(const char *path, const char *content, struct result *result)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	size_t size = strlen(content);

	if (fd < 0 || write(fd, content, size) < 0)
		result->error = errno;
	if (fd >= 0 && close(fd) < 0 && !result->error)
		result->error = errno;
}

void mount_read(const char *path, struct result *result)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, result->text, sizeof(result->text) - 1);

	if (n < 0)
		result->error = errno;
	else
		result->text[n] = '\0';
	if (fd >= 0)
		close(fd);
}

static void mount_list(const char *path, struct result *result)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir) {
		result->error = errno;
		return;
	}
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.') {
			strcat(result->text, entry->d_name);
			strcat(result->text, " ");
		}
	closedir(dir);
}

void mount_stat(const char *path, struct result *result)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		result->error = errno;
	else if (S_ISDIR(st.st_mode))
		sprintf(result->text, "dir %o", (unsigned)st.st_mode & 07777);
	else
		sprintf(result->text, "%s %o %lld", S_ISLNK(st.st_mode) ? "link" : "file",
			(unsigned)st.st_mode & 07777, (long long)st.st_size);
}

/* "user.x=1" sets, "user.x" removes. */
static int set_xattr(const char *path, const char *arg)
{
	const char *value = strchr(arg, '=');
	char name[128];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg, "="), arg);
	return value ? setxattr(path, name, value + 1, strlen(value + 1), 0) : removexattr(path, name);
}

static void mount_xattr(enum verb verb, const char *path, const char *arg, struct result *result)
{
	ssize_t n;

	if (verb == SETXATTR)
		n = set_xattr(path, arg);
	else if (verb == GETXATTR)
		n = getxattr(path, arg, result->text, sizeof(result->text) - 1);
	else
		n = listxattr(path, result->text, sizeof(result->text) - 1);
	if (n < 0) {
		result->error = errno;
		return;
	}
	for (ssize_t i = 0; i < n && verb == LISTXATTR; i++)
		if (!result->text[i])
			result->text[i] = ' ';
}

void through_mount(const struct row *row, const char *path, const char *arg, struct result *result)
{
	char full[512], full_arg[512];
	ssize_t n;
	int r = 0;

	snprintf(full, sizeof(full), "%s%s", doors.mount, path);
	snprintf(full_arg, sizeof(full_arg), "%s%s", doors.mount, arg ? arg : "");
	switch (row->verb) {
	case MKDIR:
		r = mkdir(full, (mode_t)strtol(arg, NULL, 8));
		break;
	case RMDIR:
		r = rmdir(full);
		break;
	case UNLINK:
		r = unlink(full);
		break;
	case RENAME:
		r = rename(full, full_arg);
		break;
	case CHMOD:
		r = chmod(full, (mode_t)strtol(arg, NULL, 8));
		break;
	case LINK:
		r = symlink(arg, full);
		break;
	case SETXATTR:
	case GETXATTR:
	case LISTXATTR:
		mount_xattr(row->verb, full, arg, result);
		return;
	case READLINK:
		n = readlink(full, result->text, sizeof(result->text) - 1);
		r = n < 0 ? -1 : 0;
		break;
	case WRITE:
		mount_write(full, arg, result);
		return;
	case READ:
		mount_read(full, result);
		return;
	case LIST:
		mount_list(full, result);
		return;
	case STAT:
		mount_stat(full, result);
		return;
	}
	result->error = r < 0 ? errno : 0;
}
