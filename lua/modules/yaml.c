/* SPDX-License-Identifier: MIT */
/* yaml: text from values and back, by the parser that the daemon has for its own files. */
#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/yaml-out.h"
#include "engine/yaml.h"
#include "lua/box.h"
#include "lua/module.h"
#include "lua/modules/codecs.h"
#include "lua/value.h"

/* "yaml:3:5: what" → "line 3, column 5: what", as of JSON. */
static void push_fault(lua_State *L, const char *text)
{
	int line, column, skip = 0;

	if (sscanf(text, "yaml:%d:%d: %n", &line, &column, &skip) == 2 && skip)
		lua_pushfstring(L, "line %d, column %d: %s", line, column, text + skip);
	else
		lua_pushstring(L, text);
}

json_t *codec_yaml_parse(lua_State *L, const char *text, size_t size)
{
	struct fault fault = { 0 };
	json_t *json;

	if (yaml_parse("yaml", text, size, &fault, &json) == 0)
		return json;
	push_fault(L, fault.text);
	return NULL;
}

/* malloc'ed, or NULL. */
static char *yaml_text(const json_t *json, size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);
	int r;

	if (!out)
		return NULL;
	r = yaml_write_sorted(out, json);
	if (fclose(out) != 0 || r < 0) {
		free(text);
		return NULL;
	}
	return text;
}

void codec_yaml_push(lua_State *L, const json_t *json)
{
	void **text = box_push(L, free);
	size_t size;

	*text = yaml_text(json, &size);
	if (!*text)
		luaL_error(L, "this value can't be written as YAML");
	lua_pushlstring(L, *text, size);
	box_empty(text);
	lua_remove(L, -2);
}

int codec_yaml_decode(lua_State *L)
{
	json_t **json = codec_box(L);
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);

	lua_pushnil(L);
	*json = codec_yaml_parse(L, text, size);
	if (!*json)
		return 2;
	value_push(L, *json);
	box_empty((void **)json);
	return 1;
}

int codec_yaml_encode(lua_State *L)
{
	json_t **json = codec_box(L);
	const char *error;

	*json = value_get(L, 1, &error);
	if (!*json) {
		lua_pushnil(L);
		lua_pushstring(L, error);
		return 2;
	}
	codec_yaml_push(L, *json);
	box_empty((void **)json);
	return 1;
}

int codec_yaml_to_json(lua_State *L)
{
	json_t **json = codec_box(L);
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);

	lua_pushnil(L);
	*json = codec_yaml_parse(L, text, size);
	if (!*json)
		return 2;
	codec_json_push(L, *json, JSON_COMPACT);
	box_empty((void **)json);
	return 1;
}

/* clang-format off */
#define TEXT_ARG { "text", ARG_STRING }
#define VALUE_ARG { "value", ARG_ANY }
/* clang-format on */

const struct function module_yaml[] = {
	{ "decode", codec_yaml_decode, .args = { TEXT_ARG } },
	{ "dump", codec_yaml_encode, .args = { VALUE_ARG } },
	{ "encode", codec_yaml_encode, .args = { VALUE_ARG } },
	{ "parse", codec_yaml_decode, .args = { TEXT_ARG } },
	{ "parse_yaml", codec_yaml_decode, .args = { TEXT_ARG } },
	{ "to_yaml", codec_yaml_encode, .args = { VALUE_ARG } },
	{ NULL },
};
