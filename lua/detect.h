/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Looking for drift (doc/protocol.md, `detect`): what the resources of a stack are in the world, read with
 * the rights of the stack's owner. A fiber for each resource, some at a time. Nothing is changed: functions
 * that act are refused, and there is no daemon to ask.
 *
 * The stack's workflow is loaded when a resource has a type that no provider of ours is for: it may define
 * one.
 */
#include <jansson.h>
#include <stdbool.h>

struct detect;
struct frame;
struct runner;

void detect_frame(struct runner *runner, json_t *head, const struct frame *frame);
/* What was as it is asked for when it was seen last; comes before the others. */
void detect_glance_frame(struct runner *runner, json_t *head, const struct frame *frame);
/* The same for a process that goes on for ever (lua/watch.h). 0 or -1. */
int detect_begin(struct runner *runner);
/* What is to be looked at, in parts; `last` is true in the last one. */
void detect_resources_frame(struct runner *runner, json_t *head, const struct frame *frame);

/* Reports what is known, starts what can start: whether there was something. */
bool detect_turn(struct detect *detect);

/* Ends it: what is under way gets an error where it waits, its commands a signal. */
void detect_cancel(struct detect *detect);
void detect_free(struct detect *detect);
