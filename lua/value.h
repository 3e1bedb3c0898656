/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Values between Lua and JSON. Whole numbers are integers on both sides; a table with the keys 1…n is a list,
 * every other one an object; lists that came from JSON stay lists when they become empty; null inside a list
 * is json.null.
 */
#include <jansson.h>
#include <lua.h>
#include <stdbool.h>

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}

/* The value at `index` as JSON, or NULL with a sentence in `ret_error` ("a function can't be stored";
 * static). */
json_t *value_get(lua_State *L, int index, const char **ret_error);

/* Pushes it. Raises only when memory runs out. */
void value_push(lua_State *L, json_t *json);

/* Whether it was made one, also when it is empty. */
bool value_is_list(lua_State *L, int index);

/* Makes the table at `index` a list for ever. */
void value_mark_list(lua_State *L, int index);

/* Text from anywhere as a JSON string: bytes that are not UTF-8 become U+FFFD. */
json_t *value_text(const char *text, size_t size);

/* The same, of `most` bytes at the most: how many there are is said behind them. For frames, which are
 * bounded. */
json_t *value_brief(const char *text, size_t most);
