/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The audit trail: append-only rows, each with SHA-256(hash of the one before ‖ its own canonical JSON),
 * written in the transaction of the change that they tell of.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "engine/caller.h"
#include "engine/engine.h"

/* Both forms are fixed when the event is written: a line of text and a line of JSON, and their places in the
 * files `events` and `events.json` when all events are visible. */
struct event {
	int64_t id;
	int64_t time_ms;
	int64_t stack_id; /* 0: none; the stack may be gone */
	int64_t run_id;
	uid_t uid;
	const char *type, *line, *json; /* borrowed while `each` runs; line and json end with a newline */
};

/* `type` like "lock.acquired". `stack_id`/`stack` and `run_id` may be 0/NULL. `data` is stolen (NULL: none).
 * caller NULL: the daemon. Must stand in a change. Notes ASPECT_EVENTS for the system and the stack. */
int event_add(struct engine *engine, struct caller *caller, const char *type, int64_t stack_id,
	const char *stack, int64_t run_id, json_t *data);
/* Who may use a thing that is no stack's has changed: `what` says what `name` is ("namespace"). In a change.
 */
int event_add_rights(struct engine *engine, struct caller *caller, const char *type, const char *what,
	const char *name, uid_t uid, gid_t gid, mode_t mode);

/* Events in order with id > after that are not archived; stack_id 0: all. Until `each` returns non-zero,
 * which is returned. */
int event_each(struct engine *engine, int64_t after, int64_t stack_id,
	int (*each)(void *userdata, const struct event *event), void *userdata);

/* Bytes of `events` (json: of events.json) when all is visible, and the first event at or after the byte
 * `offset`, with the offset at which it starts: for readers that may see all. */
int event_size(struct engine *engine, bool json, int64_t *ret_size);
int event_seek(struct engine *engine, bool json, int64_t offset, int64_t *ret_id, int64_t *ret_start);

/* Where the event `id` begins in the file. */
int event_offset(struct engine *engine, bool json, int64_t id, int64_t *ret_offset);

/* Behind what is archived (see event-archive.h), and behind the newest event. Either may be NULL. */
int event_places(struct engine *engine, struct event_place *ret_base, struct event_place *ret_end);
/* After the archives have changed. */
void event_forget_places(struct engine *engine);

/* Newest id, 0: none. */
int64_t event_last(struct engine *engine);

/* The newest event's hash in hexadecimal digits: all events hang on it. Zeros when there is none. */
enum { EVENT_HASH_SIZE = 32 };
const char *event_head(struct engine *engine, char ret_text[2 * EVENT_HASH_SIZE + 1]);

/* Walks the chain, from what is archived on: 0, or -EBADMSG with the first event that does not fit in the
 * fault. audit.h does it in slices. */
int event_verify(struct engine *engine, struct fault *fault);

/* The row of a query over the columns of events. Borrowed until its next step. */
void event_load(struct query *query, struct event *ret_event);
