/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The run's one Lua state: its memory limit, its sandbox, the loading of text and of the library that is part
 * of this program. What a workflow may reach is listed in vm.c; everything else is not there.
 */
#include <lua.h>
#include <stddef.h>

struct runner;

enum { VM_PLACES = 8 };

/* What vm_where() has given: the reference of the text (0: none), and what it is made of. */
struct vm_place {
	int text, line;
	char file[LUA_IDSIZE];
};

struct vm {
	lua_State *L;
	size_t used, limit; /* bytes; 0: no limit */
	int traceback;	    /* reference of the message handler */
	struct vm_place places[VM_PLACES];
};

/* 0 or -ENOMEM. The limit of its memory is set later, by whoever knows it. */
int vm_init(struct vm *vm, struct runner *runner);

/* Loads libraries of lib/ (NULL ends the list) before they are named. 0 or -ENOMEM: it is as before
 * vm_init(). */
int vm_warm(struct vm *vm, const char *const *names);
/* After a fork: random numbers of its own. */
void vm_seed(struct vm *vm);
void vm_done(struct vm *vm);

/* Loads text (never bytecode) and pushes the function, or pushes a message. A lua status. A first line that
 * starts with "#!" is skipped. */
int vm_load(lua_State *L, const char *text, size_t size, const char *name);

/* Where the registry keeps texts that were loaded from files (chunk names with '@'), for messages. */
#define VM_SOURCES "sloth.sources"

void vm_keep_source(lua_State *L, const char *text, size_t size, const char *name);

/* Pushes what lib/NAME.lua returned; it is run at its first use. 1, or 0 and nothing pushed: there is none.
 */
int vm_push_library(lua_State *L, const char *name);

/* Calls teach.show(where, word): the text of a line of the workflow, or "". A lua_CFunction. */
int vm_show_line(lua_State *L);

/* lua_pcall() on the main thread, with file and line in the message. */
int vm_call(struct vm *vm, int arguments, int results);

/* Pushes "file:line" of the innermost function that is the workflow's, not the library's, and gives the line;
 * "?" and 0 when there is none. */
int vm_where(lua_State *L);

/* luaL_error() with that place. */
int vm_error(lua_State *L, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The word of `words` (a list at `index`) nearest to `word`, or NULL. */
const char *vm_nearest(lua_State *L, const char *word, int index);
