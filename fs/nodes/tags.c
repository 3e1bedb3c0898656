/* SPDX-License-Identifier: MIT */
/* Tags, in both directions: stacks/S/tags/TAG are empty files, tags/TAG/ has links to the stacks. */
#include "engine/tag.h"

#include <errno.h>
#include <stdio.h>

#include "fs/nodes/nodes.h"

/* stacks/S/tags/ */

static int tag_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	struct tag tag;
	int r = tag_find(folder->engine, folder->id, name, &tag);

	if (r == 0)
		*ret_id = tag.id;
	return r;
}

static int emit_tag(void *userdata, const struct tag *tag)
{
	struct emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, tag->name, tag->id);
}

static int tag_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	return tag_each(folder->engine, folder->id, emit_tag, &(struct emitter){ emit, userdata });
}

static int tag_make(struct view *folder, const char *name, mode_t mode, int64_t *ret_id)
{
	return tag_add(folder->engine, folder->caller, folder->id, name, folder->fault, ret_id);
}

static int tag_remove_node(struct view *view)
{
	struct tag tag;
	int r = tag_get(view->engine, view->id, &tag);

	return r < 0 ? r : tag_remove(view->engine, view->caller, tag.stack_id, tag.name, view->fault);
}

/* clang-format off */
static const struct entry stack_tags_entries[] = {
	/* w, though nothing can be written: else touch(1) by a member of the group fails when it sets the time. */
	{ .help = "a tag: an empty file", .kind = KIND_TEXT, .mode = 0666, .subject = SUBJECT_TAG,
	  .aspects = ASPECT_TAGS, .object = object_tag, .find = tag_find_node, .each = tag_each_node,
	  .make = tag_make, .remove = tag_remove_node },
};
/* clang-format on */

const struct directory stack_tags_directory = DIRECTORY(stack_tags_entries);

/* tags/: what another user sees there is another thing, so nothing of it is cached. */

static int word_find(struct view *folder, const char *name, int64_t *ret_id)
{
	return tag_word_find(folder->engine, folder->caller, name, ret_id);
}

static int word_each(struct view *folder, node_emit *emit, void *userdata)
{
	return tag_word_each(folder->engine, folder->caller, emit, userdata);
}

static int word_object(struct view *view, struct object *ret_object)
{
	int r = object_system(view, ret_object);

	return r < 0 ? r : tag_word_time(view->engine, view->id, &ret_object->mtime_ms);
}

/* clang-format off */
static const struct entry tags_entries[] = {
	{ .help = "a word: links to the stacks that bear it", .kind = KIND_DIRECTORY, .mode = 0555,
	  .aspects = ASPECT_TAGS, .fleeting = true, .directory = &tag_directory, .object = word_object,
	  .find = word_find, .each = word_each },
};
/* clang-format on */

const struct directory tags_directory = DIRECTORY(tags_entries);

static int bearer_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct tag tag;
	int r = tag_bearer_find(folder->engine, folder->caller, folder->id, name, &tag);

	if (r == 0)
		*ret_id = tag.id;
	return r;
}

static int emit_bearer(void *userdata, const struct tag *tag)
{
	struct emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, tag->stack, tag->id);
}

static int bearer_each(struct view *folder, node_emit *emit, void *userdata)
{
	return tag_bearer_each(
		folder->engine, folder->caller, folder->id, emit_bearer, &(struct emitter){ emit, userdata });
}

static int bearer_show(struct view *view, FILE *out)
{
	struct tag tag;
	int r = tag_get(view->engine, view->id, &tag);

	if (r == 0)
		fprintf(out, "../../stacks/%s", tag.stack);
	return r;
}

/* clang-format off */
static const struct entry tag_entries[] = {
	{ .help = "a link to a stack that bears the tag", .kind = KIND_LINK, .mode = 0777, .subject = SUBJECT_TAG,
	  .aspects = ASPECT_TAGS, .fleeting = true, .object = object_tag, .show = bearer_show,
	  .find = bearer_find, .each = bearer_each },
};
/* clang-format on */

const struct directory tag_directory = DIRECTORY(tag_entries);
