/* SPDX-License-Identifier: MIT */
#pragma once
/* Texts under a password. */
#include <lua.h>

/* encrypt(text, password), decrypt(text, password), whose arguments are checked. The key is made beside the
 * loop (lua/aside.h). */
int seal_encrypt(lua_State *L);
int seal_decrypt(lua_State *L);
