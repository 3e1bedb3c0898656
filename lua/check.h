/* SPDX-License-Identifier: MIT */
#pragma once
/* Looking at things with the rights of a user, before a run: the frame `check` (doc/protocol.md). */
#include <jansson.h>

struct runner;
struct frame;

/* Answers with `checked`; the process leaves then. */
void check_frame(struct runner *runner, json_t *head, const struct frame *frame);
