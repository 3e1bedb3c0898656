/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files `events`, `events.json`, `activity` and `activity.json`, and those about the audit trail as a
 * whole.
 *
 * Root and the daemon's user see every event. Anybody else sees those without a stack, those of stacks that
 * he may read, and his own; so the file has another size for each of them. What one has seen of it is
 * remembered per user until somebody changes the access to a stack.
 */
#include "fs/node.h"

extern const struct stream events_stream, events_json_stream, activity_stream, activity_json_stream;

int64_t events_stamp(struct view *view);

/* nodes/audit.c */
int audit_show(struct view *view, FILE *out);
int audit_ask(struct view *view, struct buffer *ret_content);
int archives_show(struct view *view, FILE *out);
int archives_json_show(struct view *view, FILE *out);
int archives_write(struct view *view, const char *line, size_t size);
