/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua, in test builds: the places of base/failpoint.h. Elsewhere
 * lua/meson.build leaves out the lines that name them. */
#include "base/failpoint.h"
#include "lua/core.h"

#ifdef SLOTH_TORTURE
#include <lauxlib.h>

#define ROW(id, text)                                                                                        \
	static struct failpoint id = { .name = text };                                                       \
	static struct failpoint *const row_##id __attribute__((section("failpoints"), used)) = &id;

/* Of each change of a thing: what it is is kept, it is changed, that is told. */
ROW(intent, "intent")
ROW(effect, "effect")
ROW(recorded_intent, "recorded.intent")
ROW(recorded_effect, "recorded.effect")
ROW(around_intent, "around.intent")
ROW(around_effect, "around.effect")
/* Of each that is taken back. */
ROW(undo_intent, "undo.intent")
ROW(undo_effect, "undo.effect")
ROW(undo_marked, "undo.marked")

static int core_failpoint(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	return failpoint_pass_name(name) == 0 ? 0 : luaL_error(L, "%s is no failpoint", name);
}
#endif

const luaL_Reg core_failpoints[] = {
#ifdef SLOTH_TORTURE
	{ "failpoint", core_failpoint },
#endif
	{ NULL, NULL },
};
