/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files `events`, `events.json` and `activity`.
 *
 * Root and the daemon's user see every event. Anybody else sees those without a stack, those of stacks that
 * he may read, and his own; so the file has another size for each of them. What one has seen of it is
 * remembered per user until somebody changes the access to a stack.
 */
#include "fs/node.h"

extern const struct stream events_stream, events_json_stream, activity_stream;

int64_t events_stamp(struct view *view);
