/* SPDX-License-Identifier: MIT */
/*
 * fs: files and directories, as the submitter. Relative paths start in the task's directory. Functions that
 * ask give a value, or nil and a message; those that act give true, or nil and a message.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/files.h"
#include "lua/module.h"
#include "lua/tree.h"
#include "lua/value.h"

static int fail(lua_State *L, const char *path, int error)
{
	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", path, strerror(error));
	return 2;
}

static int done(lua_State *L)
{
	lua_pushboolean(L, true);
	return 1;
}

static int fail_fault(lua_State *L, const struct fault *fault)
{
	lua_pushnil(L);
	lua_pushstring(L, fault->text);
	return 2;
}

static int fs_read(lua_State *L)
{
	const char *path = files_path(L, 1);
	int r = files_push_content(L, path);

	return r < 0 ? fail(L, path, -r) : 1;
}

static int write_with(lua_State *L, int flags)
{
	const char *path = files_path(L, 1);
	size_t size;
	const char *content = lua_tolstring(L, 2, &size);
	int r = files_write(path, content, size, flags, 0666);

	return r < 0 ? fail(L, path, -r) : done(L);
}

static int fs_write(lua_State *L)
{
	return write_with(L, O_TRUNC);
}

static int fs_append(lua_State *L)
{
	return write_with(L, O_APPEND);
}

static int fs_exists(lua_State *L)
{
	struct stat st;

	lua_pushboolean(L, stat(files_path(L, 1), &st) == 0);
	return 1;
}

static int fs_mkdir(lua_State *L)
{
	struct fault fault = { 0 };

	return tree_make(files_path(L, 1), 0777, &fault) < 0 ? fail_fault(L, &fault) : done(L);
}

static int fs_rm(lua_State *L)
{
	const char *path = files_path(L, 1);

	return remove(path) < 0 ? fail(L, path, errno) : done(L);
}

static int fs_rm_r(lua_State *L)
{
	struct fault fault = { 0 };

	return tree_remove(files_path(L, 1), &fault) < 0 ? fail_fault(L, &fault) : done(L);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int fs_ls(lua_State *L)
{
	const char *path = lua_isnil(L, 1) ? files_default(L) : files_path(L, 1);
	struct dirent **entries;
	int count = scandir(path, &entries, is_entry, compare_names);

	if (count < 0)
		return fail(L, path, errno);
	lua_createtable(L, count, 0);
	value_mark_list(L, -1);
	for (int i = 0; i < count; i++) {
		lua_pushstring(L, entries[i]->d_name);
		lua_rawseti(L, -2, i + 1);
		free(entries[i]);
	}
	free(entries);
	return 1;
}

static int fs_tmpname(lua_State *L)
{
	char path[] = "/tmp/sloth-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return fail(L, path, errno);
	close(fd);
	lua_pushstring(L, path);
	return 1;
}

static int fs_size(lua_State *L)
{
	const char *path = files_path(L, 1);
	struct stat st;

	if (stat(path, &st) < 0)
		return fail(L, path, errno);
	lua_pushinteger(L, (lua_Integer)st.st_size);
	return 1;
}

static int fs_copy(lua_State *L)
{
	const char *from = files_path(L, 1), *to = files_path(L, 2);
	int r = files_copy(from, to);

	return r < 0 ? fail(L, r == -ENOENT && access(from, F_OK) < 0 ? from : to, -r) : done(L);
}

static int fs_move(lua_State *L)
{
	const char *from = files_path(L, 1), *to = files_path(L, 2);
	int r = 0;

	if (rename(from, to) < 0)
		r = -errno;
	if (r == -EXDEV) {
		r = files_copy(from, to);
		if (r == 0 && unlink(from) < 0)
			r = -errno;
	}
	return r < 0 ? fail(L, from, -r) : done(L);
}

static int fs_basename(lua_State *L)
{
	const char *path = lua_tostring(L, 1), *end = path + strlen(path), *start;

	while (end > path + 1 && end[-1] == '/')
		end--;
	for (start = end; start > path && start[-1] != '/'; start--)
		;
	lua_pushlstring(L, start, (size_t)(end - start));
	return 1;
}

static int fs_dirname(lua_State *L)
{
	const char *path = lua_tostring(L, 1), *end = path + strlen(path);

	while (end > path + 1 && end[-1] == '/')
		end--;
	while (end > path && end[-1] != '/')
		end--;
	while (end > path + 1 && end[-1] == '/')
		end--;
	if (end == path)
		lua_pushliteral(L, ".");
	else
		lua_pushlstring(L, path, (size_t)(end - path));
	return 1;
}

static int fs_stat(lua_State *L)
{
	const char *path = files_path(L, 1);
	struct stat st;

	if (lstat(path, &st) < 0)
		return fail(L, path, errno);
	files_push_stat(L, &st);
	return 1;
}

static int fs_glob(lua_State *L)
{
	glob_t found;
	int r = glob(files_path(L, 1), 0, NULL, &found);

	if (r != 0 && r != GLOB_NOMATCH)
		return fail(L, lua_tostring(L, 1), r == GLOB_NOSPACE ? ENOMEM : EIO);
	lua_newtable(L);
	value_mark_list(L, -1);
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
		lua_pushstring(L, found.gl_pathv[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	globfree(&found);
	return 1;
}

/* clang-format off */
#define PATH_ARG { "path", ARG_STRING }
/* clang-format on */

const struct function module_fs[] = {
	{ "append", fs_append, .acts = true, .args = { PATH_ARG, { "content", ARG_STRING } } },
	{ "basename", fs_basename, .args = { PATH_ARG } },
	{ "copy", fs_copy, .acts = true, .args = { { "src", ARG_STRING }, { "dest", ARG_STRING } } },
	{ "dirname", fs_dirname, .args = { PATH_ARG } },
	{ "exists", fs_exists, .args = { PATH_ARG } },
	{ "glob", fs_glob, .args = { { "pattern", ARG_STRING } } },
	{ "ls", fs_ls, .args = { { "path", ARG_STRING, .optional = true } } },
	{ "mkdir", fs_mkdir, .acts = true, .args = { PATH_ARG } },
	{ "move", fs_move, .acts = true, .args = { { "src", ARG_STRING }, { "dest", ARG_STRING } } },
	{ "read", fs_read, .args = { PATH_ARG } },
	{ "remove", fs_rm, .acts = true, .args = { PATH_ARG } },
	{ "rm", fs_rm, .acts = true, .args = { PATH_ARG } },
	{ "rm_r", fs_rm_r, .acts = true, .args = { PATH_ARG } },
	{ "rmr", fs_rm_r, .acts = true, .args = { PATH_ARG } },
	{ "size", fs_size, .args = { PATH_ARG } },
	{ "stat", fs_stat, .args = { PATH_ARG } },
	{ "tmpname", fs_tmpname, .acts = true },
	{ "write", fs_write, .acts = true, .args = { PATH_ARG, { "content", ARG_STRING } } },
	{ NULL },
};
