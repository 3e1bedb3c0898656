/* SPDX-License-Identifier: MIT */
/* stacks/S/snapshots/vN/resources/TYPE/NAME.json. Names of items are TYPE/NAME, fit for the tree as they
 * stand. */
#include <errno.h>
#include <string.h>

#include "engine/resource.h"
#include "engine/version-show.h"
#include "fs/nodes/versions.h"

/* What readdir(3) can give; the suffix is left out where it would not fit. */
#define SUFFIX ".json"
enum { FILE_NAME_LIMIT = 255, SUFFIX_SIZE = sizeof(SUFFIX) - 1 };

struct type_emitter {
	node_emit *emit;
	void *userdata;
	size_t skip; /* of each name */
};

static int type_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct version version;
	struct version_item item;
	char prefix[NAME_SIZE + 1];
	unsigned type;
	int r;

	if (name_check(name) < 0)
		return -ENOENT;
	snprintf(prefix, sizeof(prefix), "%s/", name);
	r = version_get(folder->engine, folder->id, &version);
	if (r == 0)
		r = version_item_next(
			folder->engine, version.stack_id, version.number, VERSION_RESOURCE, prefix, &item);
	if (r == 0 && strncmp(item.name, prefix, strlen(prefix)) != 0)
		r = -ENOENT;
	if (r == 0)
		r = resource_type_find(folder->engine, name, &type);
	if (r == 0)
		*ret_id = node_pack(version.id, type);
	return r;
}

static int type_each(struct view *folder, node_emit *emit, void *userdata)
{
	char from[NAME_SIZE + 1] = "";
	struct version version;
	int r = version_get(folder->engine, folder->id, &version);

	while (r == 0) {
		struct version_item item;
		unsigned type;
		size_t size;

		r = version_item_next(
			folder->engine, version.stack_id, version.number, VERSION_RESOURCE, from, &item);
		size = r == 0 ? strcspn(item.name, "/") : 0;
		if (r < 0 || size >= NAME_SIZE)
			break;
		memcpy(from, item.name, size);
		from[size] = '\0';
		r = resource_type_find(folder->engine, from, &type);
		if (r == 0)
			r = emit(userdata, from, node_pack(version.id, type));
		/* Behind all that begin with "TYPE/". */
		from[size] = '/' + 1;
		from[size + 1] = '\0';
	}
	return r == -ENOENT ? 0 : r;
}

/* clang-format off */
static const struct entry resources_entries[] = {
	{ .help = "a type of resources", .kind = KIND_DIRECTORY, .mode = 0555,
	  .subject = SUBJECT_VERSION, .object = object_version_part,
	  .directory = &version_type_directory, .find = type_find, .each = type_each },
};
/* clang-format on */

const struct directory version_resources_directory = DIRECTORY(resources_entries);

static int type_of(struct view *folder, struct version *ret_version, char ret_prefix[NAME_SIZE + 1])
{
	char name[NAME_SIZE];
	int r = version_get(folder->engine, node_packed_id(folder->id), ret_version);

	if (r == 0)
		r = resource_type_name(folder->engine, node_packed_part(folder->id), name);
	if (r == 0)
		snprintf(ret_prefix, NAME_SIZE + 1, "%s/", name);
	return r;
}

static int resource_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	char full[VERSION_NAME_SIZE], prefix[NAME_SIZE + 1];
	size_t size = strlen(name);
	struct version version;
	struct version_item item;
	int r;

	if (size > SUFFIX_SIZE && !strcmp(name + size - SUFFIX_SIZE, SUFFIX))
		size -= SUFFIX_SIZE;
	else if (size + SUFFIX_SIZE <= FILE_NAME_LIMIT)
		return -ENOENT;
	r = type_of(folder, &version, prefix);
	if (r < 0)
		return r;
	snprintf(full, sizeof(full), "%s%.*s", prefix, (int)size, name);
	r = version_item_find(
		folder->engine, version.stack_id, VERSION_RESOURCE, full, version.number, &item);
	if (r == 0)
		*ret_id = item.id;
	return r;
}

static int emit_resource(void *userdata, const struct version_item *item)
{
	struct type_emitter *emitter = userdata;
	const char *entry = item->name + emitter->skip;
	char name[VERSION_NAME_SIZE + SUFFIX_SIZE];
	bool fits = strlen(entry) + SUFFIX_SIZE <= FILE_NAME_LIMIT;

	snprintf(name, sizeof(name), "%s%s", entry, fits ? SUFFIX : "");
	return emitter->emit(emitter->userdata, name, item->id);
}

static int resource_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	char prefix[NAME_SIZE + 1];
	struct version version;
	int r = type_of(folder, &version, prefix);

	return r < 0 ? r
		     : version_item_each(folder->engine, version.stack_id, version.number, VERSION_RESOURCE,
			       prefix, emit_resource,
			       &(struct type_emitter){ emit, userdata, strlen(prefix) });
}

/* clang-format off */
static const struct entry type_entries[] = {
	{ .help = "a resource", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_VERSION,
	  .object = object_version_item, .show = version_item_show_node,
	  .find = resource_find_node, .each = resource_each_node },
};
/* clang-format on */

const struct directory version_type_directory = DIRECTORY(type_entries);
