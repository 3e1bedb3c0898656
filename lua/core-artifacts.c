/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: artifacts in a task's directory. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/core.h"
#include "lua/files.h"
#include "lua/glob.h"
#include "lua/runner.h"

enum { CHUNK = 256 << 10 }; /* bytes of one frame */

static const char GLOBBED[] = "sloth.globbed";

static int globbed_gc(lua_State *L)
{
	globbed_done(lua_touserdata(L, 1));
	return 0;
}

static struct globbed *new_globbed(lua_State *L)
{
	struct globbed *globbed = lua_newuserdatauv(L, sizeof(*globbed), 0);

	*globbed = (struct globbed){ .root = -1 };
	if (luaL_newmetatable(L, GLOBBED)) {
		lua_pushcfunction(L, globbed_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return globbed;
}

static int nil_and(lua_State *L, const char *text)
{
	lua_pushnil(L);
	lua_pushstring(L, text);
	return 2;
}

static void push_files(lua_State *L, const struct globbed *globbed)
{
	lua_createtable(L, (int)globbed->count, 0);
	for (size_t i = 0; i < globbed->count; i++) {
		lua_createtable(L, 0, 3);
		lua_pushstring(L, globbed->files[i].path);
		lua_setfield(L, -2, "path");
		lua_pushinteger(L, (lua_Integer)globbed->files[i].size);
		lua_setfield(L, -2, "size");
		lua_pushinteger(L, (lua_Integer)globbed->files[i].mode);
		lua_setfield(L, -2, "mode");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static int open_root(lua_State *L)
{
	int fd = open(files_default(L), O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* artifact_find(globs) → list of { path, size, mode }, by path; or nil and a sentence */
static int artifact_find(lua_State *L)
{
	struct globbed *globbed;
	struct fault fault = { 0 };
	int r = 0;

	luaL_checktype(L, 1, LUA_TTABLE);
	globbed = new_globbed(L);
	globbed->root = open_root(L);
	if (globbed->root < 0)
		return nil_and(L, "the task's directory is not there any more");
	for (lua_Integer i = 1; r == 0 && lua_rawgeti(L, 1, i) == LUA_TSTRING; i++) {
		r = glob_find(globbed, lua_tostring(L, -1), &fault);
		lua_pop(L, 1);
	}
	if (r < 0)
		return nil_and(L, fault.text);
	globbed_sort(globbed);
	push_files(L, globbed);
	return 1;
}

/* One chunk of a file into `data`: its size, or -errno. */
static ssize_t read_chunk(int root, const char *path, off_t offset, char *data, size_t size)
{
	CLEANUP(cleanup_fd) int fd = glob_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	size_t done = 0;

	if (fd < 0)
		return fd;
	while (done < size) {
		ssize_t n = pread(fd, data + done, size - done, offset + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ESTALE;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* artifact_send(id, path, offset, size) → the offset of what is not sent yet; or nil and a sentence */
static int artifact_send(lua_State *L)
{
	lua_Integer id = luaL_checkinteger(L, 1), offset = luaL_checkinteger(L, 3);
	const char *path = luaL_checkstring(L, 2);
	lua_Integer left = luaL_checkinteger(L, 4) - offset;
	static char data[CHUNK]; /* one thread; the link copies it */
	int root = open_root(L);
	ssize_t n =
		root < 0 ? root : read_chunk(root, path, offset, data, left < CHUNK ? (size_t)left : CHUNK);

	if (root >= 0)
		close(root);
	if (n < 0) {
		lua_pushnil(L);
		lua_pushfstring(L, "the artifact %s can't be kept: %s", path,
			n == -ESTALE ? "it changed meanwhile" : strerror((int)-n));
		return 2;
	}
	if (link_send_body(&runner_of(L)->link,
		    json_pack("{ss sI sI}", "op", "artifact", "id", (json_int_t)id, "offset",
			    (json_int_t)offset),
		    data, (size_t)n) < 0)
		return luaL_error(L, "not enough memory");
	lua_pushinteger(L, offset + (lua_Integer)n);
	return 1;
}

/* The folder of a path below `root`, made where it is missing, and the path's last name. A descriptor or
 * -errno. No link leads out of any folder on the way. */
static int open_parent(int root, const char *path, const char **ret_name)
{
	int at = fcntl(root, F_DUPFD_CLOEXEC, 0);
	char name[NAME_MAX + 1];

	for (const char *end; at >= 0 && (end = strchr(path, '/')); path = end + 1) {
		CLEANUP(cleanup_fd) int above = at;

		if (end - path > NAME_MAX)
			return -ENAMETOOLONG;
		snprintf(name, sizeof(name), "%.*s", (int)(end - path), path);
		if (mkdirat(above, name, 0777) < 0 && errno != EEXIST)
			return -errno;
		at = glob_open(above, name, O_PATH | O_DIRECTORY, 0);
	}
	*ret_name = path;
	return at;
}

/* Bytes at an offset of a file, which is made with the first ones in the place of an older one. 0 or -errno.
 */
static int write_chunk(int root, const char *path, off_t offset, const char *data, size_t size, mode_t mode)
{
	const char *name;
	CLEANUP(cleanup_fd) int parent = open_parent(root, path, &name);
	CLEANUP(cleanup_fd) int fd = -1;
	ssize_t n = 0;

	if (parent < 0)
		return parent;
	if (!offset && unlinkat(parent, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(parent, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | (offset ? 0 : O_CREAT | O_EXCL),
		mode | 0600);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done<size; done += n> 0 ? (size_t)n : 0) {
		n = pwrite(fd, data + done, size - done, offset + (off_t)done);
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	return 0;
}

/* artifact_put(path, offset, bytes, mode): nothing, or nil and a sentence */
static int artifact_put(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	lua_Integer offset = luaL_checkinteger(L, 2), mode = luaL_checkinteger(L, 4);
	size_t size;
	const char *data = luaL_checklstring(L, 3, &size);
	int root = open_root(L);
	int r = root < 0 ? root : write_chunk(root, path, offset, data, size, (mode_t)mode & 0777);

	if (root >= 0)
		close(root);
	if (r == 0)
		return 0;
	lua_pushnil(L);
	lua_pushfstring(L, "the artifact %s can't be put into the task's directory: %s", path,
		r == -EXDEV ? "a link on its way leads elsewhere" : strerror(-r));
	return 2;
}

/* glob_matches(glob, path) */
static int matches(lua_State *L)
{
	lua_pushboolean(L, glob_matches(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
	return 1;
}

const luaL_Reg core_artifacts[] = {
	{ "artifact_find", artifact_find },
	{ "artifact_put", artifact_put },
	{ "artifact_send", artifact_send },
	{ "glob_matches", matches },
	{ NULL, NULL },
};
