/* SPDX-License-Identifier: MIT */
#pragma once
/* What the folders of versions share. */
#include "engine/snapshot.h"
#include "fs/nodes/nodes.h"

/* Of snapshots/, at/ and what compares versions: who may not read the stack may not go in, because what is
 * below is open to all who are there. So chmod of a stack is one change for all of its versions. */
int object_versions(struct view *view, struct object *ret_object);
/* A version, by its id; an item of versions, by its id; a version with a part of it in one id (node_pack()).
 */
int object_destroyed(struct view *view, struct object *ret_object);
/* The stack, or what is known of it after it was destroyed. */
int object_stack_or_destroyed(struct view *view, struct object *ret_object);
int object_version(struct view *view, struct object *ret_object);
int object_version_item(struct view *view, struct object *ret_object);
int object_version_part(struct view *view, struct object *ret_object);

/* history, blame and their JSON: of a stack. */
int history_show(struct view *view, FILE *out);
int history_json_show(struct view *view, FILE *out);
int blame_show(struct view *view, FILE *out);
int blame_json_show(struct view *view, FILE *out);

/* The content of an item, by its id. */
int version_item_show_node(struct view *view, FILE *out);

extern const struct directory version_directory, version_outputs_directory, version_state_directory,
	version_tags_directory, version_deps_directory, version_resources_directory, version_type_directory;
