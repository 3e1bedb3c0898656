/* SPDX-License-Identifier: MIT */
/* What is written in Lua, as part of the program. The .inc files are lib/NAME.lua as C string literals. */
#include "lua/library.h"

#pragma GCC diagnostic ignored "-Woverlength-strings"

#define LIBRARY(word, literal)                                                                               \
	{                                                                                                    \
		.name = #word, .chunk = "=[sloth:" #word "]", .text = literal, .size = sizeof(literal) - 1,  \
	}

static const char arguments_text[] =
#include "lua/arguments.inc"
	;
static const char data_text[] =
#include "lua/data.inc"
	;
static const char dsl_text[] =
#include "lua/dsl.inc"
	;
static const char exec_text[] =
#include "lua/exec.inc"
	;
static const char file_ops_text[] =
#include "lua/file_ops.inc"
	;
static const char goroutine_text[] =
#include "lua/goroutine.inc"
	;
static const char held_text[] =
#include "lua/held.inc"
	;
static const char kinds_text[] =
#include "lua/kinds.inc"
	;
static const char log_text[] =
#include "lua/log.inc"
	;
static const char preflight_text[] =
#include "lua/preflight.inc"
	;
static const char prelude_text[] =
#include "lua/prelude.inc"
	;
static const char secret_text[] =
#include "lua/secret.inc"
	;
static const char stack_text[] =
#include "lua/stack.inc"
	;
static const char state_text[] =
#include "lua/state.inc"
	;
static const char strings_text[] =
#include "lua/strings.inc"
	;
static const char task_text[] =
#include "lua/task.inc"
	;
static const char time_text[] =
#include "lua/time.inc"
	;

const struct library libraries[] = {
	LIBRARY(arguments, arguments_text),
	LIBRARY(data, data_text),
	LIBRARY(dsl, dsl_text),
	LIBRARY(exec, exec_text),
	LIBRARY(file_ops, file_ops_text),
	LIBRARY(goroutine, goroutine_text),
	LIBRARY(held, held_text),
	LIBRARY(kinds, kinds_text),
	LIBRARY(log, log_text),
	LIBRARY(preflight, preflight_text),
	LIBRARY(prelude, prelude_text),
	LIBRARY(secret, secret_text),
	LIBRARY(stack, stack_text),
	LIBRARY(state, state_text),
	LIBRARY(strings, strings_text),
	LIBRARY(task, task_text),
	LIBRARY(time, time_text),
	{ 0 },
};
