/* SPDX-License-Identifier: MIT */
#pragma once
/* The plan of a loaded workflow: its tasks with all words that matter before it runs, in which order they
 * start, what holds them up. The frame `loaded` is made of it, and the answer to a check that asks for it. */
struct json_write;
struct workflow;

/* Its members (doc/protocol.md, `loaded`), into an object that the caller opens and closes. 0 or -ENOMEM. */
int plan_write(struct workflow *workflow, struct json_write *out);
