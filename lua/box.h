/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What C functions that Lua calls own while they work: lua_error() jumps over cleanup attributes, and the box
 * on Lua's stack is emptied by the collector then.
 *
 *	json_t **json = (json_t **)box_push(L, free_it);
 *	*json = …;
 *	… lua_push…
 *	box_empty((void **)json);
 */
#include <lua.h>

/* Pushes a box with nothing in it, and gives the place of its content. `empty` is never called with NULL. */
void **box_push(lua_State *L, void (*empty)(void *content));

/* At once, and not by the collector. */
void box_empty(void **place);
