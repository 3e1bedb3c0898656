/* SPDX-License-Identifier: MIT */
/* What stands in the folders of runs: the workflows last submitted under their names. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/run.h"

static void file_load(struct query *query, void *ret)
{
	struct workflow_file *file = ret;

	*file = (struct workflow_file){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.run_id = query_int(query, 2),
		.uid = (uid_t)query_int(query, 4),
		.updated_ms = query_int(query, 5),
	};
	snprintf(file->name, sizeof(file->name), "%s", query_text(query, 3));
}

static void folder_note(struct engine *engine, int64_t stack_id)
{
	engine_note(engine, stack_id ? SUBJECT_STACK : SUBJECT_SYSTEM, stack_id, ASPECT_NAMES);
}

int workflow_file_set(struct engine *engine, int64_t stack_id, const char *name, int64_t run_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct run run;
	int64_t id;
	int r;

	if (strlen(name) >= sizeof(((struct workflow_file *)0)->name))
		return -ENAMETOOLONG;
	if (name_check(name) == -EINVAL)
		return -EINVAL;
	r = run_get(engine, run_id, &run);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_get_int(engine->store, &id, SQL_WORKFLOW_SET, "isiii", stack_id, name, run_id,
			(int64_t)run.uid, time_now_ms());
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_FILE, id, ASPECT_ALL);
	folder_note(engine, stack_id);
	return 0;
}

int workflow_file_find(struct engine *engine, int64_t stack_id, const char *name, struct workflow_file *ret)
{
	return query_one(query_begin(engine->store, SQL_WORKFLOW_FIND, "is", stack_id, name), file_load, ret);
}

int workflow_file_get(struct engine *engine, int64_t id, struct workflow_file *ret)
{
	return query_one(query_begin(engine->store, SQL_WORKFLOW_GET, "i", id), file_load, ret);
}

int workflow_file_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct workflow_file *file), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_WORKFLOW_EACH, "i", stack_id);
	struct workflow_file file;
	int r;

	while ((r = query_step(query)) > 0) {
		file_load(query, &file);
		r = each(userdata, &file);
		if (r != 0)
			break;
	}
	return r;
}

int workflow_file_delete(struct engine *engine, int64_t id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct workflow_file file;
	int r = workflow_file_get(engine, id, &file);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_WORKFLOW_DELETE, "i", id);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_FILE, id, ASPECT_ALL);
	folder_note(engine, file.stack_id);
	return 0;
}
