/* SPDX-License-Identifier: MIT */
/* Boxes on Lua's stack. */
#include "lua/box.h"

#include <lauxlib.h>
#include <stddef.h>

struct box {
	void *content; /* first: its place is the box's */
	void (*empty)(void *content);
};

static const char BOX[] = "sloth.box";

void box_empty(void **place)
{
	struct box *box = (struct box *)place;
	void *content = box->content;

	box->content = NULL;
	if (content)
		box->empty(content);
}

static int box_collect(lua_State *L)
{
	box_empty(lua_touserdata(L, 1));
	return 0;
}

void **box_push(lua_State *L, void (*empty)(void *content))
{
	struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);

	*box = (struct box){ .empty = empty };
	if (luaL_newmetatable(L, BOX)) {
		lua_pushcfunction(L, box_collect);
		lua_setfield(L, -2, "__gc");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	lua_setmetatable(L, -2);
	return &box->content;
}
