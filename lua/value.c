/* SPDX-License-Identifier: MIT */
/* Values between Lua and JSON. */
#include "lua/value.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/text.h"

enum { DEPTH_MAX = 100 };
static const char LIST[] = "sloth.list"; /* the metatable of lists */

json_t *value_text(const char *text, size_t size)
{
	CLEANUP(buffer_done) struct buffer clean = { 0 };

	if (text_is_utf8(text, size))
		return json_stringn(text, size);
	for (size_t i = 0; i < size;) {
		size_t n = 1;

		while (n < 4 && i + n <= size && !text_is_utf8(text + i, n))
			n++;
		if (i + n <= size && text_is_utf8(text + i, n)) {
			buffer_append(&clean, text + i, n);
			i += n;
		} else {
			buffer_append_text(&clean, "\xef\xbf\xbd");
			i++;
		}
	}
	return json_stringn(buffer_text(&clean), clean.size);
}

json_t *value_brief(const char *text, size_t most)
{
	CLEANUP(cleanup_free) char *brief = NULL;
	size_t size = strlen(text);

	if (size <= most)
		return value_text(text, size);
	while (most && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	if (asprintf(&brief, "%.*s… (%zu bytes)", (int)most, text, size) < 0) {
		brief = NULL;
		return NULL;
	}
	return value_text(brief, strlen(brief));
}

void value_mark_list(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	luaL_newmetatable(L, LIST);
	lua_setmetatable(L, index);
}

bool value_is_list(lua_State *L, int index)
{
	bool marked;

	if (!lua_getmetatable(L, index))
		return false;
	luaL_getmetatable(L, LIST);
	marked = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return marked;
}

static json_t *get(lua_State *L, int index, int depth, const char **ret_error);

static json_t *get_list(lua_State *L, int index, lua_Integer count, int depth, const char **ret_error)
{
	CLEANUP(cleanup_json) json_t *list = json_array();

	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, index, i);
		json_t *item = get(L, lua_gettop(L), depth + 1, ret_error);
		lua_pop(L, 1);
		if (!item || json_array_append_new(list, item) < 0)
			return NULL;
	}
	return TAKE(list);
}

static json_t *get_object(lua_State *L, int index, int depth, const char **ret_error)
{
	CLEANUP(cleanup_json) json_t *object = json_object();

	lua_pushnil(L);
	while (lua_next(L, index)) {
		size_t size;
		const char *key;
		json_t *item = NULL;

		lua_pushvalue(L, -2); /* lua_tolstring() would change the key under lua_next() */
		key = lua_type(L, -1) == LUA_TSTRING || lua_isinteger(L, -1) ? lua_tolstring(L, -1, &size)
									     : NULL;
		if (!key)
			*ret_error = "a key that is neither a string nor a whole number can't be stored";
		else if (!text_is_utf8(key, size))
			*ret_error = "a key that is not UTF-8 can't be stored";
		else
			item = get(L, lua_gettop(L) - 1, depth + 1, ret_error);
		if (!item || json_object_set_new(object, key, item) < 0) {
			lua_pop(L, 3);
			return NULL;
		}
		lua_pop(L, 2);
	}
	return TAKE(object);
}

static json_t *get_table(lua_State *L, int index, int depth, const char **ret_error)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, index), keys = 0;
	json_t *json;

	if (depth > DEPTH_MAX || !lua_checkstack(L, 8)) {
		*ret_error = "a table that contains itself, or is nested too deeply, can't be stored";
		return NULL;
	}
	/* What stands for a string (the result of a command) is stored as that. */
	if (luaL_getmetafield(L, index, "__value") != LUA_TNIL) {
		lua_gettable(L, index);
		json = get(L, lua_gettop(L), depth + 1, ret_error);
		lua_pop(L, 1);
		return json;
	}
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		keys++;
	}
	if ((keys > 0 && keys == count) || (keys == 0 && value_is_list(L, index)))
		return get_list(L, index, count, depth, ret_error);
	return get_object(L, index, depth, ret_error);
}

static json_t *get_number(lua_State *L, int index, const char **ret_error)
{
	lua_Number number;

	if (lua_isinteger(L, index))
		return json_integer(lua_tointeger(L, index));
	number = lua_tonumber(L, index);
	if (!isfinite(number)) {
		*ret_error = "infinite numbers and NaN can't be stored";
		return NULL;
	}
	if (number == floor(number) && fabs(number) < 9e15)
		return json_integer((json_int_t)number);
	return json_real(number);
}

static json_t *get(lua_State *L, int index, int depth, const char **ret_error)
{
	size_t size;
	const char *text;

	switch (lua_type(L, index)) {
	case LUA_TNIL:
		return json_null();
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(L, index));
	case LUA_TNUMBER:
		return get_number(L, index, ret_error);
	case LUA_TSTRING:
		text = lua_tolstring(L, index, &size);
		if (!text_is_utf8(text, size)) {
			*ret_error = memchr(text, '\0', size) ? "a string with a NUL byte can't be stored"
							      : "a string that is not UTF-8 can't be stored";
			return NULL;
		}
		return json_stringn(text, size);
	case LUA_TTABLE:
		return get_table(L, index, depth, ret_error);
	case LUA_TLIGHTUSERDATA:
		if (!lua_touserdata(L, index))
			return json_null();
		break;
	default:
		break;
	}
	*ret_error = lua_isfunction(L, index) ? "a function can't be stored"
					      : "only strings, numbers, booleans and tables can be stored";
	return NULL;
}

json_t *value_get(lua_State *L, int index, const char **ret_error)
{
	*ret_error = "not enough memory";
	return get(L, lua_absindex(L, index), 0, ret_error);
}

static void push_number(lua_State *L, double number)
{
	if (number == floor(number) && fabs(number) < 9e15)
		lua_pushinteger(L, (lua_Integer)number);
	else
		lua_pushnumber(L, number);
}

void value_push(lua_State *L, json_t *json)
{
	const char *key;
	size_t i;
	json_t *item;

	luaL_checkstack(L, 4, "a value is nested too deeply");
	switch (json ? json_typeof(json) : JSON_NULL) {
	case JSON_OBJECT:
		lua_createtable(L, 0, (int)json_object_size(json));
		json_object_foreach (json, key, item) {
			value_push(L, item);
			lua_setfield(L, -2, key);
		}
		break;
	case JSON_ARRAY:
		lua_createtable(L, (int)json_array_size(json), 0);
		value_mark_list(L, -1);
		json_array_foreach (json, i, item) {
			if (json_is_null(item))
				lua_pushlightuserdata(L, NULL);
			else
				value_push(L, item);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		break;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(json), json_string_length(json));
		break;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer_value(json));
		break;
	case JSON_REAL:
		push_number(L, json_real_value(json));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(json));
		break;
	case JSON_NULL:
		lua_pushnil(L);
		break;
	}
}
