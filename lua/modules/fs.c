/* SPDX-License-Identifier: MIT */
/*
 * fs: files and directories, as the submitter. Relative paths start in the task's directory. Functions that
 * ask give a value, or nil and a message; those that act give true, or nil and a message. What may take long
 * is in lib/fs.lua.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/box.h"
#include "lua/environment.h"
#include "lua/files.h"
#include "lua/find.h"
#include "lua/module.h"
#include "lua/replace.h"
#include "lua/runner.h"
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

/* The mode at `index`, a text of octal digits, or `otherwise`. */
static mode_t mode_at(lua_State *L, int index, mode_t otherwise)
{
	const char *text;
	char *end;
	long mode;

	if (lua_isnoneornil(L, index))
		return otherwise;
	/* Lua reads 0644 as six hundred and forty-four. */
	text = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
	mode = strtol(text, &end, 8);
	luaL_argcheck(
		L, *text && !*end && mode >= 0 && mode <= 07777, index, "a mode is a text like \"0644\"");
	return (mode_t)mode;
}

/* read(path [, offset, length]) */
static int fs_read(lua_State *L)
{
	const char *path = files_path(L, 1);
	lua_Integer offset = luaL_optinteger(L, 2, 0), length = luaL_optinteger(L, 3, -1);
	struct fault fault = { 0 };

	luaL_argcheck(L, offset >= 0, 2, "'offset' can't be negative");
	return files_push_content(L, path, offset, length, &fault) < 0 ? fail_fault(L, &fault) : 1;
}

static int write_atomically(lua_State *L, const char *path, const char *content, size_t size)
{
	struct replacement replacement = {
		.content = content,
		.size = size,
		.has_mode = !lua_isnil(L, 3),
		.mode = mode_at(L, 3, 0),
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};
	/* What a link points to is written, as it is where the file is not replaced. */
	char *real = realpath(path, NULL), *spare;
	struct fault fault = { 0 };
	bool in_place;
	int r;

	replacement.path = real ? real : path;
	r = replace_stage(&replacement, &spare, &in_place, &fault);
	if (r == 0) {
		r = replace_commit(spare, replacement.path, in_place, &fault);
		if (r < 0)
			unlink(spare);
		free(spare);
	}
	free(real);
	return r < 0 ? fail_fault(L, &fault) : done(L);
}

/* write(path, content [, mode, atomic]) */
static int fs_write(lua_State *L)
{
	const char *path = files_path(L, 1);
	size_t size;
	const char *content = lua_tolstring(L, 2, &size);
	mode_t mode = mode_at(L, 3, 0666);
	struct fault fault = { 0 };

	if (lua_toboolean(L, 4))
		return write_atomically(L, path, content, size);
	if (files_write(path, content, size, O_TRUNC, mode, &fault) < 0)
		return fail_fault(L, &fault);
	/* Also of one that was there, and whatever the umask is. */
	if (!lua_isnil(L, 3) && chmod(path, mode) < 0)
		return fail(L, path, errno);
	return done(L);
}

static int fs_append(lua_State *L)
{
	size_t size;
	const char *content = lua_tolstring(L, 2, &size);
	struct fault fault = { 0 };

	if (files_write(files_path(L, 1), content, size, O_APPEND, 0666, &fault) < 0)
		return fail_fault(L, &fault);
	return done(L);
}

static int fs_exists(lua_State *L)
{
	struct stat st;

	lua_pushboolean(L, stat(files_path(L, 1), &st) == 0);
	return 1;
}

/* Whether it is of one kind; a link is what it points to. */
static int is_kind(lua_State *L, mode_t kind)
{
	struct stat st;

	lua_pushboolean(L, stat(files_path(L, 1), &st) == 0 && (st.st_mode & S_IFMT) == kind);
	return 1;
}

static int fs_is_dir(lua_State *L)
{
	return is_kind(L, S_IFDIR);
}

static int fs_is_file(lua_State *L)
{
	return is_kind(L, S_IFREG);
}

static int fs_is_link(lua_State *L)
{
	struct stat st;

	lua_pushboolean(L, lstat(files_path(L, 1), &st) == 0 && S_ISLNK(st.st_mode));
	return 1;
}

static int fs_mkdir(lua_State *L)
{
	struct fault fault = { 0 };

	return tree_make(files_path(L, 1), mode_at(L, 2, 0777), &fault) < 0 ? fail_fault(L, &fault) : done(L);
}

static int fs_rm(lua_State *L)
{
	const char *path = files_path(L, 1);

	return remove(path) < 0 ? fail(L, path, errno) : done(L);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

struct listing {
	struct dirent **entries;
	int count;
};

static void free_listing(void *content)
{
	struct listing *listing = content;

	for (int i = 0; i < listing->count; i++)
		free(listing->entries[i]);
	free(listing->entries);
	free(listing);
}

static int fs_ls(lua_State *L)
{
	const char *path = lua_isnil(L, 1) ? files_default(L) : files_path(L, 1);
	void **box = box_push(L, free_listing);
	struct listing *listing = *box = calloc(1, sizeof(*listing));

	if (!listing)
		return luaL_error(L, "not enough memory");
	listing->count = scandir(path, &listing->entries, is_entry, compare_names);
	if (listing->count < 0)
		return fail(L, path, errno);
	lua_createtable(L, listing->count, 0);
	value_mark_list(L, -1);
	for (int i = 0; i < listing->count; i++) {
		lua_pushstring(L, listing->entries[i]->d_name);
		lua_rawseti(L, -2, i + 1);
	}
	box_empty(box);
	return 1;
}

/* Pushes a path in the folder for temporary files that nobody has, or can guess. */
static const char *push_new_name(lua_State *L)
{
	const char *folder =
		environment_get((const char *const *)runner_of(L)->environment.strings, "TMPDIR");
	const char *prefix = luaL_optstring(L, 1, "sloth-");
	unsigned char bytes[12];
	char hex[sizeof(bytes) * 2 + 1];

	luaL_argcheck(L, !strchr(prefix, '/'), 1, "a prefix has no slash");
	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes));
	return lua_pushfstring(L, "%s/%s%s", folder && *folder == '/' ? folder : "/tmp", prefix, hex);
}

/* There is nothing of that name: it is for a file, and for a folder. */
static int fs_tmpname(lua_State *L)
{
	push_new_name(L);
	return 1;
}

static int fs_tmpdir(lua_State *L)
{
	const char *path = push_new_name(L);

	return mkdir(path, 0700) < 0 ? fail(L, path, errno) : 1;
}

static int fs_touch(lua_State *L)
{
	const char *path = files_path(L, 1);
	int fd = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);

	if (fd >= 0)
		close(fd);
	else if (errno != EISDIR)
		return fail(L, path, errno);
	return utimensat(AT_FDCWD, path, NULL, 0) < 0 ? fail(L, path, errno) : done(L);
}

static int fs_readlink(lua_State *L)
{
	const char *path = files_path(L, 1);
	char target[4096];
	ssize_t n = readlink(path, target, sizeof(target));

	if (n < 0)
		return fail(L, path, errno);
	lua_pushlstring(L, target, (size_t)n);
	return 1;
}

/* Absolute, without links and dots. */
static int fs_real_path(lua_State *L)
{
	const char *path = files_path(L, 1);
	void **real = box_push(L, free);

	*real = realpath(path, NULL);
	if (!*real)
		return fail(L, path, errno);
	lua_pushstring(L, *real);
	box_empty(real);
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

static int fs_basename(lua_State *L)
{
	const char *path = lua_tostring(L, 1), *end = path + strlen(path), *start;

	while (end > path + 1 && end[-1] == '/')
		end--;
	for (start = end; start > path && start[-1] != '/'; start--)
		;
	if (start == end && start > path)
		start--; /* "/" */
	if (!lua_isnil(L, 2)) {
		size_t size;
		const char *suffix = lua_tolstring(L, 2, &size);

		if ((size_t)(end - start) > size && !memcmp(end - size, suffix, size))
			end -= size;
	}
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

	if ((lua_toboolean(L, 2) ? stat(path, &st) : lstat(path, &st)) < 0)
		return fail(L, path, errno);
	files_push_stat(L, &st, true);
	return 1;
}

/* The task's directory before a relative pattern: its name is no pattern. */
static const char *push_pattern(lua_State *L, size_t *ret_prefix)
{
	const char *pattern = lua_tostring(L, 1), *folder = files_default(L);
	luaL_Buffer text;

	*ret_prefix = 0;
	if (*pattern == '/')
		return pattern;
	*ret_prefix = strlen(folder) + 1;
	luaL_buffinit(L, &text);
	for (const char *p = folder; *p; p++) {
		if (strchr("*?[]{},\\", *p))
			luaL_addchar(&text, '\\');
		luaL_addchar(&text, *p);
	}
	luaL_addchar(&text, '/');
	luaL_addstring(&text, pattern);
	luaL_pushresult(&text);
	return lua_tostring(L, -1);
}

static void free_paths(void *content)
{
	paths_done(content);
	free(content);
}

/* Paths as the pattern is: relative ones for a relative one. */
static int fs_glob(lua_State *L)
{
	void **box = box_push(L, free_paths);
	struct paths *found = *box = calloc(1, sizeof(*found));
	size_t prefix;
	const char *pattern = push_pattern(L, &prefix);
	int r;

	if (!found)
		return luaL_error(L, "not enough memory");
	r = find_paths(pattern, found);
	if (r == -E2BIG) {
		lua_pushnil(L);
		lua_pushfstring(L, "%s: more than %d folders to look into: name some", lua_tostring(L, 1),
			FIND_FOLDERS_MAX);
		return 2;
	}
	if (r < 0)
		return fail(L, lua_tostring(L, 1), -r);
	lua_newtable(L);
	value_mark_list(L, -1);
	for (size_t i = 0; i < found->count; i++) {
		lua_pushstring(L, found->list[i] + prefix);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	box_empty(box);
	return 1;
}

/* join(part, …): with one slash between them; an absolute one starts anew. */
static int fs_join(lua_State *L)
{
	luaL_Buffer path;
	int count = lua_gettop(L), first = 1;

	for (int i = 1; i <= count; i++)
		if (*luaL_checkstring(L, i) == '/')
			first = i;
	luaL_buffinit(L, &path);
	for (int i = first; i <= count; i++) {
		size_t size = luaL_bufflen(&path);

		if (size && luaL_buffaddr(&path)[size - 1] != '/' && *lua_tostring(L, i))
			luaL_addchar(&path, '/');
		luaL_addstring(&path, lua_tostring(L, i));
	}
	luaL_pushresult(&path);
	return 1;
}

/* clang-format off */
#define PATH_ARG { "path", ARG_STRING }
#define MODE_ARG { "mode", ARG_ANY, .optional = true }
#define PREFIX_ARG { "prefix", ARG_STRING, .optional = true }
/* clang-format on */

const struct function module_fs[] = {
	{ "append", fs_append, .acts = true, .args = { PATH_ARG, { "content", ARG_STRING } } },
	{ "basename", fs_basename, .args = { PATH_ARG, { "suffix", ARG_STRING, .optional = true } } },
	{ "dirname", fs_dirname, .args = { PATH_ARG } },
	{ "exists", fs_exists, .args = { PATH_ARG } },
	{ "glob", fs_glob, .args = { { "pattern", ARG_STRING } } },
	{ "is_dir", fs_is_dir, .args = { PATH_ARG } },
	{ "is_file", fs_is_file, .args = { PATH_ARG } },
	{ "is_link", fs_is_link, .args = { PATH_ARG } },
	{ "join", fs_join },
	{ "ls", fs_ls, .args = { { "path", ARG_STRING, .optional = true } } },
	{ "mkdir", fs_mkdir, .acts = true, .args = { PATH_ARG, MODE_ARG } },
	{ "read", fs_read,
		.args = { PATH_ARG, { "offset", ARG_INTEGER, .optional = true },
			{ "length", ARG_INTEGER, .optional = true } } },
	{ "readlink", fs_readlink, .args = { PATH_ARG } },
	{ "real_path", fs_real_path, .args = { PATH_ARG } },
	{ "remove", fs_rm, .acts = true, .args = { PATH_ARG } },
	{ "rm", fs_rm, .acts = true, .args = { PATH_ARG } },
	{ "size", fs_size, .args = { PATH_ARG } },
	{ "stat", fs_stat, .args = { PATH_ARG, { "follow", ARG_BOOLEAN, .optional = true } } },
	{ "tmpdir", fs_tmpdir, .acts = true, .args = { PREFIX_ARG } },
	{ "tmpname", fs_tmpname, true, .args = { PREFIX_ARG } },
	{ "touch", fs_touch, .acts = true, .args = { PATH_ARG } },
	{ "write", fs_write, .acts = true,
		.args = { PATH_ARG, { "content", ARG_STRING }, MODE_ARG,
			{ "atomic", ARG_BOOLEAN, .optional = true } } },
	{ NULL },
};
