/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Before-images: what a thing was before a run changed it. A row is on disk before the change is made, with
 * all that it takes to put the thing back, also when the process of the run has died meanwhile. The rows of a
 * run are the list of what it has changed; they go with the run.
 *
 * What stands in an image is its provider's business (lua/lib/images.lua), as JSON: `desired` (which thing,
 * and what the run wanted of it), `was` and `became` (its properties before and after), `image` (what undo()
 * of the provider takes), `row` (what the stack's row of the resource said before). Bytes of files are parts:
 * those that everybody may read are contents (engine/content.h), others are encrypted with a key of the run's
 * own, which is sealed; so is the JSON where somebody may not see it.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "engine/engine.h"

enum { IMAGE_DATA_MAX = 1 << 20 /* bytes of the JSON */ };

struct image {
	int64_t id, run_id;
	const char *task;	    /* that made the change */
	const char *type, *name;    /* of the thing */
	const char *state;	    /* "taken": the change is about to be made; "done", "undone", "failed" */
	const char *reason, *error; /* why it can't be put back; why it was not */
	int64_t undoes;		    /* the image that this change puts back, 0: none */
	bool sealed;
	int64_t time_ms;
};

/* What is kept. The JSON is borrowed. */
struct image_draft {
	const char *task, *type, *name, *reason;
	json_t *desired, *was, *image, *row;
	int64_t undoes;
	bool is_private; /* not everybody who sees the stack may know what is in it */
};

/* Bytes of a file, which an image names by this id. In a change. */
int image_part_add(struct engine *engine, int64_t run_id, const void *data, size_t size, bool is_private,
	struct fault *fault, int64_t *ret_id);
/* -ENOENT: the run has no such part; -EBADMSG: it is damaged. */
int image_part_read(
	struct engine *engine, int64_t run_id, int64_t id, struct fault *fault, struct buffer *ret_data);
/* Bytes of all parts of a run. */
int image_sum(struct engine *engine, int64_t run_id, int64_t *ret_size);

/* In a change. What can't be encrypted, because there is no key, is not kept: the image says why. */
int image_add(struct engine *engine, int64_t run_id, const struct image_draft *draft, struct fault *fault,
	int64_t *ret_id);
/* The run has brought the thing about: `became` (may be NULL). Nothing happens when it took no image. In a
 * change. */
int image_done(
	struct engine *engine, int64_t run_id, const char *type, const char *name, const json_t *became);

/* The image, and its JSON as a new reference ({} where nothing was kept), until the callback returns.
 * -ENOENT. */
int image_get(struct engine *engine, int64_t id, struct fault *fault,
	int (*each)(void *userdata, const struct image *image, json_t *data), void *userdata);

/* All of a run, in the order of its changes, until `each` returns non-zero. The texts are borrowed. */
int image_each(struct engine *engine, int64_t run_id, int (*each)(void *userdata, const struct image *image),
	void *userdata);
/* Those that are not put back, the last one first; `task` NULL: of all; `before` INT64_MAX: from the last. */
int image_each_standing(struct engine *engine, int64_t run_id, const char *task, int64_t before,
	int (*each)(void *userdata, const struct image *image), void *userdata);

/* "done", "undone" or "failed". What an image that is undone had put back stands again. In a change. */
int image_set_state(struct engine *engine, int64_t id, const char *state, const char *error);

/* The task was undone: so is all that it has changed. In a change. */
int image_settle(struct engine *engine, int64_t run_id, const char *task);

/* Things that later runs of the stack have changed, and that this run did, too (fixes of drift change nothing
 * that was meant): until `each` returns non-zero. */
int image_each_later(struct engine *engine, int64_t run_id, int64_t stack_id,
	int (*each)(void *userdata, const char *type, const char *name, int64_t run_id), void *userdata);

/* The run goes. In a change. */
int image_forget(struct engine *engine, int64_t run_id);
