/* SPDX-License-Identifier: MIT */
/* json: text from values and back. json.null stands for null inside lists. */
#include <lauxlib.h>
#include <stdlib.h>

#include "lua/module.h"
#include "lua/value.h"

static int json_decode(lua_State *L)
{
	json_error_t error;
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);
	json_t *json = json_loadb(text, size, JSON_DECODE_ANY, &error);

	if (!json) {
		lua_pushnil(L);
		lua_pushfstring(L, "line %d, column %d: %s", error.line, error.column, error.text);
		return 2;
	}
	value_push(L, json);
	json_decref(json);
	return 1;
}

static int json_encode(lua_State *L)
{
	const char *error;
	json_t *json = value_get(L, 1, &error);
	char *text;

	if (!json)
		return luaL_error(L, "json.encode: %s", error);
	text = json_dumps(json,
		JSON_ENCODE_ANY | JSON_SORT_KEYS | (lua_toboolean(L, 2) ? JSON_INDENT(2) : JSON_COMPACT));
	json_decref(json);
	if (!text)
		return luaL_error(L, "not enough memory");
	lua_pushstring(L, text);
	free(text);
	return 1;
}

const struct function module_json[] = {
	{ "decode", json_decode, .args = { { "text", ARG_STRING } } },
	{ "encode", json_encode,
		.args = { { "value", ARG_ANY }, { "pretty", ARG_BOOLEAN, .optional = true } } },
	{ "parse_json", json_decode, .args = { { "text", ARG_STRING } } },
	{ "to_json", json_encode,
		.args = { { "value", ARG_ANY }, { "pretty", ARG_BOOLEAN, .optional = true } } },
	{ NULL },
};
