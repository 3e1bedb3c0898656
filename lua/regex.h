/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Regular expressions for the library that is written in Lua: those of Perl, by PCRE2, which Debian has on
 * every machine (coreutils' libselinux needs it) and which is loaded when the first one is used. They can't
 * run for long: the number of steps and the memory are bounded.
 */
#include <lua.h>

/* regex(pattern [, in lines]) → an object, or nil and where it is wrong. `in lines`: ^ and $ are at every
 * line. Its methods:
 * find(text, first byte [, not empty]) → first and last byte, list of the groups (false: not taken); nil: no
 *   such; nil and a message.
 * names() → { name = number } */
int regex_new(lua_State *L);
