/* SPDX-License-Identifier: MIT */
/* Frames `glance`: many things, of which it is told which are not what they were. */
#include "lua/detect-glance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/frame.h"
#include "lua/link.h"

enum {
	TURN_ROWS = 256,      /* that are looked at before the loop turns */
	TURN_BYTES = 4 << 20, /* … or so many bytes of files */
};

/* A frame: its body, and those of it that are to be told of. */
struct part {
	STAILQ_ENTRY(part) parts;
	struct buffer body; /* type, path and what was seen, each with a NUL */
	size_t offset;
	size_t at; /* the row that stands there */
	json_t *others;
};

static void part_free(struct part *part)
{
	buffer_done(&part->body);
	json_decref(part->others);
	free(part);
}

static void part_freep(struct part **part)
{
	if (*part)
		part_free(*part);
}

void glances_init(struct glances *glances, struct link *link)
{
	*glances = (struct glances){ .link = link };
	STAILQ_INIT(&glances->parts);
}

void glances_done(struct glances *glances)
{
	struct part *part;

	while ((part = STAILQ_FIRST(&glances->parts))) {
		STAILQ_REMOVE_HEAD(&glances->parts, parts);
		part_free(part);
	}
	glance_done(&glances->glance);
}

int glances_add(struct glances *glances, const struct frame *frame)
{
	CLEANUP(part_freep) struct part *part = calloc(1, sizeof(*part));

	if (!part || (!glances->glance.bytes && glance_init(&glances->glance) < 0))
		return -ENOMEM;
	part->others = json_array();
	/* What does not end in a NUL is no row. */
	if (!part->others || (frame->body_size && frame->body[frame->body_size - 1]) ||
		buffer_append(&part->body, frame->body, frame->body_size) < 0)
		return -ENOMEM;
	STAILQ_INSERT_TAIL(&glances->parts, part, parts);
	TAKE(part);
	return 0;
}

/* NULL: there is no more. */
static const char *next_text(struct part *part)
{
	const char *text = part->body.data + part->offset;

	if (part->offset >= part->body.size)
		return NULL;
	part->offset += strlen(text) + 1;
	return text;
}

/* Whether there was a row. */
static bool look_at_one(struct glances *glances, struct part *part)
{
	const char *type = next_text(part), *path = next_text(part), *actual = next_text(part);

	if (!actual)
		return false;
	if (!glance_same(&glances->glance, type, path, actual))
		json_array_append_new(part->others, json_integer((json_int_t)part->at));
	part->at++;
	return true;
}

bool glances_turn(struct glances *glances)
{
	struct part *part = STAILQ_FIRST(&glances->parts);

	if (!part)
		return false;
	for (int i = 0; i < TURN_ROWS && glances->glance.read < TURN_BYTES; i++) {
		if (look_at_one(glances, part))
			continue;
		STAILQ_REMOVE_HEAD(&glances->parts, parts);
		link_send(glances->link, json_pack("{ss sO}", "op", "glanced", "others", part->others));
		part_free(part);
		break;
	}
	/* What was held may be another thing when it is gone on with. */
	glance_forget(&glances->glance);
	return true;
}
