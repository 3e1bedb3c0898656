/* SPDX-License-Identifier: MIT */
/* Regular expressions, by PCRE2. */
#include "lua/regex.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lua/dynamic.h"

enum { STEPS_MAX = 1000000, HEAP_MAX_KIB = 32 << 10 };

static const char REGEX[] = "sloth.regex", library[] = "libpcre2-8.so.0";

/* Its functions, as its header declares them. */
static struct {
	__typeof__(pcre2_compile) *compile;
	__typeof__(pcre2_code_free) *code_free;
	__typeof__(pcre2_match) *match;
	__typeof__(pcre2_match_data_create_from_pattern) *data_create;
	__typeof__(pcre2_match_data_free) *data_free;
	__typeof__(pcre2_get_ovector_pointer) *vector;
	__typeof__(pcre2_match_context_create) *context_create;
	__typeof__(pcre2_set_match_limit) *set_match_limit;
	__typeof__(pcre2_set_heap_limit) *set_heap_limit;
	__typeof__(pcre2_get_error_message) *message;
	__typeof__(pcre2_pattern_info) *info;
	pcre2_match_context *context;
} pcre2;

static bool pcre2_load(void)
{
	static const struct symbol functions[] = {
		{ "pcre2_compile_8", &pcre2.compile },
		{ "pcre2_code_free_8", &pcre2.code_free },
		{ "pcre2_match_8", &pcre2.match },
		{ "pcre2_match_data_create_from_pattern_8", &pcre2.data_create },
		{ "pcre2_match_data_free_8", &pcre2.data_free },
		{ "pcre2_get_ovector_pointer_8", &pcre2.vector },
		{ "pcre2_match_context_create_8", &pcre2.context_create },
		{ "pcre2_set_match_limit_8", &pcre2.set_match_limit },
		{ "pcre2_set_heap_limit_8", &pcre2.set_heap_limit },
		{ "pcre2_get_error_message_8", &pcre2.message },
		{ "pcre2_pattern_info_8", &pcre2.info },
	};

	if (pcre2.context)
		return true;
	if (!dynamic_load(library, functions, sizeof(functions) / sizeof(functions[0])))
		return false;
	pcre2.context = pcre2.context_create(NULL);
	if (!pcre2.context)
		return false;
	pcre2.set_match_limit(pcre2.context, STEPS_MAX);
	pcre2.set_heap_limit(pcre2.context, HEAP_MAX_KIB);
	return true;
}

struct regex {
	pcre2_code *code;
	pcre2_match_data *data;
};

static int regex_collect(lua_State *L)
{
	struct regex *regex = luaL_checkudata(L, 1, REGEX);

	if (regex->data)
		pcre2.data_free(regex->data);
	if (regex->code)
		pcre2.code_free(regex->code);
	*regex = (struct regex){ 0 };
	return 0;
}

static int push_message(lua_State *L, int error)
{
	PCRE2_UCHAR text[160] = "";

	lua_pushnil(L);
	if (error == PCRE2_ERROR_MATCHLIMIT || error == PCRE2_ERROR_HEAPLIMIT) {
		lua_pushliteral(
			L, "the regular expression takes too many steps on this text: make it simpler");
		return 2;
	}
	pcre2.message(error, text, sizeof(text));
	lua_pushstring(L, (const char *)text);
	return 2;
}

static void push_groups(lua_State *L, const char *text, const PCRE2_SIZE *vector, int count)
{
	lua_createtable(L, count, 0);
	for (int i = 1; i < count; i++) {
		if (vector[2 * i] == PCRE2_UNSET)
			lua_pushboolean(L, false);
		else
			lua_pushlstring(L, text + vector[2 * i], vector[2 * i + 1] - vector[2 * i]);
		lua_rawseti(L, -2, i);
	}
}

static int regex_find(lua_State *L)
{
	struct regex *regex = luaL_checkudata(L, 1, REGEX);
	size_t size;
	const char *text = luaL_checklstring(L, 2, &size);
	lua_Integer first = luaL_checkinteger(L, 3);
	uint32_t options = lua_toboolean(L, 4) ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0, groups = 0;
	const PCRE2_SIZE *vector;
	int count;

	if (first < 1 || (size_t)first > size + 1)
		return 0;
	count = pcre2.match(
		regex->code, (PCRE2_SPTR)text, size, (size_t)first - 1, options, regex->data, pcre2.context);
	if (count == PCRE2_ERROR_NOMATCH)
		return 0;
	if (count < 0)
		return push_message(L, count);
	vector = pcre2.vector(regex->data);
	pcre2.info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	/* Groups behind the last one that was taken are unset in the vector, too. */
	lua_pushinteger(L, (lua_Integer)vector[0] + 1);
	lua_pushinteger(L, (lua_Integer)vector[1]);
	push_groups(L, text, vector, (int)groups + 1);
	return 3;
}

static int regex_names(lua_State *L)
{
	struct regex *regex = luaL_checkudata(L, 1, REGEX);
	uint32_t count = 0, size = 0;
	PCRE2_SPTR names = NULL;

	pcre2.info(regex->code, PCRE2_INFO_NAMECOUNT, &count);
	pcre2.info(regex->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2.info(regex->code, PCRE2_INFO_NAMETABLE, &names);
	lua_createtable(L, 0, (int)count);
	for (uint32_t i = 0; i < count; i++, names += size) {
		lua_pushinteger(L, names[0] << 8 | names[1]);
		lua_setfield(L, -2, (const char *)names + 2);
	}
	return 1;
}

static const luaL_Reg methods[] = {
	{ "find", regex_find },
	{ "names", regex_names },
	{ NULL, NULL },
};

static struct regex *push_regex(lua_State *L)
{
	struct regex *regex = lua_newuserdatauv(L, sizeof(*regex), 0);

	*regex = (struct regex){ 0 };
	if (luaL_newmetatable(L, REGEX)) {
		lua_pushcfunction(L, regex_collect);
		lua_setfield(L, -2, "__gc");
		luaL_newlib(L, methods);
		lua_setfield(L, -2, "__index");
	}
	lua_setmetatable(L, -2);
	return regex;
}

int regex_new(lua_State *L)
{
	size_t size;
	const char *pattern = luaL_checklstring(L, 1, &size);
	/* As of Go and Python: a text may have any bytes; \C and callouts are nobody's business. */
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
			   (lua_toboolean(L, 2) ? PCRE2_MULTILINE : 0);
	struct regex *regex;
	PCRE2_SIZE offset;
	int error;

	if (!pcre2_load()) {
		lua_pushnil(L);
		lua_pushliteral(L, "regular expressions need the package libpcre2-8-0, which is not here");
		return 2;
	}
	regex = push_regex(L);
	regex->code = pcre2.compile((PCRE2_SPTR)pattern, size, options, &error, &offset, NULL);
	if (!regex->code) {
		int results = push_message(L, error);

		lua_pushfstring(L, "the regular expression '%s' is wrong at character %d: %s", pattern,
			(int)offset + 1, lua_tostring(L, -1));
		lua_remove(L, -2);
		return results;
	}
	regex->data = pcre2.data_create(regex->code, NULL);
	return regex->data ? 1 : luaL_error(L, "not enough memory");
}
