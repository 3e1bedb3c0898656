/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: what file_ops and this.workdir are made of. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <lauxlib.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/core.h"
#include "lua/files.h"
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

static int core_chmod(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	return done_or(L, path, chmod(path, (mode_t)luaL_checkinteger(L, 2)));
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

/* replace(path, content): by a rename, so that nobody sees a half of it; mode and owner stay as far as we
 * may. */
static int core_replace(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	const char *spare = lua_pushfstring(L, "%s.sloth-%d", path, (int)getpid());
	size_t size;
	const char *content = luaL_checklstring(L, 2, &size);
	struct stat st;
	bool there = stat(path, &st) == 0;
	int r = files_write(spare, content, size, O_EXCL, there ? st.st_mode & 07777 : 0666);

	if (r == 0 && there && chown(spare, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		r = -errno;
	if (r == 0 && there && chmod(spare, st.st_mode & 07777) < 0)
		r = -errno;
	if (r == 0 && rename(spare, path) < 0)
		r = -errno;
	if (r < 0 && r != -EEXIST)
		unlink(spare);
	errno = -r;
	return done_or(L, path, r);
}

const luaL_Reg core_files[] = {
	{ "chmod", core_chmod },
	{ "chown", core_chown },
	{ "exists", core_exists },
	{ "files_equal", core_files_equal },
	{ "make_directories", core_make_directories },
	{ "owner", core_owner },
	{ "path", core_path },
	{ "remove_tree", core_remove_tree },
	{ "readlink", core_readlink },
	{ "replace", core_replace },
	{ "symlink", core_symlink },
	{ NULL, NULL },
};
