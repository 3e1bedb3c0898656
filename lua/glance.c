/* SPDX-License-Identifier: MIT */
/* Whether files, folders and links are still what was seen of them. */
#include "lua/glance.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "lua/anchor.h"

enum { HEX_SIZE = 2 * crypto_hash_sha256_BYTES };

static const struct {
	const char *name;
	mode_t format;
} types[] = {
	{ "file", S_IFREG },
	{ "directory", S_IFDIR },
	{ "symlink", S_IFLNK },
};

int glance_init(struct glance *glance)
{
	*glance = (struct glance){ .fd = -1, .bytes = malloc(GLANCE_FILE_MAX + 1) };
	return glance->bytes ? 0 : -ENOMEM;
}

void glance_forget(struct glance *glance)
{
	if (glance->fd >= 0)
		close(glance->fd);
	glance->fd = -1;
	glance->user.known = glance->group.known = false;
	glance->read = 0;
}

void glance_done(struct glance *glance)
{
	if (!glance->bytes)
		return;
	glance_forget(glance);
	free(glance->bytes);
}

/* What was seen is read from its beginning on, and each part compared with what there is. */

static bool take(const char **text, const char *word)
{
	size_t size = strlen(word);

	if (strncmp(*text, word, size) != 0)
		return false;
	*text += size;
	return true;
}

/* A text that would stand in JSON in another way is left to those who can write it. */
static bool take_plain(const char **text, const char *value)
{
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '"' || *p == '\\')
			return false;
	return take(text, value);
}

/* As the core's look() names them, and on_disk.lua without a name. */

static const char *user_name(struct glance_owner *user, uid_t uid)
{
	const struct passwd *found;

	if (user->known && user->id == uid)
		return user->name;
	found = getpwuid(uid);
	user->known = !found || strlen(found->pw_name) < sizeof(user->name);
	user->id = uid;
	if (!user->known)
		return NULL;
	if (found)
		strcpy(user->name, found->pw_name);
	else
		snprintf(user->name, sizeof(user->name), "%u", (unsigned int)uid);
	return user->name;
}

static const char *group_name(struct glance_owner *group, gid_t gid)
{
	const struct group *found;

	if (group->known && group->id == gid)
		return group->name;
	found = getgrgid(gid);
	group->known = !found || strlen(found->gr_name) < sizeof(group->name);
	group->id = gid;
	if (!group->known)
		return NULL;
	if (found)
		strcpy(group->name, found->gr_name);
	else
		snprintf(group->name, sizeof(group->name), "%u", (unsigned int)gid);
	return group->name;
}

static bool take_name(const char **text, const char *name)
{
	return name && take_plain(text, name) && take(text, "\"");
}

/* Reads the file if it has this many bytes: one more is asked for, and what is less is its end. */
static bool read_whole(int folder, const char *name, unsigned char *bytes, size_t size)
{
	CLEANUP(cleanup_fd)
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	/* Of a name that has become something else meanwhile nothing is read. */
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       read(fd, bytes, size + 1) == (ssize_t)size;
}

/* After `"content":`. */
static bool take_content(struct glance *glance, const char **text, const char *name, const struct stat *st)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[HEX_SIZE + 1], rest[64];

	if (st->st_size > GLANCE_FILE_MAX ||
		!read_whole(glance->fd, name, glance->bytes, (size_t)st->st_size))
		return false;
	glance->read += (size_t)st->st_size;
	crypto_hash_sha256(hash, glance->bytes, (unsigned long long)st->st_size);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	snprintf(rest, sizeof(rest), "\",\"size\":%" PRId64 "},", (int64_t)st->st_size);
	return take(text, "{\"sha256\":\"") && take(text, hex) && take(text, rest);
}

static bool take_target(const char **text, int folder, const char *name)
{
	char target[PATH_MAX];
	ssize_t size = readlinkat(folder, name, target, sizeof(target) - 1);

	if (size < 0)
		return false;
	target[size] = '\0';
	return take(text, ",\"target\":\"") && take_plain(text, target) && take(text, "\"");
}

/* The members stand in the order of their names. Both or neither of an owner and a group were seen. */
static bool is_present(struct glance *glance, const struct stat *st, const char *name, const char *text)
{
	char mode[32];
	bool grouped;

	snprintf(mode, sizeof(mode), ",\"mode\":\"%04o\"", (unsigned int)(st->st_mode & 07777));
	if (!take(&text, "{"))
		return false;
	if (S_ISREG(st->st_mode) && take(&text, "\"content\":") && !take_content(glance, &text, name, st))
		return false;
	if (!take(&text, "\"ensure\":\"present\""))
		return false;
	grouped = take(&text, ",\"group\":\"");
	if (grouped && !take_name(&text, group_name(&glance->group, st->st_gid)))
		return false;
	if (!take(&text, mode))
		return false;
	if (grouped &&
		(!take(&text, ",\"owner\":\"") || !take_name(&text, user_name(&glance->user, st->st_uid))))
		return false;
	if (S_ISLNK(st->st_mode) && !take_target(&text, glance->fd, name))
		return false;
	return !strcmp(text, "}");
}

/* The folder, which is held as anchor.h says. 0 or -errno. */
static int enter(struct glance *glance, const char *path, size_t size)
{
	struct fault fault = { 0 };
	char name[NAME_MAX + 1];

	if (glance->fd >= 0 && !strncmp(glance->folder, path, size) && !glance->folder[size])
		return 0;
	if (glance->fd >= 0)
		close(glance->fd);
	glance->fd = anchor_open(path, false, name, &fault);
	if (glance->fd < 0)
		return glance->fd;
	memcpy(glance->folder, path, size);
	glance->folder[size] = '\0';
	return 0;
}

/* The last part of the path, as anchor.h wants it; NULL: it can't be looked at. */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : "";

	if (*path != '/' || !*name || !strcmp(name, ".") || !strcmp(name, "..") || strlen(name) > NAME_MAX ||
		strlen(path) >= PATH_MAX)
		return NULL;
	return name;
}

bool glance_same(struct glance *glance, const char *type, const char *path, const char *actual)
{
	const char *name = name_of(path);
	struct stat st;
	size_t i = 0;
	int r;

	while (i < sizeof(types) / sizeof(types[0]) && strcmp(types[i].name, type) != 0)
		i++;
	if (!name || i == sizeof(types) / sizeof(types[0]))
		return false;
	r = enter(glance, path, (size_t)(name - path));
	if (r == 0 && fstatat(glance->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r == -ENOENT || (r == -ENOTDIR && glance->fd < 0))
		return !strcmp(actual, "{\"ensure\":\"absent\"}");
	return r == 0 && (st.st_mode & S_IFMT) == types[i].format && is_present(glance, &st, name, actual);
}
