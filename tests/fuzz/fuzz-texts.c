/* SPDX-License-Identifier: MIT */
/*
 * Texts that the library in Lua reads and changes: files with sections, tables of cron, authorized_keys,
 * templates, layouts of times, globs. Of the input, the first byte says which; the fields of the rest end
 * with a byte 0xff.
 */
int runner_program(int argc, char **argv);
#define main runner_program
#include "lua/runner.c"
#undef main

#include <lauxlib.h>

#include "lua/vm.h"
#include "tests/fuzz/input.h"

enum { MEMORY = 64 << 20, STEPS = 20000000 };

static struct runner runner;
static int check = LUA_NOREF;

static int library(lua_State *L)
{
	must(vm_push_library(L, luaL_checkstring(L, 1)) == 1);
	return 1;
}

static void too_long(lua_State *L, lua_Debug *debug)
{
	must(!"it ends");
}

static void begin(void)
{
	struct fault fault = { 0 };
	json_t *head;
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	must(dup2(pair[0], DAEMON_FD) == DAEMON_FD);
	must(runner_init(&runner) == 0);
	head = json_pack("{ss ss s{} s{} s{si si}}", "file", "fuzz.sloth", "workdir", "/tmp", "values",
		"options", "limits", "memory_bytes", MEMORY, "loading_ms", 0);
	must(head && runner_prepare(&runner, head, &fault) == 0);
	json_decref(head);
	must(luaL_loadfile(runner.vm.L, TEXTS_LUA) == LUA_OK);
	lua_pushcfunction(runner.vm.L, library);
	must(lua_pcall(runner.vm.L, 1, 1, 0) == LUA_OK);
	check = luaL_ref(runner.vm.L, LUA_REGISTRYINDEX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	static char text[1 << 16];
	lua_State *L;

	if (check == LUA_NOREF)
		begin();
	L = runner.vm.L;
	lua_sethook(L, too_long, LUA_MASKCOUNT, STEPS);
	lua_rawgeti(L, LUA_REGISTRYINDEX, check);
	lua_pushinteger(L, input_byte(&input));
	for (int i = 0; i < 4; i++)
		lua_pushlstring(L, text, input_text(&input, (char)0xff, text, sizeof(text)));
	must(lua_pcall(L, 5, 1, 0) == LUA_OK);
	if (lua_isstring(L, -1)) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		must(!"holds");
	}
	lua_settop(L, 0);
	return 0;
}
