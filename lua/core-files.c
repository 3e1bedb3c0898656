/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: what file_ops and this.workdir are made of. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <lauxlib.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/box.h"
#include "lua/core.h"
#include "lua/files.h"
#include "lua/replace.h"
#include "lua/tree.h"

static int core_make_directories(lua_State *L)
{
	struct fault fault = { 0 };

	if (tree_make(luaL_checkstring(L, 1), 0777, &fault) < 0)
		return luaL_error(L, "%s", fault.text);
	return 0;
}

static int core_remove_tree(lua_State *L)
{
	struct fault fault = { 0 };

	if (tree_remove(luaL_checkstring(L, 1), &fault) < 0)
		return luaL_error(L, "%s", fault.text);
	return 0;
}

static int core_exists(lua_State *L)
{
	lua_pushboolean(L, access(luaL_checkstring(L, 1), F_OK) == 0);
	return 1;
}

/* true, or nil and a message. */
static int done_or(lua_State *L, const char *path, int r)
{
	if (r == 0) {
		lua_pushboolean(L, true);
		return 1;
	}
	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", path, strerror(errno));
	return 2;
}

/* path(p): an absolute one */
static int core_path(lua_State *L)
{
	lua_pushstring(L, files_path(L, 1));
	return 1;
}

/* Of the thing itself, whatever stands there meanwhile: chmod(2) follows links. -errno. */
static int change_mode(const char *path, mode_t mode)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char name[40];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return chmod(name, mode) < 0 ? -errno : 0;
}

/* chmod(path, mode) */
static int core_chmod(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	int r = change_mode(path, (mode_t)luaL_checkinteger(L, 2));

	errno = -r;
	return done_or(L, path, r);
}

/* owner(name or number, name or number) → uid, gid (-1: keep), or nil and a message */
static int core_owner(lua_State *L)
{
	struct passwd *user = lua_type(L, 1) == LUA_TSTRING ? getpwnam(lua_tostring(L, 1)) : NULL;
	struct group *group = lua_type(L, 2) == LUA_TSTRING ? getgrnam(lua_tostring(L, 2)) : NULL;

	for (int i = 1; i <= 2; i++) {
		if (lua_type(L, i) != LUA_TSTRING || (i == 1 ? user != NULL : group != NULL))
			continue;
		lua_pushnil(L);
		lua_pushfstring(L, "there is no %s '%s'", i == 1 ? "user" : "group", lua_tostring(L, i));
		return 2;
	}
	lua_pushinteger(L, user ? (lua_Integer)user->pw_uid : luaL_optinteger(L, 1, -1));
	lua_pushinteger(L, group ? (lua_Integer)group->gr_gid : luaL_optinteger(L, 2, -1));
	return 2;
}

/* Whether chown(2) is ours. */
static int core_owner_is_root(lua_State *L)
{
	lua_pushboolean(L, geteuid() == 0);
	return 1;
}

static int core_chown(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	return done_or(L, path, lchown(path, (uid_t)luaL_checkinteger(L, 2), (gid_t)luaL_checkinteger(L, 3)));
}

static int core_symlink(lua_State *L)
{
	return done_or(L, luaL_checkstring(L, 2), symlink(luaL_checkstring(L, 1), lua_tostring(L, 2)));
}

static int core_readlink(lua_State *L)
{
	char target[4096];
	ssize_t n = readlink(luaL_checkstring(L, 1), target, sizeof(target));

	if (n < 0)
		return 0;
	lua_pushlstring(L, target, (size_t)n);
	return 1;
}

static int core_files_equal(lua_State *L)
{
	lua_pushboolean(L, files_equal(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
	return 1;
}

static int push_fault(lua_State *L, const struct fault *fault)
{
	lua_pushnil(L);
	lua_pushstring(L, fault->text);
	return 2;
}

/* remove_some(path) → true: there is more; false: it is gone; or nil and a message. */
static int core_remove_some(lua_State *L)
{
	struct fault fault = { 0 };
	int r = tree_remove_some(luaL_checkstring(L, 1), 500, &fault);

	if (r < 0 && r != -EAGAIN)
		return push_fault(L, &fault);
	lua_pushboolean(L, r == -EAGAIN);
	return 1;
}

/* tree_owner(path, uid, gid, change) → how many things below it are (were) another's, one of these; or nil
 * and a message
 */
static int core_tree_owner(lua_State *L)
{
	struct tree_owner owner = {
		.uid = (uid_t)luaL_checkinteger(L, 2),
		.gid = (gid_t)luaL_checkinteger(L, 3),
		.change = lua_toboolean(L, 4),
	};
	struct tree_owned owned;
	struct fault fault = { 0 };

	if (tree_own(luaL_checkstring(L, 1), &owner, &owned, &fault) < 0)
		return push_fault(L, &fault);
	lua_pushinteger(L, owned.count);
	lua_pushstring(L, owned.first);
	return 2;
}

/* read(path) → content, or nil and a message */
static int core_read(lua_State *L)
{
	struct fault fault = { 0 };

	return files_push_content(L, luaL_checkstring(L, 1), 0, -1, &fault) < 0 ? push_fault(L, &fault) : 1;
}

/* stat(path [, of the link itself]) → as fs.stat's, or nil */
static int core_stat(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct stat st;

	if ((lua_toboolean(L, 2) ? lstat(path, &st) : stat(path, &st)) < 0)
		return done_or(L, path, -errno);
	files_push_stat(L, &st, true);
	return 1;
}

/* rename(from, to) → true, or nil, a message, whether it is another file system */
static int core_rename(lua_State *L)
{
	const char *from = luaL_checkstring(L, 1);
	bool elsewhere;

	if (rename(from, luaL_checkstring(L, 2)) == 0)
		return done_or(L, from, 0);
	elsewhere = errno == EXDEV;
	done_or(L, from, -errno);
	lua_pushboolean(L, elsewhere);
	return 3;
}

/* copy_file(from, to) */
static int core_copy_file(lua_State *L)
{
	struct fault fault = { 0 };

	if (files_copy(luaL_checkstring(L, 1), luaL_checkstring(L, 2), &fault) < 0)
		return push_fault(L, &fault);
	lua_pushboolean(L, true);
	return 1;
}

/* stage(path, content, source, mode, uid, gid) → path of the new one, whether it has to go into the old one;
 * or nil and a message. Either content or source; mode nil and -1: as it was. See replace.h. */
static int core_stage(lua_State *L)
{
	struct replacement replacement = {
		.path = luaL_checkstring(L, 1),
		.content = lua_tolstring(L, 2, &replacement.size),
		.source = lua_tostring(L, 3),
		.has_mode = !lua_isnoneornil(L, 4),
		.mode = (mode_t)lua_tointeger(L, 4),
		.uid = (uid_t)luaL_optinteger(L, 5, -1),
		.gid = (gid_t)luaL_optinteger(L, 6, -1),
	};
	struct fault fault = { 0 };
	void **spare = box_push(L, free);
	bool in_place;

	if (replace_stage(&replacement, (char **)spare, &in_place, &fault) < 0)
		return push_fault(L, &fault);
	lua_pushstring(L, *spare);
	lua_pushboolean(L, in_place);
	box_empty(spare);
	return 2;
}

/* commit(spare, path, in_place) */
static int core_commit(lua_State *L)
{
	struct fault fault = { 0 };

	if (replace_commit(luaL_checkstring(L, 1), luaL_checkstring(L, 2), lua_toboolean(L, 3), &fault) < 0)
		return push_fault(L, &fault);
	lua_pushboolean(L, true);
	return 1;
}

/* real_path(path) → without links, or nil. */
static int core_real_path(lua_State *L)
{
	void **path = box_push(L, free);

	*path = realpath(luaL_checkstring(L, 1), NULL);
	if (!*path)
		return 0;
	lua_pushstring(L, *path);
	box_empty(path);
	return 1;
}

/* version(path) → what changes whenever the file does; nil: it is not there. */
static int core_version(lua_State *L)
{
	char text[128];
	struct stat st;

	if (stat(luaL_checkstring(L, 1), &st) < 0)
		return 0;
	snprintf(text, sizeof(text), "%jx.%jx.%jx.%jx.%lx", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
		(uintmax_t)st.st_size, (uintmax_t)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec);
	lua_pushstring(L, text);
	return 1;
}

/* exchange_link(target, path): makes the link, or puts it in the place of what is there, at once. */
static int core_exchange_link(lua_State *L)
{
	const char *target = luaL_checkstring(L, 1), *path = luaL_checkstring(L, 2);
	const char *spare = lua_pushfstring(L, "%s.sloth-%d", path, (int)getpid());

	if (symlink(target, spare) < 0)
		return done_or(L, path, -errno);
	if (rename(spare, path) == 0)
		return done_or(L, path, 0);
	int error = errno;

	unlink(spare);
	errno = error;
	return done_or(L, path, -error);
}

const luaL_Reg core_files[] = {
	{ "chmod", core_chmod },
	{ "chown", core_chown },
	{ "commit", core_commit },
	{ "copy_file", core_copy_file },
	{ "exchange_link", core_exchange_link },
	{ "exists", core_exists },
	{ "files_equal", core_files_equal },
	{ "make_directories", core_make_directories },
	{ "owner", core_owner },
	{ "owner_is_root", core_owner_is_root },
	{ "path", core_path },
	{ "read", core_read },
	{ "readlink", core_readlink },
	{ "real_path", core_real_path },
	{ "remove_some", core_remove_some },
	{ "remove_tree", core_remove_tree },
	{ "rename", core_rename },
	{ "stage", core_stage },
	{ "stat", core_stat },
	{ "symlink", core_symlink },
	{ "tree_owner", core_tree_owner },
	{ "version", core_version },
	{ NULL, NULL },
};
