/* SPDX-License-Identifier: MIT */
#pragma once
/* Looking for drift, its first part: most things are as they were, which lua/glance.h can tell. */
#include <stdbool.h>
#include <sys/queue.h>

#include "lua/glance.h"

struct frame;
struct link;
struct part;

struct glances {
	struct link *link;
	struct glance glance; /* from the first frame on */
	STAILQ_HEAD(, part) parts;
};

void glances_init(struct glances *glances, struct link *link);
void glances_done(struct glances *glances);

/* 0 or -ENOMEM. */
int glances_add(struct glances *glances, const struct frame *frame);
/* Looks at some, and tells when all of a frame were looked at: whether there was something. */
bool glances_turn(struct glances *glances);
