/* SPDX-License-Identifier: MIT */
/* json: text from values and back. json.null stands for null inside lists; lib/json.lua adds it. */
#include <lauxlib.h>
#include <stdlib.h>

#include "lua/box.h"
#include "lua/module.h"
#include "lua/modules/codecs.h"
#include "lua/value.h"

static void free_json(void *json)
{
	json_decref(json);
}

json_t **codec_box(lua_State *L)
{
	return (json_t **)box_push(L, free_json);
}

json_t *codec_json_parse(lua_State *L, const char *text, size_t size)
{
	json_error_t error;
	json_t *json = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

	/* Beyond 64 bits numbers are floating point ones, as in Lua's own programs. */
	if (!json && json_error_code(&error) == json_error_numeric_overflow)
		json = json_loadb(
			text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
	if (!json)
		lua_pushfstring(L, "line %d, column %d: %s", error.line, error.column, error.text);
	return json;
}

void codec_json_push(lua_State *L, const json_t *json, size_t flags)
{
	void **text = box_push(L, free);

	*text = json_dumps(json, JSON_ENCODE_ANY | JSON_SORT_KEYS | flags);
	if (!*text)
		luaL_error(L, "not enough memory");
	lua_pushstring(L, *text);
	box_empty(text);
	lua_remove(L, -2);
}

int codec_json_decode(lua_State *L)
{
	json_t **json = codec_box(L);
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);

	lua_pushnil(L);
	*json = codec_json_parse(L, text, size);
	if (!*json)
		return 2;
	value_push(L, *json);
	box_empty((void **)json);
	return 1;
}

static int encode(lua_State *L, size_t flags)
{
	json_t **json = codec_box(L);
	const char *error;

	*json = value_get(L, 1, &error);
	if (!*json) {
		lua_pushnil(L);
		lua_pushstring(L, error);
		return 2;
	}
	codec_json_push(L, *json, flags);
	box_empty((void **)json);
	return 1;
}

int codec_json_encode(lua_State *L)
{
	return encode(L, lua_toboolean(L, 2) ? JSON_INDENT(2) : JSON_COMPACT);
}

int codec_json_pretty(lua_State *L)
{
	return encode(L, JSON_INDENT(2));
}

int codec_json_validate(lua_State *L)
{
	json_t **json = codec_box(L);
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);

	lua_pushboolean(L, false);
	*json = codec_json_parse(L, text, size);
	if (!*json)
		return 2;
	box_empty((void **)json);
	lua_pushboolean(L, true);
	return 1;
}

int codec_json_to_yaml(lua_State *L)
{
	json_t **json = codec_box(L);
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);

	lua_pushnil(L);
	*json = codec_json_parse(L, text, size);
	if (!*json)
		return 2;
	codec_yaml_push(L, *json);
	box_empty((void **)json);
	return 1;
}

/* clang-format off */
#define TEXT_ARG { "text", ARG_STRING }
#define VALUE_ARG { "value", ARG_ANY }
#define PRETTY_ARG { "pretty", ARG_BOOLEAN, .optional = true }
/* clang-format on */

const struct function module_json[] = {
	{ "decode", codec_json_decode, .args = { TEXT_ARG } },
	{ "encode", codec_json_encode, .args = { VALUE_ARG, PRETTY_ARG } },
	{ "parse", codec_json_decode, .args = { TEXT_ARG } },
	{ "parse_json", codec_json_decode, .args = { TEXT_ARG } },
	{ "pretty", codec_json_pretty, .args = { VALUE_ARG } },
	{ "stringify", codec_json_encode, .args = { VALUE_ARG, PRETTY_ARG } },
	{ "to_json", codec_json_encode, .args = { VALUE_ARG, PRETTY_ARG } },
	{ "validate", codec_json_validate, .args = { TEXT_ARG } },
	{ NULL },
};
