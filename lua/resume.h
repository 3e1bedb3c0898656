/* SPDX-License-Identifier: MIT */
#pragma once
/* A run that repeats another: what the daemon told of its tasks (`resume` in doc/protocol.md) becomes theirs.
 */

struct workflow;

/* Ends the tasks that are not to be run: those that had finished well, and those that were not chosen. */
void resume_tasks(struct workflow *workflow);
