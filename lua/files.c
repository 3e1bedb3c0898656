/* SPDX-License-Identifier: MIT */
/* What the modules fs and file_ops share. */
#include "lua/files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <lauxlib.h>
#include <linux/fs.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/box.h"
#include "lua/runner.h"
#include "lua/scope.h"

const char *files_default(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	return fiber && fiber->scope->workdir ? fiber->scope->workdir : ".";
}

const char *files_path(lua_State *L, int index)
{
	size_t size;
	const char *path = luaL_checklstring(L, index, &size);

	if (!*path)
		luaL_error(L, "the path is empty");
	if (strlen(path) != size)
		luaL_error(L, "the path has a NUL byte");
	if (*path == '/')
		return path;
	return lua_pushfstring(L, "%s/%s", files_default(L), path);
}

static int path_fault(struct fault *fault, const char *path, int error)
{
	return fault_set(fault, error, "%s: %s", path, strerror(error));
}

/* What could make the run wait for ever, or is no content at all. */
static int check_readable(const char *path, const struct stat *st, struct fault *fault)
{
	if (S_ISDIR(st->st_mode))
		return fault_set(fault, EISDIR, "%s: Is a directory (fs.ls lists it)", path);
	if (S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode))
		return fault_set(fault, EINVAL,
			"%s is a pipe or socket, and could make the whole run wait: let a command read it "
			"(exec.run)",
			path);
	return 0;
}

static int too_large(struct fault *fault, const char *path)
{
	return fault_set(fault, EFBIG,
		"%s is larger than the %d MiB that are read at once: read parts of it (offset, length), or "
		"let a command read it",
		path, FILES_READ_MAX >> 20);
}

static void close_file(void *file)
{
	fclose(file);
}

/* Pushes what can be read, up to `length`. 0 or -errno. */
static int push_stream(lua_State *L, FILE *file, int64_t length)
{
	luaL_Buffer text;
	int64_t left = length;
	size_t n = 1;

	luaL_buffinit(L, &text);
	while (left > 0 && n > 0) {
		size_t room = left < (int64_t)LUAL_BUFFERSIZE ? (size_t)left : LUAL_BUFFERSIZE;

		n = fread(luaL_prepbuffer(&text), 1, room, file);
		luaL_addsize(&text, n);
		left -= (int64_t)n;
	}
	luaL_pushresult(&text);
	return ferror(file) ? -errno : 0;
}

int files_push_content(lua_State *L, const char *path, int64_t offset, int64_t length, struct fault *fault)
{
	void **file = box_push(L, close_file);
	int64_t most = length < 0 || length > FILES_READ_MAX ? FILES_READ_MAX : length;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return path_fault(fault, path, errno);
	r = check_readable(path, &st, fault);
	if (r < 0)
		return r;
	if (length != most && S_ISREG(st.st_mode) && st.st_size - offset > most)
		return too_large(fault, path);
	*file = fopen(path, "re");
	if (!*file || (offset && fseeko(*file, (off_t)offset, SEEK_SET) < 0))
		return path_fault(fault, path, errno);
	r = push_stream(L, *file, most);
	/* Endless ones, and those that grow. */
	if (r == 0 && length != most && (int64_t)lua_rawlen(L, -1) == most && fgetc(*file) != EOF)
		return too_large(fault, path);
	box_empty(file);
	return r < 0 ? path_fault(fault, path, -r) : 0;
}

int files_write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int files_write(
	const char *path, const char *content, size_t size, int flags, mode_t mode, struct fault *fault)
{
	CLEANUP(cleanup_fd) int fd = -1;
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		return fault_set(fault, EINVAL,
			"%s is a pipe or socket, and could make the whole run wait: let a command write it "
			"(exec.run)",
			path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | flags, mode);
	if (fd < 0)
		return path_fault(fault, path, errno);
	r = files_write_all(fd, content, size);
	if (r == 0 && close(take_fd(&fd)) < 0)
		r = -errno;
	return r < 0 ? path_fault(fault, path, -r) : 0;
}

int files_pump(int in, int out)
{
	ssize_t n;

	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	return n < 0 ? -errno : 0;
}

int files_copy(const char *from, const char *to, struct fault *fault)
{
	CLEANUP(cleanup_fd) int in = -1;
	CLEANUP(cleanup_fd) int out = -1;
	struct stat st, there;
	int r;

	if (stat(from, &st) < 0)
		return path_fault(fault, from, errno);
	r = check_readable(from, &st, fault);
	if (r < 0)
		return r;
	if (stat(to, &there) == 0 && there.st_dev == st.st_dev && there.st_ino == st.st_ino)
		return fault_set(fault, EINVAL, "%s and %s are the same file", from, to);
	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return path_fault(fault, from, errno);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, st.st_mode & 0777);
	if (out < 0)
		return path_fault(fault, to, errno);
	r = files_pump(in, out);
	if (r == 0 && close(take_fd(&out)) < 0)
		r = -errno;
	return r < 0 ? path_fault(fault, to, -r) : 0;
}

bool files_equal(const char *a, const char *b)
{
	CLEANUP(cleanup_file) FILE *one = fopen(a, "re");
	CLEANUP(cleanup_file) FILE *other = fopen(b, "re");
	char x[8192], y[8192];
	size_t n, m;

	if (!one || !other)
		return false;
	do {
		n = fread(x, 1, sizeof(x), one);
		m = fread(y, 1, sizeof(y), other);
		if (n != m || memcmp(x, y, n) != 0)
			return false;
	} while (n > 0);
	return !ferror(one) && !ferror(other);
}

static const struct {
	mode_t format;
	const char *name;
} types[] = {
	{ S_IFREG, "file" },
	{ S_IFDIR, "directory" },
	{ S_IFLNK, "link" },
	{ S_IFIFO, "fifo" },
	{ S_IFSOCK, "socket" },
	{ S_IFCHR, "char" },
	{ S_IFBLK, "block" },
};

const char *files_type(mode_t mode)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((mode & S_IFMT) == types[i].format)
			return types[i].name;
	return "other";
}

static void set_number(lua_State *L, const char *name, int64_t number)
{
	lua_pushinteger(L, (lua_Integer)number);
	lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, bool flag)
{
	lua_pushboolean(L, flag);
	lua_setfield(L, -2, name);
}

void files_push_stat(lua_State *L, const struct stat *st, bool names)
{
	struct passwd *user = names ? getpwuid(st->st_uid) : NULL;
	struct group *group = names ? getgrgid(st->st_gid) : NULL;
	char mode[16];

	lua_createtable(L, 0, 16);
	set_text(L, "type", files_type(st->st_mode));
	snprintf(mode, sizeof(mode), "%04o", (unsigned int)(st->st_mode & 07777));
	set_text(L, "mode", mode);
	set_text(L, "owner", user ? user->pw_name : NULL);
	set_text(L, "group", group ? group->gr_name : NULL);
	set_number(L, "size", st->st_size);
	set_number(L, "uid", st->st_uid);
	set_number(L, "gid", st->st_gid);
	set_number(L, "mtime", st->st_mtime);
	set_number(L, "atime", st->st_atime);
	set_number(L, "ctime", st->st_ctime);
	set_number(L, "inode", (int64_t)st->st_ino);
	set_number(L, "device", (int64_t)st->st_dev);
	set_number(L, "links", (int64_t)st->st_nlink);
	set_flag(L, "is_dir", S_ISDIR(st->st_mode));
	set_flag(L, "is_file", S_ISREG(st->st_mode));
	set_flag(L, "is_link", S_ISLNK(st->st_mode));
}
