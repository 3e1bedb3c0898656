/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: files in parts, for what is too large to be held at once. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/core.h"

struct part_file {
	int fd;
};

static int part_file_close(lua_State *L)
{
	struct part_file *file = lua_touserdata(L, 1);

	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	return 0;
}

static int failed(lua_State *L, const char *path)
{
	int code = errno;

	lua_pushnil(L);
	lua_pushfstring(L, "%s%s%s", path, *path ? ": " : "", strerror(code));
	return 2;
}

/* file(size) → so many bytes, or what is left; nil at the end; nil and a message */
static int part_read(lua_State *L)
{
	struct part_file *file = lua_touserdata(L, 1);
	size_t most = (size_t)luaL_checkinteger(L, 2), size = 0;
	luaL_Buffer bytes;
	char *room;

	if (most > 16 << 20)
		return luaL_argerror(L, 2, "too much at once");
	room = luaL_buffinitsize(L, &bytes, most);
	while (size < most) {
		ssize_t n = read(file->fd, room + size, most - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(L, "");
		if (n == 0)
			break;
		size += (size_t)n;
	}
	luaL_pushresultsize(&bytes, size);
	if (!size)
		lua_pushnil(L);
	return 1;
}

/* file(bytes) → true, or nil and a message */
static int part_write(lua_State *L)
{
	struct part_file *file = lua_touserdata(L, 1);
	size_t size, done = 0;
	const char *bytes = luaL_checklstring(L, 2, &size);

	while (done < size) {
		ssize_t n = write(file->fd, bytes + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(L, "");
		done += (size_t)n;
	}
	lua_pushboolean(L, true);
	return 1;
}

static struct part_file *part_file_push(lua_State *L, const char *kind, lua_CFunction call)
{
	struct part_file *file = lua_newuserdatauv(L, sizeof(*file), 0);

	*file = (struct part_file){ .fd = -1 };
	if (luaL_newmetatable(L, kind)) {
		const luaL_Reg methods[] = { { "__gc", part_file_close }, { "__close", part_file_close },
			{ "__call", call }, { NULL, NULL } };

		luaL_setfuncs(L, methods, 0);
		lua_pushboolean(L, false);
		lua_setfield(L, -2, "__metatable");
	}
	lua_setmetatable(L, -2);
	return file;
}

/* reader(path) → an object to be called and closed, or nil and a message: of a file, never through a link */
static int core_reader(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct part_file *file = part_file_push(L, "sloth.reader", part_read);
	struct stat st;

	file->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &st) < 0)
		return failed(L, path);
	errno = EINVAL;
	return S_ISREG(st.st_mode) ? 1 : failed(L, path);
}

/* writer(path) → the same, to write: a new file, for our own eyes */
static int core_writer(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct part_file *file = part_file_push(L, "sloth.writer", part_write);

	file->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return file->fd < 0 ? failed(L, path) : 1;
}

const luaL_Reg core_bytes[] = {
	{ "reader", core_reader },
	{ "writer", core_writer },
	{ NULL, NULL },
};
