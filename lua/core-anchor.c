/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: what the providers of files, directories and links are made of. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/anchor.h"
#include "lua/core.h"
#include "lua/files.h"

/* true, or nil and a message; `r`: 0 or -errno. */
static int done_or(lua_State *L, const char *path, int r)
{
	if (r == 0) {
		lua_pushboolean(L, true);
		return 1;
	}
	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", path, strerror(-r));
	return 2;
}

static int result_of(int r)
{
	return r < 0 ? -errno : 0;
}

/* An object with close() as metamethod, and fields in its user value. */

struct anchor {
	int fd;
};

static int anchor_close(lua_State *L)
{
	struct anchor *anchor = lua_touserdata(L, 1);

	if (anchor->fd >= 0)
		close(anchor->fd);
	anchor->fd = -1;
	return 0;
}

static int anchor_field(lua_State *L)
{
	lua_getiuservalue(L, 1, 1);
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	return 1;
}

static struct anchor *anchor_push(lua_State *L)
{
	struct anchor *anchor = lua_newuserdatauv(L, sizeof(*anchor), 1);

	anchor->fd = -1;
	if (luaL_newmetatable(L, "sloth.anchor")) {
		static const luaL_Reg methods[] = { { "__gc", anchor_close }, { "__close", anchor_close },
			{ "__index", anchor_field }, { NULL, NULL } };

		luaL_setfuncs(L, methods, 0);
		lua_pushboolean(L, false);
		lua_setfield(L, -2, "__metatable");
	}
	lua_setmetatable(L, -2);
	lua_createtable(L, 0, 2);
	lua_setiuservalue(L, -2, 1);
	return anchor;
}

/* anchor(path [, make]) → an object to be closed, with `path` to work at and its `folder`; or nil, a message,
 * whether a folder on the way is missing. See anchor.h. */
static int core_anchor(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct anchor *anchor = anchor_push(L);
	struct fault fault = { 0 };
	char name[NAME_MAX + 1];

	anchor->fd = anchor_open(path, lua_toboolean(L, 2), name, &fault);
	if (anchor->fd < 0) {
		lua_pushnil(L);
		lua_pushstring(L, fault.text);
		lua_pushboolean(L, anchor->fd == -ENOENT || anchor->fd == -ENOTDIR);
		return 3;
	}
	lua_getiuservalue(L, -1, 1);
	/* Not "self": also commands that are started for large files work there. */
	lua_pushfstring(L, "/proc/%d/fd/%d", (int)getpid(), anchor->fd);
	lua_pushfstring(L, "%s/%s", lua_tostring(L, -1), name);
	lua_setfield(L, -3, "path");
	lua_setfield(L, -2, "folder");
	lua_pop(L, 1);
	return 1;
}

/* look(path [, names]) → as fs.stat's (owner and group if their names are wanted), of the thing itself, with
 * a link's `target`, and `changed_ms`, the instant of its last change; nil: there is nothing; or nil and a
 * message */
static int core_look(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	char target[PATH_MAX];
	struct stat st;
	ssize_t size = 0;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : done_or(L, path, -errno);
	if (S_ISLNK(st.st_mode))
		size = readlink(path, target, sizeof(target));
	if (size < 0)
		return done_or(L, path, -errno);
	files_push_stat(L, &st, lua_toboolean(L, 2));
	lua_pushinteger(L, (lua_Integer)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000);
	lua_setfield(L, -2, "changed_ms");
	if (S_ISLNK(st.st_mode)) {
		lua_pushlstring(L, target, (size_t)size);
		lua_setfield(L, -2, "target");
	}
	return 1;
}

/* A file's SHA-256, in parts: large files do not hold up the others of the run. */

enum { DIGEST_PART = 4 << 20 };

struct digest {
	int fd;
	int64_t size;
	crypto_hash_sha256_state state;
};

static int digest_close(lua_State *L)
{
	struct digest *digest = lua_touserdata(L, 1);

	if (digest->fd >= 0)
		close(digest->fd);
	digest->fd = -1;
	return 0;
}

/* 1: there is more; 0: that was all; -errno. */
static int digest_part(struct digest *digest)
{
	unsigned char bytes[64 << 10];

	for (size_t done = 0; done < DIGEST_PART;) {
		ssize_t n = read(digest->fd, bytes, sizeof(bytes));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		crypto_hash_sha256_update(&digest->state, bytes, (unsigned long long)n);
		done += (size_t)n;
		digest->size += n;
	}
	return 1;
}

/* digest() → nil: there is more; the hash in hexadecimal and the number of bytes; or false and a message */
static int digest_call(lua_State *L)
{
	struct digest *digest = lua_touserdata(L, 1);
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof(hash) + 1];
	int r = digest->fd < 0 ? -EBADF : digest_part(digest);

	if (r > 0)
		return 0;
	if (r < 0) {
		lua_pushboolean(L, false);
		lua_pushstring(L, strerror(-r));
		return 2;
	}
	crypto_hash_sha256_final(&digest->state, hash);
	lua_pushstring(L, sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash)));
	lua_pushinteger(L, (lua_Integer)digest->size);
	digest_close(L);
	return 2;
}

static struct digest *digest_push(lua_State *L)
{
	struct digest *digest = lua_newuserdatauv(L, sizeof(*digest), 0);

	*digest = (struct digest){ .fd = -1 };
	if (luaL_newmetatable(L, "sloth.digest")) {
		static const luaL_Reg methods[] = { { "__gc", digest_close }, { "__close", digest_close },
			{ "__call", digest_call }, { NULL, NULL } };

		luaL_setfuncs(L, methods, 0);
		lua_pushboolean(L, false);
		lua_setfield(L, -2, "__metatable");
	}
	lua_setmetatable(L, -2);
	return digest;
}

/* A file, and nothing that would answer to being opened. -errno. */
static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -EINVAL;
}

/* digest(path) → an object to be called and closed, or nil and a message */
static int core_digest(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct digest *digest = digest_push(L);

	digest->fd = open_file(path);
	if (digest->fd < 0)
		return done_or(L, path, digest->fd);
	crypto_hash_sha256_init(&digest->state);
	return 1;
}

/* read_file(path, most) → its bytes, or nil and a message: of a file, never through a link, and not of more
 * bytes */
static int core_read_file(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	size_t most = (size_t)luaL_checkinteger(L, 2), size = 0;
	struct digest *file = digest_push(L); /* closes it, whatever comes */
	struct stat st;
	ssize_t n = 0;
	char *bytes;

	file->fd = open_file(path);
	if (file->fd < 0 || fstat(file->fd, &st) < 0)
		return done_or(L, path, file->fd < 0 ? file->fd : -errno);
	most = (size_t)st.st_size < most ? (size_t)st.st_size : most;
	bytes = lua_newuserdatauv(L, most + 1, 0);
	while (size <= most && (n = read(file->fd, bytes + size, most + 1 - size)) > 0)
		size += (size_t)n;
	if (n < 0 || size > most)
		return done_or(L, path, n < 0 ? -errno : -EFBIG);
	lua_pushlstring(L, bytes, size);
	return 1;
}

/* make_directory(path, mode): one */
static int core_make_directory(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	return done_or(L, path, result_of(mkdir(path, (mode_t)luaL_optinteger(L, 2, 0777))));
}

static int core_remove_directory(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	return done_or(L, path, result_of(rmdir(path)));
}

/* unlink(path): never a folder */
static int core_unlink(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	return done_or(L, path, result_of(unlink(path)));
}

static int sync_folder(const char *path)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* A file system that can't say so is no failure. */
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP))
		return -errno;
	return 0;
}

/* sync(folder): what was done in it is on the disk. */
static int core_sync(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	return done_or(L, path, sync_folder(path));
}

/* attribute(path, name) → its value; nil: it has none; or nil and a message */
static int core_attribute(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
	ssize_t size = lgetxattr(path, name, NULL, 0);
	char *value;

	if (size >= 0) {
		value = lua_newuserdatauv(L, (size_t)size + 1, 0);
		size = lgetxattr(path, name, value, (size_t)size);
	}
	if (size < 0)
		return errno == ENODATA || errno == ENOTSUP ? 0 : done_or(L, path, -errno);
	lua_pushlstring(L, value, (size_t)size);
	return 1;
}

/* set_attribute(path, name, value): nil takes it away */
static int core_set_attribute(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
	size_t size = 0;
	const char *value = luaL_optlstring(L, 3, NULL, &size);
	int r = result_of(value ? lsetxattr(path, name, value, size, 0) : lremovexattr(path, name));

	return done_or(L, path, !value && r == -ENODATA ? 0 : r);
}

const luaL_Reg core_anchors[] = {
	{ "anchor", core_anchor },
	{ "attribute", core_attribute },
	{ "digest", core_digest },
	{ "look", core_look },
	{ "read_file", core_read_file },
	{ "make_directory", core_make_directory },
	{ "remove_directory", core_remove_directory },
	{ "set_attribute", core_set_attribute },
	{ "sync", core_sync },
	{ "unlink", core_unlink },
	{ NULL, NULL },
};
