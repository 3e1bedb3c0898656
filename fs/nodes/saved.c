/* SPDX-License-Identifier: MIT */
/* workflows/: saved workflows. What is written is loaded by a process of the writer's, which runs nothing;
 * what does not load is not kept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/plan.h"
#include "engine/saved.h"
#include "fs/nodes/nodes.h"

static void object_of(const struct saved *saved, int64_t mtime_ms, struct object *ret_object)
{
	*ret_object = (struct object){ saved->uid, saved->gid, saved->mode, mtime_ms };
}

static int saved_object(struct view *view, struct object *ret_object)
{
	struct saved saved;
	int r = saved_get(view->engine, view->id, &saved);

	if (r == 0)
		object_of(&saved, saved.updated_ms, ret_object);
	return r;
}

/* Who may read a file may look into the folder that is beside it. */
static int folder_object(struct view *view, struct object *ret_object)
{
	int r = saved_object(view, ret_object);

	if (r == 0)
		ret_object->mode |= (ret_object->mode & 0444) >> 2;
	return r;
}

static int version_object(struct view *view, struct object *ret_object)
{
	struct saved_version version;
	struct saved saved;
	int r = saved_version_get(view->engine, view->id, &version);

	if (r == 0)
		r = saved_get(view->engine, version.saved_id, &saved);
	if (r == 0)
		object_of(&saved, version.time_ms, ret_object);
	return r;
}

/* Names: deploy.sloth, and beside it deploy.sloth.json and deploy.sloth.d. */

static int find_with_end(struct view *folder, const char *name, const char *end, int64_t *ret_id)
{
	size_t n = strlen(name), m = strlen(end);
	char own[NAME_SIZE + 16];
	struct saved saved;
	int r;

	if (n <= m || n - m >= sizeof(own) || strcmp(name + n - m, end) != 0)
		return -ENOENT;
	snprintf(own, sizeof(own), "%.*s", (int)(n - m), name);
	r = workflow_takes(own) ? saved_find(folder->engine, own, &saved) : -ENOENT;
	if (r == 0 && !saved.number)
		r = -ENOENT; /* it is being checked */
	if (r == 0)
		*ret_id = saved.id;
	return r;
}

static int document_find(struct view *folder, const char *name, int64_t *ret_id)
{
	return find_with_end(folder, name, "", ret_id);
}

static int json_find(struct view *folder, const char *name, int64_t *ret_id)
{
	return find_with_end(folder, name, ".json", ret_id);
}

static int folder_find(struct view *folder, const char *name, int64_t *ret_id)
{
	return find_with_end(folder, name, ".d", ret_id);
}

struct saved_emitter {
	struct emitter to;
	const char *end;
};

static int emit_saved(void *userdata, const struct saved *saved)
{
	struct saved_emitter *emitter = userdata;
	char name[NAME_SIZE + 16];

	snprintf(name, sizeof(name), "%s%s", saved->name, emitter->end);
	return emitter->to.emit(emitter->to.userdata, name, saved->id);
}

static int each_with_end(struct view *folder, const char *end, node_emit *emit, void *userdata)
{
	return saved_each(folder->engine, emit_saved, &(struct saved_emitter){ { emit, userdata }, end });
}

static int document_each(struct view *folder, node_emit *emit, void *userdata)
{
	return each_with_end(folder, "", emit, userdata);
}

static int json_each(struct view *folder, node_emit *emit, void *userdata)
{
	return each_with_end(folder, ".json", emit, userdata);
}

static int folder_each(struct view *folder, node_emit *emit, void *userdata)
{
	return each_with_end(folder, ".d", emit, userdata);
}

/* Reading. */

static int newest_content(struct view *view, struct buffer *ret_text, struct buffer *ret_plan)
{
	struct saved_version version;
	struct saved saved;
	int r = saved_get(view->engine, view->id, &saved);

	if (r == 0)
		r = saved_version_find(view->engine, saved.id, saved.number, &version);
	return r < 0 ? r : saved_version_content(view->engine, version.id, ret_text, ret_plan);
}

static int document_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r = newest_content(view, &text, NULL);

	if (r == 0)
		fwrite(buffer_text(&text), 1, text.size, out);
	return r;
}

static int read_plan(struct view *view, json_t **ret_plan)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r = newest_content(view, NULL, &text);

	if (r == 0)
		*ret_plan = json_loadb(buffer_text(&text), text.size, 0, NULL);
	return r;
}

static void plan_json_write(const json_t *plan, FILE *out)
{
	show_json(out, plan);
}

static const struct {
	const char *name;
	void (*show)(const json_t *plan, FILE *out);
} plan_forms[] = {
	{ "plan", plan_show },
	{ "plan.json", plan_json_write },
	{ "plan.dot", plan_show_dot },
};

static int plan_form_show(struct view *view, FILE *out)
{
	const char *name = node_entry(view->node)->name;
	json_auto_t *plan = NULL;
	int r = read_plan(view, &plan);

	for (size_t i = 0; r == 0 && i < sizeof(plan_forms) / sizeof(plan_forms[0]); i++)
		if (!strcmp(plan_forms[i].name, name))
			plan_forms[i].show(plan, out);
	return r;
}

static int add_version(void *userdata, const struct saved_version *version)
{
	char user[128];

	json_array_append_new(userdata,
		json_pack("{s:I, s:s, s:I, s:o, s:I}", "version", (json_int_t)version->number, "user",
			caller_user_name(version->uid, user, sizeof(user)), "uid", (json_int_t)version->uid,
			"saved", time_json(version->time_ms), "size", (json_int_t)version->size));
	return 0;
}

static int json_form_show(struct view *view, FILE *out)
{
	json_auto_t *plan = NULL, *value = NULL;
	json_t *versions = json_array();
	struct saved saved;
	char user[128];
	int r = saved_get(view->engine, view->id, &saved);

	if (r == 0)
		r = read_plan(view, &plan);
	if (r == 0)
		r = saved_version_each(view->engine, saved.id, add_version, versions);
	value = json_pack("{s:s, s:s, s:I, s:I, s:o, s:O?, s:O?, s:o, s:o}", "name", saved.name, "owner",
		caller_user_name(saved.uid, user, sizeof(user)), "uid", (json_int_t)saved.uid, "version",
		(json_int_t)saved.number, "saved", time_json(saved.updated_ms), "workflow",
		json_object_get(plan, "workflow"), "description", json_object_get(plan, "description"),
		"tasks", json_integer((json_int_t)json_array_size(json_object_get(plan, "tasks"))),
		"versions", versions);
	return r < 0 ? r : value ? show_json(out, value) : -ENOMEM;
}

static int version_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct saved_version version;
	int64_t number;
	int r;

	if (*name != 'v' || name[1] < '1' || name[1] > '9' || parse_int64(name + 1, &number) < 0)
		return -ENOENT;
	r = saved_version_find(folder->engine, folder->id, number, &version);
	if (r == 0)
		*ret_id = version.id;
	return r;
}

static int emit_version(void *userdata, const struct saved_version *version)
{
	struct emitter *emitter = userdata;
	char name[32];

	snprintf(name, sizeof(name), "v%lld", (long long)version->number);
	return emitter->emit(emitter->userdata, name, version->id);
}

static int version_each(struct view *folder, node_emit *emit, void *userdata)
{
	return saved_version_each(
		folder->engine, folder->id, emit_version, &(struct emitter){ emit, userdata });
}

static int version_show(struct view *view, FILE *out)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r = saved_version_content(view->engine, view->id, &text, NULL);

	if (r == 0)
		fwrite(buffer_text(&text), 1, text.size, out);
	return r;
}

/* Writing. */

struct saving {
	struct request *request;
	struct engine *engine;
	struct caller caller;
	struct planning *planning;
	struct buffer text;
	int64_t id;
};

static void saving_free(struct saving *saving)
{
	caller_done(&saving->caller);
	buffer_done(&saving->text);
	free(saving);
}

static void checked(void *userdata, const json_t *plan, const struct fault *fault)
{
	struct saving *saving = userdata;
	struct request *request = saving->request;
	CLEANUP(cleanup_free) char *text = plan ? json_dumps(plan, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	int r = text ? saved_keep(saving->engine, &saving->caller, saving->id, buffer_text(&saving->text),
			       saving->text.size, text, &request->fault)
		     : -ENOMEM;

	if (fault) {
		request->fault = *fault;
		r = -fault->code;
	}
	if (r < 0)
		saved_refuse(saving->engine, saving->id);
	saving_free(saving);
	request_finish(request, r);
}

static void taken_back(struct request *request)
{
	struct saving *saving = request->pending;

	plan_cancel(saving->planning);
	saved_refuse(saving->engine, saving->id);
	saving_free(saving);
}

static int save(struct view *view, int64_t id, const char *name, const char *content, size_t size)
{
	struct saving *saving = calloc(1, sizeof(*saving));
	int r = saving ? caller_copy(view->caller, &saving->caller) : -ENOMEM;

	if (!saving)
		return r;
	saving->request = view->request;
	saving->engine = view->engine;
	saving->id = id;
	if (r == 0)
		r = buffer_append(&saving->text, content, size);
	if (r == 0)
		r = plan_start(view->tree->runners,
			&(struct plan_order){ .caller = view->caller,
				.file = name,
				.text = content,
				.size = size,
				.done = checked,
				.userdata = saving },
			view->fault, &saving->planning);
	if (r < 0) {
		saving_free(saving);
		return r;
	}
	return request_later(view->request, taken_back, saving);
}

static int may_save(struct view *view, size_t size)
{
	if (!view->tree->runners)
		return fault_set(view->fault, ENOTSUP, "nothing can be checked here");
	return size ? 0 : fault_set(view->fault, EINVAL, "a workflow is not empty");
}

static int document_commit(struct view *view, const char *content, size_t size)
{
	struct saved saved;
	int r = may_save(view, size);

	if (r == 0)
		r = saved_get(view->engine, view->id, &saved);
	return r < 0 ? r : save(view, saved.id, saved.name, content, size);
}

static int document_put(
	struct view *folder, const char *name, const char *content, size_t size, int64_t *ret_id)
{
	int64_t id;
	int r = may_save(folder, size);

	if (r == 0)
		r = saved_prepare(
			folder->engine, folder->caller, name, folder->made_mode, folder->fault, &id);
	if (r < 0)
		return r;
	*ret_id = id;
	r = save(folder, id, name, content, size);
	if (r < 0 && r != LATER)
		saved_refuse(folder->engine, id); /* nobody looks at it: it has not come into being */
	return r;
}

static int document_remove(struct view *view)
{
	return saved_delete(view->engine, view->caller, view->id);
}

static int document_rename(struct view *view, const char *name)
{
	if (!workflow_takes(name))
		return fault_set(view->fault, EINVAL,
			"\"%.140s\" is no workflow's name: NAME.sloth, .lua or .yaml", name);
	return saved_rename(view->engine, view->caller, view->id, name, view->fault);
}

static int document_chmod(struct view *view, mode_t mode)
{
	struct saved saved;
	int r = saved_get(view->engine, view->id, &saved);

	if (r == 0 && !caller_owns(view->caller, saved.uid))
		r = -EPERM;
	/* x is for nothing here; folder_object() makes it of r. */
	return r < 0 ? r : saved_set(view->engine, view->caller, saved.id, saved.uid, saved.gid, mode & 0666);
}

static int document_chown(struct view *view, uid_t uid, gid_t gid)
{
	struct saved saved;
	int r = saved_get(view->engine, view->id, &saved);

	if (r < 0)
		return r;
	uid = uid == (uid_t)-1 ? saved.uid : uid;
	gid = gid == (gid_t)-1 ? saved.gid : gid;
	if (!caller_may_give(view->caller, saved.uid, saved.gid, uid, gid))
		return -EPERM;
	return saved_set(view->engine, view->caller, saved.id, uid, gid, saved.mode);
}

/* clang-format off */
static const struct entry saved_entries[] = {
	{ .help = "NAME.sloth, .lua, .yaml: a workflow; it is checked when it is written, and not run",
	  .kind = KIND_DOCUMENT, .mode = 0666, .subject = SUBJECT_SAVED, .aspects = ASPECT_ALL, .unlinkable = true,
	  .object = saved_object, .show = document_show, .commit = document_commit, .remove = document_remove,
	  .rename = document_rename, .chmod = document_chmod, .chown = document_chown, .find = document_find,
	  .each = document_each, .put = document_put, .takes = workflow_takes, .slow = true },
	{ .help = "NAME.sloth.json: its owner, its versions", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_SAVED, .aspects = ASPECT_ALL, .object = saved_object, .show = json_form_show,
	  .find = json_find, .each = json_each },
	{ .help = "NAME.sloth.d: its plan, its versions", .kind = KIND_DIRECTORY, .mode = 0555,
	  .subject = SUBJECT_SAVED, .aspects = ASPECT_ALL, .directory = &saved_one_directory,
	  .object = folder_object, .find = folder_find, .each = folder_each },
};

static const struct entry saved_one_entries[] = {
	{ .name = "plan", .help = "what it would do", .kind = KIND_TEXT, .mode = 0444, .subject = SUBJECT_SAVED,
	  .aspects = ASPECT_ALL, .object = saved_object, .show = plan_form_show },
	{ .name = "plan.json", .help = "the plan as JSON", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_SAVED, .aspects = ASPECT_ALL, .object = saved_object, .show = plan_form_show },
	{ .name = "plan.dot", .help = "the plan for Graphviz", .kind = KIND_TEXT, .mode = 0444,
	  .subject = SUBJECT_SAVED, .aspects = ASPECT_ALL, .object = saved_object, .show = plan_form_show },
	{ .help = "v1, v2 ...: its texts", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .object = version_object, .show = version_show, .find = version_find, .each = version_each },
};
/* clang-format on */

const struct directory saved_directory = {
	.entries = saved_entries,
	.count = sizeof(saved_entries) / sizeof(saved_entries[0]),
	.scratch = true,
};

const struct directory saved_one_directory = DIRECTORY(saved_one_entries);
