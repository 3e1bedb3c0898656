/* SPDX-License-Identifier: MIT */
/* destroyed/NAME.ID/: stacks that were destroyed, with their versions, until their time is over. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/destroyed.h"
#include "fs/nodes/versions.h"

int object_destroyed(struct view *view, struct object *ret_object)
{
	struct destroyed destroyed;
	int r = destroyed_get(view->engine, view->id, &destroyed);

	if (r == 0)
		*ret_object = (struct object){ destroyed.uid, destroyed.gid, destroyed.mode,
			destroyed.destroyed_ms };
	return r;
}

/* NAME.ID: a name may have been destroyed twice. Names have dots: the last one counts. */
static int destroyed_find(struct view *folder, const char *name, int64_t *ret_id)
{
	const char *dot = strrchr(name, '.');
	struct destroyed destroyed;
	char again[NAME_SIZE + 32];
	int64_t id;

	if (!dot || parse_int64(dot + 1, &id) < 0 || destroyed_get(folder->engine, id, &destroyed) < 0)
		return -ENOENT;
	snprintf(again, sizeof(again), "%s.%" PRId64, destroyed.name, id);
	if (strcmp(again, name) != 0)
		return -ENOENT;
	*ret_id = id;
	return 0;
}

static int emit_destroyed(void *userdata, const struct destroyed *destroyed)
{
	struct emitter *emitter = userdata;
	char name[NAME_SIZE + 32];

	snprintf(name, sizeof(name), "%s.%" PRId64, destroyed->name, destroyed->id);
	return emitter->emit(emitter->userdata, name, destroyed->id);
}

static int destroyed_each_node(struct view *folder, node_emit *emit, void *userdata)
{
	return destroyed_each(folder->engine, emit_destroyed, &(struct emitter){ emit, userdata });
}

static int destroyed_remove(struct view *view)
{
	return destroyed_purge(view->engine, view->caller, view->id, view->fault);
}

/* clang-format off */
static const struct entry destroyed_entries[] = {
	{ .help = "a destroyed stack", .kind = KIND_DIRECTORY, .mode = 0777, .fleeting = true,
	  .directory = &destroyed_stack_directory, .object = object_destroyed, .find = destroyed_find,
	  .each = destroyed_each_node, .remove = destroyed_remove },
};
/* clang-format on */

const struct directory destroyed_directory = DIRECTORY(destroyed_entries);

static int info_show(struct view *view, FILE *out)
{
	struct destroyed destroyed;
	char time[32];
	int r = destroyed_get(view->engine, view->id, &destroyed);

	if (r == 0)
		fprintf(out, "name=%s\ndestroyed=%s\nby=%s\nowner=%s\n", destroyed.name,
			time_format(destroyed.destroyed_ms, time), caller_login(destroyed.by),
			caller_login(destroyed.uid));
	return r;
}

static int restore_show(struct view *view, FILE *out)
{
	fputs("write a name, or an empty line for the one that it had: the stack is there again\n", out);
	return 0;
}

static int restore_write(struct view *view, const char *line, size_t size)
{
	char name[256];

	if (size >= sizeof(name))
		return -ENAMETOOLONG;
	memcpy(name, line, size);
	name[size] = '\0';
	return destroyed_restore(view->engine, view->caller, view->id, name, view->fault);
}

/* clang-format off */
static const struct entry destroyed_stack_entries[] = {
	{ .name = "info", .help = "its name, when it was destroyed, by whom", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .object = object_destroyed, .show = info_show },
	{ .name = "restore", .help = "write a name: the stack is there again", .kind = KIND_CONTROL, .mode = 0666,
	  .fleeting = true, .object = object_destroyed, .show = restore_show, .write = restore_write },
	{ .name = "snapshots", .help = "its versions", .kind = KIND_DIRECTORY, .mode = 0555, .fleeting = true,
	  .directory = &snapshots_directory, .object = object_versions },
};
/* clang-format on */

const struct directory destroyed_stack_directory = DIRECTORY(destroyed_stack_entries);
