/* SPDX-License-Identifier: MIT */
/* Saved workflows as rows. */
#include "engine/saved.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/quota.h"

static void saved_load(struct query *query, void *ret)
{
	struct saved *saved = ret;

	*saved = (struct saved){
		.id = query_int(query, 0),
		.uid = (uid_t)query_int(query, 2),
		.gid = (gid_t)query_int(query, 3),
		.mode = (mode_t)query_int(query, 4),
		.number = query_int(query, 5),
		.updated_ms = query_int(query, 6),
	};
	snprintf(saved->name, sizeof(saved->name), "%s", query_text(query, 1));
}

int saved_get(struct engine *engine, int64_t id, struct saved *ret_saved)
{
	return query_one(query_begin(engine->store, SQL_SAVED_GET, "i", id), saved_load, ret_saved);
}

int saved_find(struct engine *engine, const char *name, struct saved *ret_saved)
{
	return query_one(query_begin(engine->store, SQL_SAVED_FIND, "s", name), saved_load, ret_saved);
}

int saved_each(struct engine *engine, int (*each)(void *userdata, const struct saved *saved), void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_SAVED_EACH, "");
	struct saved saved;
	int r;

	while ((r = query_step(query)) > 0) {
		saved_load(query, &saved);
		r = each(userdata, &saved);
		if (r != 0)
			break;
	}
	return r;
}

static void saved_note(struct engine *engine, int64_t id, bool names)
{
	engine_note(engine, SUBJECT_SAVED, id, ASPECT_ALL);
	if (names)
		engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES);
}

int saved_prepare(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	struct fault *fault, int64_t *ret_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct saved saved;
	int r = saved_find(engine, name, &saved);

	if (r == 0)
		*ret_id = saved.id;
	if (r != -ENOENT)
		return r;
	r = quota_check(engine, caller->uid, QUOTA_WORKFLOWS, 1, fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_get_int(engine->store, ret_id, SQL_SAVED_ADD, "siiii", name, (int64_t)caller->uid,
			(int64_t)caller->gid, (int64_t)(mode & 0777), time_now_ms());
	return r < 0 ? r : store_change_end(&change);
}

/* Whether the text is the newest version's already. */
static bool is_newest(struct engine *engine, const struct saved *saved, const char *text, size_t size)
{
	CLEANUP(buffer_done) struct buffer newest = { 0 };
	struct saved_version version;

	return saved->number && saved_version_find(engine, saved->id, saved->number, &version) == 0 &&
	       (size_t)version.size == size &&
	       saved_version_content(engine, version.id, &newest, NULL) == 0 &&
	       !memcmp(buffer_text(&newest), text, size);
}

static int add_version(struct engine *engine, struct caller *caller, const struct saved *saved,
	const char *text, size_t size, const char *plan)
{
	struct store *store = engine->store;
	int64_t number = saved->number + 1, now = time_now_ms(), id;
	int r = store_get_int(store, &id, SQL_SAVED_VERSION_ADD, "iiiiibs", saved->id, number,
		(int64_t)caller->uid, now, (int64_t)size, text, size, plan);

	if (r == 0)
		r = store_run(store, SQL_SAVED_SET_NUMBER, "iii", saved->id, number, now);
	if (r == 0)
		r = store_run(store, SQL_SAVED_VERSIONS_DROP, "ii", saved->id, number - SAVED_VERSIONS);
	return r < 0 ? r
		     : event_add(engine, caller, "workflow.saved", 0, NULL, 0,
			       json_pack("{ss sI}", "name", saved->name, "version", (json_int_t)number));
}

int saved_keep(struct engine *engine, struct caller *caller, int64_t id, const char *text, size_t size,
	const char *plan, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct saved saved;
	int r = saved_get(engine, id, &saved);

	if (r < 0)
		return fault_set(fault, -r, "the workflow was removed meanwhile");
	if (is_newest(engine, &saved, text, size))
		return 0;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = add_version(engine, caller, &saved, text, size, plan);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		saved_note(engine, id, !saved.number);
	return r;
}

int saved_refuse(struct engine *engine, int64_t id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_SAVED_REFUSE, "i", id);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		saved_note(engine, id, true);
	return r;
}

static void version_load(struct query *query, void *ret)
{
	struct saved_version *version = ret;

	*version = (struct saved_version){
		.id = query_int(query, 0),
		.saved_id = query_int(query, 1),
		.number = query_int(query, 2),
		.uid = (uid_t)query_int(query, 3),
		.time_ms = query_int(query, 4),
		.size = query_int(query, 5),
	};
}

int saved_version_get(struct engine *engine, int64_t id, struct saved_version *ret_version)
{
	return query_one(
		query_begin(engine->store, SQL_SAVED_VERSION_GET, "i", id), version_load, ret_version);
}

int saved_version_find(
	struct engine *engine, int64_t saved_id, int64_t number, struct saved_version *ret_version)
{
	return query_one(query_begin(engine->store, SQL_SAVED_VERSION_FIND, "ii", saved_id, number),
		version_load, ret_version);
}

int saved_version_each(struct engine *engine, int64_t saved_id,
	int (*each)(void *userdata, const struct saved_version *version), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_SAVED_VERSION_EACH, "i", saved_id);
	struct saved_version version;
	int r;

	while ((r = query_step(query)) > 0) {
		version_load(query, &version);
		r = each(userdata, &version);
		if (r != 0)
			break;
	}
	return r;
}

int saved_version_content(struct engine *engine, int64_t id, struct buffer *ret_text, struct buffer *ret_plan)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_SAVED_VERSION_CONTENT, "i", id);
	const void *data;
	size_t size;
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	data = query_blob(query, 0, &size);
	r = ret_text ? buffer_append(ret_text, data, size) : 0;
	return r < 0 || !ret_plan ? r : buffer_append_text(ret_plan, query_text(query, 1));
}

/* In a change. */
static int remove_row(struct engine *engine, struct caller *caller, const struct saved *saved)
{
	int r = store_run(engine->store, SQL_SAVED_DELETE, "i", saved->id);

	return r < 0 || !saved->number ? r
				       : event_add(engine, caller, "workflow.deleted", 0, NULL, 0,
						 json_pack("{ss}", "name", saved->name));
}

int saved_delete(struct engine *engine, struct caller *caller, int64_t id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct saved saved;
	int r = saved_get(engine, id, &saved);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = remove_row(engine, caller, &saved);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		saved_note(engine, id, true);
	return r;
}

int saved_rename(
	struct engine *engine, struct caller *caller, int64_t id, const char *name, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct saved saved, there;
	int r = saved_get(engine, id, &saved);

	if (r < 0 || !strcmp(saved.name, name))
		return r;
	r = store_change_begin(engine->store, &change);
	if (r == 0 && saved_find(engine, name, &there) == 0)
		r = remove_row(engine, caller, &there);
	if (r == 0)
		r = store_run(engine->store, SQL_SAVED_RENAME, "is", id, name);
	if (r == 0)
		r = event_add(engine, caller, "workflow.renamed", 0, NULL, 0,
			json_pack("{ss ss}", "name", name, "from", saved.name));
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return fault_default(fault, -r, "the workflow can't be renamed: %s", strerror(-r));
	saved_note(engine, id, true);
	return 0;
}

int saved_set(struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid, mode_t mode)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct saved saved;
	int r = saved_get(engine, id, &saved);

	mode &= 0777;
	if (r < 0 || (uid == saved.uid && gid == saved.gid && mode == saved.mode))
		return r;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(
			engine->store, SQL_SAVED_SET, "iiii", id, (int64_t)uid, (int64_t)gid, (int64_t)mode);
	if (r == 0 && saved.number)
		r = event_add_rights(engine, caller, "workflow.updated", "name", saved.name, uid, gid, mode);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		saved_note(engine, id, false);
	return r;
}
