/* SPDX-License-Identifier: MIT */
/* stacks/S/snapshots/ and stacks/S/at/: versions by number, by name and by time. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/restore.h"
#include "engine/version-show.h"
#include "fs/nodes/versions.h"

int object_versions(struct view *view, struct object *ret_object)
{
	int r = object_stack_or_destroyed(view, ret_object);

	if (r == 0)
		ret_object->mode &= ~((~ret_object->mode & 0444) >> 2);
	return r;
}

static int new_show(struct view *view, FILE *out)
{
	fputs("write a description to take a snapshot, or words: description=\"…\" creator=… tags=a,b "
	      "name=…\n",
		out);
	return 0;
}

static int new_write(struct view *view, const char *line, size_t size)
{
	struct snapshot_request request;
	int64_t number;
	int r = snapshot_parse(line, size, view->fault, &request);

	return r < 0 ? r
		     : snapshot_create(view->engine, view->caller, view->id, &request, view->fault, &number);
}

static int restore_show(struct view *view, FILE *out)
{
	fputs("write a version (v35, a name) to restore it, or \"undo\", with dry-run, only=outputs,values\n",
		out);
	return 0;
}

static int restore_write(struct view *view, const char *line, size_t size)
{
	struct restore restore;
	int r = restore_parse(view->engine, view->id, line, size, view->fault, &restore);

	return r < 0 ? r
		     : restore_version(
			       view->engine, view->caller, view->id, &restore, view->fault, NULL, NULL);
}

static int latest_show(struct view *view, FILE *out)
{
	int64_t number;
	int r = version_last(view->engine, view->id, &number);

	if (r == 0)
		fprintf(out, "v%" PRId64, number);
	return r;
}

static int list_show(struct view *view, FILE *out)
{
	return snapshot_show_list(view->engine, view->id, out);
}

static int list_json_show(struct view *view, FILE *out)
{
	json_auto_t *list = NULL;
	int r = snapshot_list_json(view->engine, view->id, &list);

	return r < 0 ? r : show_json(out, list);
}

/* vN */

static int version_find_node(struct view *folder, const char *name, int64_t *ret_id)
{
	struct version version;
	int64_t number;
	int r;

	/* One name a version: not v01, not v+1. */
	if (name[0] != 'v' || name[1] < '1' || name[1] > '9' || parse_int64(name + 1, &number) < 0)
		return -ENOENT;
	r = version_find(folder->engine, folder->id, number, &version);
	if (r == 0)
		*ret_id = version.id;
	return r;
}

static int emit_version(void *userdata, const struct version *version)
{
	struct emitter *emitter = userdata;
	char name[32];

	snprintf(name, sizeof(name), "v%" PRId64, version->number);
	return emitter->emit(emitter->userdata, name, version->id);
}

static int version_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	return version_each(
		folder->engine, folder->id, INT64_MAX, emit_version, &(struct emitter){ emit, userdata });
}

static int version_remove(struct view *view)
{
	return snapshot_delete(view->engine, view->caller, view->id, view->fault);
}

/* Names */

static int name_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct snapshot_name found;
	int r = snapshot_name_find(folder->engine, folder->id, name, &found);

	if (r == 0)
		*ret_id = found.id;
	return r;
}

static int emit_name(void *userdata, const struct snapshot_name *name)
{
	struct emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, name->name, name->id);
}

static int name_each(struct view *folder, node_emit *emit, void *userdata)
{
	return snapshot_name_each(folder->engine, folder->id, emit_name, &(struct emitter){ emit, userdata });
}

static int name_object(struct view *view, struct object *ret_object)
{
	struct view of = *view;
	struct snapshot_name name;
	int r = snapshot_name_get(view->engine, view->id, &name);

	if (r < 0)
		return r;
	of.id = name.stack_id;
	r = object_stack_or_destroyed(&of, ret_object);
	if (r == 0)
		ret_object->mtime_ms = name.created_ms;
	return r;
}

static int name_show(struct view *view, FILE *out)
{
	struct snapshot_name name;
	int r = snapshot_name_get(view->engine, view->id, &name);

	if (r == 0)
		fprintf(out, "v%" PRId64, name.number);
	return r;
}

/* "v38", "./v38/", or another name of a version, "latest" too. */
static int name_link(struct view *folder, const char *name, const char *target, int64_t *ret_id)
{
	struct version version;
	char text[256];
	size_t size;
	int r;

	while (!strncmp(target, "./", 2))
		target += 2;
	size = strlen(target);
	while (size > 1 && target[size - 1] == '/')
		size--;
	if (size >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, target, size);
	text[size] = '\0';
	if (strchr(text, '/'))
		return fault_set(folder->fault, EINVAL,
			"%s: a name points to a version of this stack: ln -s v38 %s", text, name);
	r = snapshot_resolve(folder->engine, folder->id, text, folder->fault, &version);
	return r < 0 ? r
		     : snapshot_pin(folder->engine, folder->caller, folder->id, name, version.number,
			       folder->fault, ret_id);
}

static int name_remove(struct view *view)
{
	return snapshot_unpin(view->engine, view->caller, view->id, view->fault);
}

/* clang-format off */
static const struct entry snapshots_entries[] = {
	{ .name = "new", .help = "write a description: takes a snapshot", .kind = KIND_CONTROL, .mode = 0666,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_META, .object = object_stack_or_destroyed, .show = new_show,
	  .write = new_write },
	{ .name = "restore", .help = "write a version: the stack becomes what it was then", .kind = KIND_CONTROL,
	  .mode = 0666, .subject = SUBJECT_STACK, .aspects = ASPECT_META, .object = object_stack_or_destroyed,
	  .show = restore_show, .write = restore_write },
	{ .name = "latest", .help = "what the stack is now", .kind = KIND_LINK, .mode = 0777,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_VERSIONS, .object = object_stack_or_destroyed, .show = latest_show },
	{ .name = "list", .help = "what is kept on purpose or has a name", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_VERSIONS | ASPECT_META, .object = object_stack_or_destroyed,
	  .show = list_show },
	{ .name = "list.json", .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_STACK, .aspects = ASPECT_VERSIONS | ASPECT_META, .object = object_stack_or_destroyed,
	  .show = list_json_show },
	{ .name = "compare", .help = "compare/A..B: what differs between two versions", .kind = KIND_DIRECTORY,
	  .mode = 0555, .subject = SUBJECT_STACK, .aspects = ASPECT_META, .directory = &compare_directory,
	  .object = object_versions },
	{ .help = "a version: the whole stack as it was", .kind = KIND_DIRECTORY, .mode = 0555,
	  .subject = SUBJECT_VERSION, .aspects = ASPECT_NAMES, .directory = &version_directory, .object = object_version,
	  .find = version_find_node,
	  .each = version_each_node, .remove = version_remove },
	{ .help = "a name of a version, which pins it", .kind = KIND_LINK, .mode = 0777, .object = name_object,
	  .fleeting = true, .show = name_show, .find = name_find, .each = name_each, .link = name_link,
	  .remove = name_remove },
};
/* clang-format on */

const struct directory snapshots_directory = DIRECTORY(snapshots_entries);

/* at/TIME */

static int at_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct version version;
	int64_t time_ms;
	int r;

	/* Every time has a dash, and a bare number is none. */
	if (!strchr(name, '-') || past_parse(name, &time_ms) < 0)
		return fault_set(folder->fault, ENOENT,
			"at/%.100s: this is no time: 2026-11-21, 2026-11-21T14:03:05Z, -2h, -3d", name);
	r = version_at(folder->engine, folder->id, time_ms, &version);
	if (r == -ENOENT)
		return fault_set(folder->fault, ENOENT,
			"at/%.100s: there is no version of the stack that is as old as that", name);
	if (r == 0)
		*ret_id = version.id;
	return r;
}

static int at_each(struct view *folder, node_emit *emit, void *userdata)
{
	return 0; /* no end of times: they are found, not listed */
}

static int at_show(struct view *view, FILE *out)
{
	struct version version;
	int r = version_get(view->engine, view->id, &version);

	if (r == 0)
		fprintf(out, "../snapshots/v%" PRId64, version.number);
	return r;
}

/* clang-format off */
static const struct entry at_entries[] = {
	{ .help = "the version that held at a time", .kind = KIND_LINK, .mode = 0777, .fleeting = true,
	  .object = object_version, .show = at_show, .find = at_find, .each = at_each },
};
/* clang-format on */

const struct directory at_directory = DIRECTORY(at_entries);

/* history and blame */

int history_show(struct view *view, FILE *out)
{
	return version_show_history(view->engine, view->id, out);
}

int history_json_show(struct view *view, FILE *out)
{
	json_auto_t *list = NULL;
	int r = version_history_json(view->engine, view->id, &list);

	return r < 0 ? r : show_json(out, list);
}

int blame_show(struct view *view, FILE *out)
{
	return version_show_blame(view->engine, view->id, out);
}

int blame_json_show(struct view *view, FILE *out)
{
	json_auto_t *list = NULL;
	int r = version_blame_json(view->engine, view->id, &list);

	return r < 0 ? r : show_json(out, list);
}
