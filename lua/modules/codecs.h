/* SPDX-License-Identifier: MIT */
#pragma once
/* Values as text and back: what the modules json, yaml and data share. Each finds its arguments at 1…n. */
#include "lua/module.h"

/* clang-format off */
#define TEXT_ARG { "text", ARG_STRING }
#define VALUE_ARG { "value", ARG_ANY }
#define PRETTY_ARG { "pretty", ARG_BOOLEAN, .optional = true }
/* clang-format on */

/* (text) → value, or nil and where it is wrong. Nothing at all (null) is nil alone. */
int codec_json_decode(lua_State *L);
int codec_yaml_decode(lua_State *L);

/* (value [, pretty]) → text, or nil and why not. */
int codec_json_encode(lua_State *L);
int codec_json_pretty(lua_State *L);
int codec_yaml_encode(lua_State *L);

/* (text) → text, or nil and where it is wrong. */
int codec_json_to_yaml(lua_State *L);
int codec_yaml_to_json(lua_State *L);

/* (text) → true, or false and where it is wrong. */
int codec_json_validate(lua_State *L);
