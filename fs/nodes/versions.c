/* SPDX-License-Identifier: MIT */
/*
 * stacks/S/snapshots/vN/: the whole stack as it was, read-only. A file is an item: the same in two versions
 * is the same inode, with the time since when it is so.
 */
#include "fs/nodes/versions.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/version-show.h"

int object_stack_or_destroyed(struct view *view, struct object *ret_object)
{
	int r = object_stack(view, ret_object);

	return r == -ENOENT ? object_destroyed(view, ret_object) : r;
}

/* Owner and group are the stack's; what may be done here is the same for all who got in. */
static int object_of(struct view *view, int64_t stack_id, int64_t time_ms, struct object *ret_object)
{
	struct view of = *view;
	int r;

	of.id = stack_id;
	r = object_stack_or_destroyed(&of, ret_object);
	if (r < 0)
		return r;
	ret_object->mode = 0777;
	ret_object->mtime_ms = time_ms;
	return 0;
}

int object_version(struct view *view, struct object *ret_object)
{
	struct version version;
	int r = version_get(view->engine, view->id, &version);

	return r < 0 ? r : object_of(view, version.stack_id, version.time_ms, ret_object);
}

int object_version_part(struct view *view, struct object *ret_object)
{
	struct view of = *view;

	of.id = node_packed_id(view->id);
	return object_version(&of, ret_object);
}

int object_version_item(struct view *view, struct object *ret_object)
{
	struct version version = { 0 };
	struct version_item item;
	int r = version_item_get(view->engine, view->id, &item);

	if (r == 0)
		r = version_trace(view->engine, item.stack_id, item.from, &version);
	return r < 0 ? r : object_of(view, item.stack_id, version.time_ms, ret_object);
}

int version_item_show_node(struct view *view, FILE *out)
{
	struct version_item item;
	int r = version_item_get(view->engine, view->id, &item);

	return r < 0 ? r : version_item_show(view->engine, &item, view->fault, out);
}

/* Files of fixed names. */
static const struct {
	const char *file;
	enum version_kind kind;
	const char *name;
} files[] = {
	{ "meta.json", VERSION_META, "meta" },
	{ "description", VERSION_TEXT, "description" },
	{ "version", VERSION_TEXT, "version" },
	{ "config.yaml", VERSION_TEXT, "config" },
	{ "values.yaml", VERSION_TEXT, "values" },
	{ "workflow", VERSION_TEXT, "workflow" },
};

static int file_find(struct view *folder, const char *name, int64_t *ret_id)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct version version;
		struct version_item item;
		int r;

		if (strcmp(files[i].file, name) != 0)
			continue;
		r = version_get(folder->engine, folder->id, &version);
		if (r == 0)
			r = version_item_find(folder->engine, version.stack_id, files[i].kind, files[i].name,
				version.number, &item);
		if (r == 0)
			*ret_id = item.id;
		return r;
	}
	return -ENOENT;
}

static int file_each(struct view *folder, node_emit *emit, void *userdata)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int64_t id;
		int r = file_find(folder, files[i].file, &id);

		if (r == 0)
			r = emit(userdata, files[i].file, id);
		if (r != 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int outputs_show(struct view *view, FILE *out)
{
	struct version version;
	int r = version_get(view->engine, view->id, &version);

	return r < 0 ? r
		     : version_show_outputs(view->engine, version.stack_id, version.number, view->fault, out);
}

static int outputs_json_show(struct view *view, FILE *out)
{
	json_auto_t *value = NULL;
	struct version version;
	int r = version_get(view->engine, view->id, &version);

	if (r == 0)
		r = version_outputs_json(view->engine, version.stack_id, version.number, view->fault, &value);
	return r < 0 ? r : show_json(out, value);
}

/* clang-format off */
static const struct entry version_entries[] = {
	{ .help = "meta.json, description, version, config.yaml, values.yaml, workflow", .kind = KIND_TEXT,
	  .mode = 0444, .subject = SUBJECT_VERSION, .object = object_version_item, .show = version_item_show_node,
	  .find = file_find, .each = file_each },
	{ .name = "outputs", .help = "key=value lines", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_VERSION,
	  .object = object_version, .show = outputs_show },
	{ .name = "outputs.json", .help = "the outputs as one JSON object", .kind = KIND_TEXT,
	  .mode = 0444, .subject = SUBJECT_VERSION,
	  .object = object_version, .show = outputs_json_show },
	{ .name = "outputs.d", .help = "one raw value a file", .kind = KIND_DIRECTORY,
	  .mode = 0555, .subject = SUBJECT_VERSION,
	  .object = object_version, .directory = &version_outputs_directory },
	{ .name = "state", .help = "keys and values", .kind = KIND_DIRECTORY, .mode = 0555, .subject = SUBJECT_VERSION,
	  .object = object_version, .directory = &version_state_directory },
	{ .name = "tags", .help = "tags: empty files", .kind = KIND_DIRECTORY, .mode = 0555, .subject = SUBJECT_VERSION,
	  .object = object_version, .directory = &version_tags_directory },
	{ .name = "deps", .help = "dependencies: a file each, with the constraint on its version",
	  .kind = KIND_DIRECTORY, .mode = 0555, .subject = SUBJECT_VERSION, .object = object_version,
	  .directory = &version_deps_directory },
	{ .name = "resources", .help = "desired resources by type", .kind = KIND_DIRECTORY,
	  .mode = 0555, .subject = SUBJECT_VERSION,
	  .object = object_version, .directory = &version_resources_directory },
};
/* clang-format on */

const struct directory version_directory = DIRECTORY(version_entries);

/* Folders with an item a file: outputs.d/, state/, tags/, deps/. Which kind is said by the table. */

static enum version_kind folder_kind(const struct view *folder)
{
	static const struct {
		const struct directory *directory;
		enum version_kind kind;
	} kinds[] = {
		{ &version_outputs_directory, VERSION_OUTPUT },
		{ &version_state_directory, VERSION_STATE },
		{ &version_tags_directory, VERSION_TAG },
		{ &version_deps_directory, VERSION_DEP },
	};
	const struct directory *directory = node_entry(folder->node)->directory;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].directory == directory)
			return kinds[i].kind;
	return VERSION_META;
}

/* The longest name that readdir(3) can give. */
enum { FILE_NAME_LIMIT = 255 };

static int item_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	char plain[NAME_SIZE], again[ENCODED_SIZE];
	struct version version;
	struct version_item item;
	int r = name_decode(name, plain);

	/* One name an item: not %61 for a. */
	if (r < 0 || strcmp(name_encode(plain, again), name) != 0)
		return -ENOENT;
	r = version_get(folder->engine, folder->id, &version);
	if (r == 0)
		r = version_item_find(
			folder->engine, version.stack_id, folder_kind(folder), plain, version.number, &item);
	if (r == 0)
		*ret_id = item.id;
	return r;
}

static int emit_item(void *userdata, const struct version_item *item)
{
	struct emitter *emitter = userdata;
	char name[ENCODED_SIZE];

	if (strlen(item->name) > NAME_MAX_LENGTH || strlen(name_encode(item->name, name)) > FILE_NAME_LIMIT)
		return 0;
	return emitter->emit(emitter->userdata, name, item->id);
}

static int item_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	struct version version;
	int r = version_get(folder->engine, folder->id, &version);

	return r < 0 ? r
		     : version_item_each(folder->engine, version.stack_id, version.number,
			       folder_kind(folder), NULL, emit_item, &(struct emitter){ emit, userdata });
}

#define ITEM_ENTRIES(text)                                                                                   \
	{                                                                                                    \
		{ .help = (text),                                                                            \
			.kind = KIND_TEXT,                                                                   \
			.mode = 0444,                                                                        \
			.object = object_version_item,                                                       \
			.show = version_item_show_node,                                                      \
			.find = item_find_node,                                                              \
			.each = item_each_node },                                                            \
	}

static const struct entry outputs_entries[] = ITEM_ENTRIES("one output");
static const struct entry state_entries[] = ITEM_ENTRIES("one value");
static const struct entry tags_entries[] = ITEM_ENTRIES("a tag: an empty file");
static const struct entry deps_entries[] = ITEM_ENTRIES("a stack that it depends on");

const struct directory version_outputs_directory = DIRECTORY(outputs_entries);
const struct directory version_state_directory = DIRECTORY(state_entries);
const struct directory version_tags_directory = DIRECTORY(tags_entries);
const struct directory version_deps_directory = DIRECTORY(deps_entries);
