/* SPDX-License-Identifier: MIT */
#pragma once
/* The two forms of an event, which follow from one another: event.c's own. */
#include <jansson.h>
#include <stdio.h>

/* Keys sorted, no blanks, one line: what is hashed and shown. */
enum { EVENT_JSON_FLAGS = JSON_SORT_KEYS | JSON_COMPACT };

/* The line for people of an event's JSON object, with its newline. */
void event_write_line(const json_t *event, FILE *out);

/* A copy of what an event tells, without what terminals obey beyond ASCII: that stands as \xNN in it. Of
 * lines that are written already nothing may change, so it has to be done before. New reference, or NULL. */
json_t *event_harmless(const json_t *data);
