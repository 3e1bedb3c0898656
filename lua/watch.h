/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Watching what stacks look after (doc/protocol.md, `watch`), with the rights of their owner, as long as the
 * daemon lives. Each resource that is told of (`resources`, as of lua/detect.h, which does the looking) is
 * watched from then on, as its provider says, and looked at once. What changes is told to the daemon
 * (`changed`), which sends it again to be looked at.
 */
#include <jansson.h>
#include <lauxlib.h>
#include <stdbool.h>

struct frame;
struct runner;
struct watch;

void watch_frame(struct runner *runner, json_t *head, const struct frame *frame);
/* A resource, or all of a stack, is not watched any more. */
void watch_forget_frame(struct runner *runner, json_t *head, const struct frame *frame);

/* `busy`: resources are being looked at. */
void watch_turn(struct watch *watch, bool busy);
void watch_free(struct watch *watch);

/* For lib/watching.lua: watch(id, stack, list), looked(id). */
extern const luaL_Reg core_watch[];
