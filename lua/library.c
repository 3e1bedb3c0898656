/* SPDX-License-Identifier: MIT */
/* What is written in Lua, as part of the program. */
#include "lua/library.h"

#pragma GCC diagnostic ignored "-Woverlength-strings"

#define LIBRARY(word)                                                                                        \
	{                                                                                                    \
		.name = #word, .chunk = "=[sloth:" #word "]", .text = word##_text,                           \
		.size = sizeof(word##_text) - 1,                                                             \
	}

#include "lua/library-list.h"
