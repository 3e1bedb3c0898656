/* SPDX-License-Identifier: MIT */
/* JSON and YAML: a parser and an emitter each, and what is done with any of them. YAML's parser is the one
 * that the daemon has for its own files. */
#include "lua/modules/codecs.h"

#include <jansson.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/yaml-out.h"
#include "engine/yaml.h"
#include "lua/box.h"
#include "lua/value.h"

/* NULL, and the sentence pushed. The caller frees. */
typedef json_t *parse_text(lua_State *L, const char *text, size_t size);

/* One value, or an error raised. */
typedef void push_value(lua_State *L, json_t *json);

static json_t *parse_json(lua_State *L, const char *text, size_t size)
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

/* "yaml:3:5: what" → "line 3, column 5: what", as of JSON. */
static json_t *parse_yaml(lua_State *L, const char *text, size_t size)
{
	struct fault fault = { 0 };
	int line, column, skip = 0;
	json_t *json;

	if (yaml_parse("yaml", text, size, &fault, &json) == 0)
		return json;
	if (sscanf(fault.text, "yaml:%d:%d: %n", &line, &column, &skip) == 2 && skip)
		lua_pushfstring(L, "line %d, column %d: %s", line, column, fault.text + skip);
	else
		lua_pushstring(L, fault.text);
	return NULL;
}

static void push_json(lua_State *L, json_t *json, size_t flags)
{
	void **text = box_push(L, free);

	*text = json_dumps(json, JSON_ENCODE_ANY | JSON_SORT_KEYS | flags);
	if (!*text)
		luaL_error(L, "not enough memory");
	lua_pushstring(L, *text);
	box_empty(text);
	lua_remove(L, -2);
}

static void push_compact(lua_State *L, json_t *json)
{
	push_json(L, json, JSON_COMPACT);
}

static void push_pretty(lua_State *L, json_t *json)
{
	push_json(L, json, JSON_INDENT(2));
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

static void push_yaml(lua_State *L, json_t *json)
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

static void push_true(lua_State *L, json_t *json)
{
	lua_pushboolean(L, true);
}

static void free_json(void *json)
{
	json_decref(json);
}

static int from_text(lua_State *L, parse_text *parse, push_value *push)
{
	void **json = box_push(L, free_json);
	size_t size;
	const char *text = lua_tolstring(L, 1, &size);

	lua_pushnil(L);
	*json = parse(L, text, size);
	if (!*json)
		return 2;
	push(L, *json);
	box_empty(json);
	return 1;
}

static int to_text(lua_State *L, push_value *push)
{
	void **json = box_push(L, free_json);
	const char *error;

	*json = value_get(L, 1, &error);
	if (!*json) {
		lua_pushnil(L);
		lua_pushstring(L, error);
		return 2;
	}
	push(L, *json);
	box_empty(json);
	return 1;
}

int codec_json_decode(lua_State *L)
{
	return from_text(L, parse_json, value_push);
}

int codec_yaml_decode(lua_State *L)
{
	return from_text(L, parse_yaml, value_push);
}

int codec_json_to_yaml(lua_State *L)
{
	return from_text(L, parse_json, push_yaml);
}

int codec_yaml_to_json(lua_State *L)
{
	return from_text(L, parse_yaml, push_compact);
}

int codec_json_validate(lua_State *L)
{
	int count = from_text(L, parse_json, push_true);

	if (count == 2) {
		lua_pushboolean(L, false);
		lua_replace(L, -3);
	}
	return count;
}

int codec_json_encode(lua_State *L)
{
	return to_text(L, lua_toboolean(L, 2) ? push_pretty : push_compact);
}

int codec_json_pretty(lua_State *L)
{
	return to_text(L, push_pretty);
}

int codec_yaml_encode(lua_State *L)
{
	return to_text(L, push_yaml);
}
