/* SPDX-License-Identifier: MIT */
#pragma once
/* Values as text and back: what the modules json, yaml and data share. Each finds its arguments at 1…n. */
#include <jansson.h>
#include <lua.h>

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

/* NULL, and the sentence pushed. The caller frees. */
json_t *codec_json_parse(lua_State *L, const char *text, size_t size);
json_t *codec_yaml_parse(lua_State *L, const char *text, size_t size);

/* Pushes the text. `flags`: jansson's. */
void codec_json_push(lua_State *L, const json_t *json, size_t flags);
void codec_yaml_push(lua_State *L, const json_t *json);

/* A place on the stack for what is parsed; see box.h. */
json_t **codec_box(lua_State *L);
