/* SPDX-License-Identifier: MIT */
/* The top folders' owner, group and mode. */
#include "engine/folder.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/event.h"

static void folder_default(struct engine *engine, struct folder *ret_folder)
{
	if (!engine->folder_gid_known) {
		struct group *group = getgrnam("sloth");

		engine->folder_gid = group ? group->gr_gid : getegid();
		engine->folder_gid_known = true;
	}
	*ret_folder = (struct folder){ .uid = geteuid(), .gid = engine->folder_gid, .mode = 03775 };
}

int folder_get(struct engine *engine, const char *name, struct folder *ret_folder)
{
	struct query *query = query_begin(engine->store, SQL_FOLDER_GET, "s", name);
	int r = query_step(query);

	if (r > 0)
		*ret_folder = (struct folder){
			.uid = (uid_t)query_int(query, 0),
			.gid = (gid_t)query_int(query, 1),
			.mode = (mode_t)query_int(query, 2),
			.updated_ms = query_int(query, 3),
		};
	else if (r == 0)
		folder_default(engine, ret_folder);
	query_end(query);
	return r < 0 ? r : 0;
}

int folder_set(struct engine *engine, struct caller *caller, const char *name, const struct folder *folder)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct folder before;
	int r = folder_get(engine, name, &before);

	if (r < 0 || (folder->uid == before.uid && folder->gid == before.gid && folder->mode == before.mode))
		return r;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_FOLDER_SET, "siiii", name, (int64_t)folder->uid,
			(int64_t)folder->gid, (int64_t)folder->mode, time_now_ms());
	if (r == 0)
		r = event_add_rights(engine, caller, "folder.updated", "folder", name, folder->uid,
			folder->gid, folder->mode);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_META);
	return r;
}

int folder_pass(struct engine *engine, struct caller *caller, const char *name, struct fault *fault)
{
	struct folder folder;
	int r = folder_get(engine, name, &folder);

	if (r == 0 && caller && caller_access(caller, folder.uid, folder.gid, folder.mode, MAY_EXECUTE) < 0)
		return fault_set(fault, EACCES, "you may not use the folder %s/", name);
	return r;
}

int folder_make_stack(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	struct fault *fault, struct stack *ret_stack)
{
	struct folder folder;
	int r = folder_get(engine, "stacks", &folder);

	if (r == 0)
		r = caller_access(caller, folder.uid, folder.gid, folder.mode, MAY_WRITE | MAY_EXECUTE);
	if (r == -EACCES)
		return fault_set(fault, EACCES,
			"you may not make the stack %s: the folder stacks/ does not let you", name);
	if (r == 0)
		r = stack_create(engine, caller, name, mode, fault, ret_stack);
	if (r == 0 && (folder.mode & S_ISGID) && ret_stack->gid != folder.gid) {
		r = stack_chown(engine, NULL, ret_stack->id, (uid_t)-1, folder.gid, fault);
		ret_stack->gid = folder.gid;
	}
	return r;
}
