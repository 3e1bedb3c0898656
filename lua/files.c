/* SPDX-License-Identifier: MIT */
/* What the modules fs and file_ops share. */
#include "lua/files.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/runner.h"
#include "lua/scope.h"

const char *files_default(lua_State *L)
{
	struct fiber *fiber = runner_of(L)->sched.current;

	return fiber && fiber->scope->workdir ? fiber->scope->workdir : ".";
}

const char *files_path(lua_State *L, int index)
{
	const char *path = luaL_checkstring(L, index);

	if (!*path)
		luaL_error(L, "the path is empty");
	if (*path == '/')
		return path;
	return lua_pushfstring(L, "%s/%s", files_default(L), path);
}

int files_push_content(lua_State *L, const char *path)
{
	luaL_Buffer text;
	FILE *file = fopen(path, "re");
	struct stat st;
	int error = 0;
	size_t n;

	if (!file)
		return -errno;
	if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
		fclose(file);
		return -EISDIR;
	}
	luaL_buffinit(L, &text);
	while ((n = fread(luaL_prepbuffer(&text), 1, LUAL_BUFFERSIZE, file)) > 0)
		luaL_addsize(&text, n);
	if (ferror(file))
		error = -errno;
	fclose(file);
	luaL_pushresult(&text);
	return error;
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

int files_write(const char *path, const char *content, size_t size, int flags, mode_t mode)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode);
	int r;

	if (fd < 0)
		return -errno;
	r = files_write_all(fd, content, size);
	if (r == 0 && close(take_fd(&fd)) < 0)
		r = -errno;
	return r;
}

int files_copy(const char *from, const char *to)
{
	CLEANUP(cleanup_fd) int in = open(from, O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_fd) int out = -1;
	struct stat st;
	ssize_t n;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, st.st_mode & 0777);
	if (out < 0)
		return -errno;
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	if (n < 0)
		return -errno;
	return close(take_fd(&out)) < 0 ? -errno : 0;
}

int files_equal(const char *a, const char *b)
{
	CLEANUP(cleanup_file) FILE *one = fopen(a, "re"), *other = fopen(b, "re");
	char x[8192], y[8192];
	size_t n, m;

	if (!one || !other)
		return 0;
	do {
		n = fread(x, 1, sizeof(x), one);
		m = fread(y, 1, sizeof(y), other);
		if (n != m || memcmp(x, y, n) != 0)
			return 0;
	} while (n > 0);
	return !ferror(one) && !ferror(other);
}

void files_push_stat(lua_State *L, const struct stat *st)
{
	char mode[16];

	lua_createtable(L, 0, 6);
	lua_pushstring(L, S_ISDIR(st->st_mode)	 ? "directory"
			  : S_ISREG(st->st_mode) ? "file"
			  : S_ISLNK(st->st_mode) ? "link"
						 : "other");
	lua_setfield(L, -2, "type");
	lua_pushinteger(L, (lua_Integer)st->st_size);
	lua_setfield(L, -2, "size");
	snprintf(mode, sizeof(mode), "%04o", (unsigned int)(st->st_mode & 07777));
	lua_pushstring(L, mode);
	lua_setfield(L, -2, "mode");
	lua_pushinteger(L, (lua_Integer)st->st_uid);
	lua_setfield(L, -2, "uid");
	lua_pushinteger(L, (lua_Integer)st->st_gid);
	lua_setfield(L, -2, "gid");
	lua_pushinteger(L, (lua_Integer)st->st_mtime);
	lua_setfield(L, -2, "mtime");
}
