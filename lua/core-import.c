/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: files of the user's that belong to the run's program. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "engine/yaml.h"
#include "lua/core.h"
#include "lua/runner.h"
#include "lua/value.h"

enum { NAMES_MAX = 1000 }; /* of a folder, for suggestions */

/* imported() → what a run that is tried again had imported, or nil. */
static int core_imported(lua_State *L)
{
	value_push(L, runner_of(L)->imports);
	return 1;
}

static int core_modules_folder(lua_State *L)
{
	lua_pushliteral(L, "/etc/sloth/modules");
	return 1;
}

static int no_text(lua_State *L, const char *why)
{
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 2;
}

/* A device or a pipe would hold up the run. -errno. */
static int open_file(const char *path, struct stat *ret_st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode)) {
		close(fd);
		return -EISDIR;
	}
	return fd;
}

/* read_text(path, bytes) → the text of a file, or nil and why not. */
static int core_read_text(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	lua_Integer limit = luaL_checkinteger(L, 2);
	luaL_Buffer text;
	struct stat st;
	char *bytes = luaL_buffinitsize(L, &text, (size_t)limit + 1);
	int fd = open_file(path, &st);
	ssize_t n = 0, all = 0;

	if (fd < 0)
		return no_text(L, fd == -EISDIR ? "it is no file" : strerror(-fd));
	while (all <= limit && (n = read(fd, bytes + all, (size_t)(limit + 1 - all))) > 0)
		all += n;
	close(fd);
	if (n < 0)
		return no_text(L, strerror(errno));
	if (all > limit)
		return no_text(L, "it is larger than 1 MiB");
	if (!text_is_utf8(bytes, (size_t)all))
		return no_text(L, "it is no UTF-8 text");
	luaL_pushresultsize(&text, (size_t)all);
	return 1;
}

static int core_is_file(lua_State *L)
{
	struct stat st;

	lua_pushboolean(L, stat(luaL_checkstring(L, 1), &st) == 0 && S_ISREG(st.st_mode));
	return 1;
}

/* list_directory(path) → names, or nil. */
static int core_list_directory(lua_State *L)
{
	DIR *directory = opendir(luaL_checkstring(L, 1));
	char names[NAMES_MAX][64];
	struct dirent *entry;
	int count = 0;

	if (!directory)
		return 0;
	while (count < NAMES_MAX && (entry = readdir(directory)))
		if (*entry->d_name != '.' && strlen(entry->d_name) < sizeof(names[0]))
			strcpy(names[count++], entry->d_name);
	closedir(directory);
	lua_createtable(L, count, 0);
	for (int i = 0; i < count; i++) {
		lua_pushstring(L, names[i]);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* is_list(table): it came from a list of JSON or YAML, or has items. */
static int core_is_list(lua_State *L)
{
	lua_pushboolean(L, lua_rawlen(L, 1) > 0 || value_is_list(L, 1));
	return 1;
}

/* parse_document(file, text) → what a document of YAML has, and where; raises what is wrong with it. */
static int core_parse_document(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1), *text = luaL_checkstring(L, 2);
	struct fault fault = { 0 };
	json_t *value, *marks;

	if (yaml_parse_marks(file, text, strlen(text), &fault, &value, &marks) < 0)
		return luaL_error(L, "%s", fault.text);
	value_push(L, value);
	value_push(L, marks);
	json_decref(value);
	json_decref(marks);
	return 2;
}

const luaL_Reg core_import[] = {
	{ "parse_document", core_parse_document },
	{ "imported", core_imported },
	{ "is_file", core_is_file },
	{ "is_list", core_is_list },
	{ "list_directory", core_list_directory },
	{ "modules_folder", core_modules_folder },
	{ "read_text", core_read_text },
	{ NULL, NULL },
};
