/* SPDX-License-Identifier: MIT */
/* locks/, and what the file `lock` of a stack does alike. */
#include "fs/nodes/locks.h"

#include <errno.h>
#include <string.h>

#include "engine/lock.h"
#include "engine/named-lock.h"
#include "fs/nodes/nodes.h"

static struct lock_target target_of(const struct view *view)
{
	return entry_lock_target(node_entry(view->node), view->id);
}

int lock_node_show(struct view *view, FILE *out)
{
	lock_show(view->engine, target_of(view), out);
	return 0;
}

int lock_node_show_json(struct view *view, FILE *out)
{
	lock_show_json(view->engine, target_of(view), out);
	return 0;
}

int64_t lock_node_stamp(struct view *view)
{
	struct lock lock;

	return lock_get(view->engine, target_of(view), &lock) == 1 ? lock.since_ms : 0;
}

static void lock_answered(void *userdata, int result, int64_t token, const struct fault *fault)
{
	struct request *request = userdata;

	if (fault)
		request->fault = *fault;
	request_finish(request, result < 0 ? result : (ssize_t)request->size);
}

static void lock_wait_taken_back(struct request *request)
{
	lock_wait_cancel(request->pending);
}

int lock_node_write(struct view *view, const char *line, size_t size)
{
	struct lock_wait *wait = NULL;
	int r = lock_command(view->engine, view->caller, target_of(view), line, size, lock_answered,
		view->request, view->fault, &wait);

	if (r < 0 || !wait)
		return r;
	return request_later(view->request, lock_wait_taken_back, wait);
}

int lock_node_remove(struct view *view)
{
	return lock_release(view->engine, view->caller, target_of(view), 0, view->fault);
}

/* locks/ */

static int ctl_show(struct view *view, FILE *out)
{
	lock_show_all(view->engine, view->caller, out);
	return 0;
}

static int ctl_show_json(struct view *view, FILE *out)
{
	lock_show_all_json(view->engine, view->caller, out);
	return 0;
}

static int ctl_write(struct view *view, const char *line, size_t size)
{
	struct lock_wait *wait = NULL;
	int r = lock_command_all(
		view->engine, view->caller, line, size, lock_answered, view->request, view->fault, &wait);

	if (r < 0 || !wait)
		return r;
	return request_later(view->request, lock_wait_taken_back, wait);
}

static int object_named_lock(struct view *view, struct object *ret_object)
{
	struct named_lock named;
	int r = named_lock_get(view->engine, view->id, &named);

	if (r == 0)
		*ret_object = (struct object){ named.uid, named.gid, named.mode, named.updated_ms };
	return r;
}

static int name_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct named_lock named;
	int r = name_check(name) == 0 ? named_lock_find(folder->engine, name, &named) : -ENOENT;

	if (r == 0)
		*ret_id = named.id;
	return r;
}

static int json_find(struct view *folder, const char *name, int64_t *ret_id)
{
	char stem[NAME_SIZE];
	size_t n = strlen(name);

	if (n <= strlen(".json") || n - strlen(".json") >= sizeof(stem) ||
		strcmp(name + n - strlen(".json"), ".json") != 0)
		return -ENOENT;
	snprintf(stem, sizeof(stem), "%.*s", (int)(n - strlen(".json")), name);
	return name_find(folder, stem, ret_id);
}

struct lock_emitter {
	node_emit *emit;
	void *userdata;
	const char *end;
};

static int emit_name(void *userdata, const struct named_lock *named)
{
	struct lock_emitter *emitter = userdata;
	char name[NAME_SIZE + 8];

	snprintf(name, sizeof(name), "%s%s", named->name, emitter->end);
	return emitter->emit(emitter->userdata, name, named->id);
}

static int name_each(struct view *folder, node_emit *emit, void *userdata)
{
	return named_lock_each(folder->engine, emit_name, &(struct lock_emitter){ emit, userdata, "" });
}

static int json_each(struct view *folder, node_emit *emit, void *userdata)
{
	return named_lock_each(folder->engine, emit_name, &(struct lock_emitter){ emit, userdata, ".json" });
}

static int name_make(struct view *folder, const char *name, mode_t mode, int64_t *ret_id)
{
	return named_lock_create(
		folder->engine, folder->caller, name, mode & 0777, false, folder->fault, ret_id);
}

static int name_remove(struct view *view)
{
	return named_lock_remove(view->engine, view->caller, view->id, view->fault);
}

static int name_chmod(struct view *view, mode_t mode)
{
	return named_lock_chmod(view->engine, view->caller, view->id, mode, view->fault);
}

static int name_chown(struct view *view, uid_t uid, gid_t gid)
{
	return named_lock_chown(view->engine, view->caller, view->id, uid, gid, view->fault);
}

/* Everybody may take several at once; what he may lock is judged one by one. */
static int object_everybody(struct view *view, struct object *ret_object)
{
	int r = object_system(view, ret_object);

	ret_object->mode = 0777;
	return r;
}

/* clang-format off */
static const struct entry locks_entries[] = {
	{ .name = "ctl", .help = "takes several locks together; what is locked", .kind = KIND_CONTROL, .mode = 0666,
	  .fleeting = true, .waits = true, .object = object_everybody, .show = ctl_show, .write = ctl_write },
	{ .name = "ctl.json", .help = "what is locked, as a JSON list", .kind = KIND_TEXT, .mode = 0444,
	  .fleeting = true, .object = object_everybody, .show = ctl_show_json },
	{ .help = "a lock with a name of its own", .kind = KIND_CONTROL, .mode = 0666, .subject = SUBJECT_LOCK,
	  .aspects = ASPECT_LOCK | ASPECT_META, .fleeting = true, .waits = true, .lockable = true, .object = object_named_lock,
	  .stamp = lock_node_stamp, .show = lock_node_show, .write = lock_node_write, .find = name_find,
	  .each = name_each, .make = name_make, .remove = name_remove, .chmod = name_chmod, .chown = name_chown },
	{ .help = "the same as JSON", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_LOCK,
	  .aspects = ASPECT_LOCK | ASPECT_META, .fleeting = true, .object = object_named_lock,
	  .stamp = lock_node_stamp, .show = lock_node_show_json, .find = json_find, .each = json_each },
};
/* clang-format on */

const struct directory locks_directory = DIRECTORY(locks_entries);
