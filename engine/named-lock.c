/* SPDX-License-Identifier: MIT */
/* The names in locks/: who made them, whose they are, and when they go. */
#include "engine/named-lock.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/folder.h"
#include "engine/lock-table.h"
#include "engine/quota.h"

static void named_lock_load(struct query *query, void *ret)
{
	struct named_lock *ret_lock = ret;

	*ret_lock = (struct named_lock){
		.id = query_int(query, 0),
		.uid = (uid_t)query_int(query, 2),
		.gid = (gid_t)query_int(query, 3),
		.mode = (mode_t)query_int(query, 4),
		.token = query_int(query, 5),
		.updated_ms = query_int(query, 6),
	};
	snprintf(ret_lock->name, sizeof(ret_lock->name), "%s", query_text(query, 1));
}

int named_lock_get(struct engine *engine, int64_t id, struct named_lock *ret_lock)
{
	return query_one(query_begin(engine->store, SQL_NAMED_LOCK_GET, "i", id), named_lock_load, ret_lock);
}

int named_lock_find(struct engine *engine, const char *name, struct named_lock *ret_lock)
{
	return query_one(
		query_begin(engine->store, SQL_NAMED_LOCK_FIND, "s", name), named_lock_load, ret_lock);
}

int named_lock_each(
	struct engine *engine, int (*each)(void *userdata, const struct named_lock *lock), void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_NAMED_LOCK_EACH, "");
	struct named_lock named;
	int r;

	while ((r = query_step(query)) > 0) {
		named_lock_load(query, &named);
		r = each(userdata, &named);
		if (r != 0)
			break;
	}
	return r;
}

/* Beside each NAME stands NAME.json, and the folder has a file ctl. */
static int name_fault(const char *name, struct fault *fault)
{
	size_t n = strlen(name);
	int r = name_check(name);

	if (r < 0)
		return fault_set(fault, -r,
			"\"%.64s\" is no valid name of a lock: it begins with a letter or digit, has "
			"letters, "
			"digits, '.', '_' and '-' only, and at most %d of them",
			name, NAME_MAX_LENGTH);
	if (!strcmp(name, "ctl") || (n >= 5 && !strcmp(name + n - 5, ".json")))
		return fault_set(fault, EINVAL,
			"a lock cannot be called %s: ctl takes commands for several locks, NAME.json shows "
			"the lock NAME",
			name);
	return 0;
}

int named_lock_create(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	bool by_run, struct fault *fault, int64_t *ret_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct folder folder;
	int64_t id = 0;
	gid_t gid = caller ? caller->gid : getegid();
	int r = name_fault(name, fault);

	if (r == 0)
		r = quota_check(engine, caller ? caller->uid : geteuid(), QUOTA_LOCKS, 1, fault);
	if (r == 0)
		r = folder_get(engine, "locks", &folder);
	if (r == 0 && (folder.mode & S_ISGID))
		gid = folder.gid;
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_insert(engine->store, &id, SQL_NAMED_LOCK_ADD, "siiiii", name,
			(int64_t)(caller ? caller->uid : geteuid()), (int64_t)gid, (int64_t)(mode & 0777),
			(int64_t)by_run, time_now_ms());
	if (r == -EEXIST)
		return fault_set(fault, EEXIST, "there is a lock %s already", name);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES);
	engine_note(engine, SUBJECT_LOCK, id, ASPECT_ALL);
	*ret_id = id;
	return 0;
}

int named_lock_need(struct engine *engine, struct caller *caller, const char *name, bool by_run,
	struct fault *fault, int64_t *ret_id)
{
	struct named_lock named;
	struct folder folder;
	int r = named_lock_find(engine, name, &named);

	if (r == 0)
		*ret_id = named.id;
	if (r != -ENOENT)
		return r;
	r = folder_get(engine, "locks", &folder);
	if (r == 0 && caller)
		r = caller_access(caller, folder.uid, folder.gid, folder.mode, MAY_WRITE | MAY_EXECUTE);
	if (r == -EACCES)
		return fault_set(fault, EACCES,
			"there is no lock %s, and the folder locks/ does not let you make it", name);
	return r < 0 ? r
		     : named_lock_create(engine, caller, name,
			       0666 & ~(caller && caller->umask ? caller->umask : 022), by_run, fault,
			       ret_id);
}

int named_lock_remove(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0) {
		r = lock_release(engine, caller, lock_of_name(id), 0, fault);
		r = r == -ENOENT ? 0 : r;
	}
	/* The next in the queue has it in a moment. */
	if (r == 0 && lock_queue_get(engine->locks, lock_of_name(id)))
		return store_change_end(&change);
	if (r == 0)
		r = store_run(engine->store, SQL_NAMED_LOCK_DELETE, "i", id);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES);
	engine_note(engine, SUBJECT_LOCK, id, ASPECT_ALL);
	return 0;
}

static int owners_lock(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault,
	struct named_lock *ret_lock)
{
	int r = named_lock_get(engine, id, ret_lock);

	if (r == 0 && caller && !caller_owns(caller, ret_lock->uid))
		return fault_set(
			fault, EPERM, "only the owner of lock %s and root may do that", ret_lock->name);
	return r;
}

static int named_lock_set(struct engine *engine, struct caller *caller, const struct named_lock *named,
	uid_t uid, gid_t gid, mode_t mode)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r;

	if (uid == named->uid && gid == named->gid && mode == named->mode)
		return 0;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_NAMED_LOCK_SET_OWNER, "iiiii", named->id, (int64_t)uid,
			(int64_t)gid, (int64_t)mode, time_now_ms());
	if (r == 0)
		r = event_add_rights(engine, caller, "lock.updated", "lock", named->name, uid, gid, mode);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		engine_note(engine, SUBJECT_LOCK, named->id, ASPECT_META);
	return r;
}

int named_lock_chmod(
	struct engine *engine, struct caller *caller, int64_t id, mode_t mode, struct fault *fault)
{
	struct named_lock named;
	int r = owners_lock(engine, caller, id, fault, &named);

	return r < 0 ? r : named_lock_set(engine, caller, &named, named.uid, named.gid, mode & 0777);
}

int named_lock_chown(
	struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid, struct fault *fault)
{
	struct named_lock named;
	int r = owners_lock(engine, caller, id, fault, &named);

	if (r < 0)
		return r;
	uid = uid == (uid_t)-1 ? named.uid : uid;
	gid = gid == (gid_t)-1 ? named.gid : gid;
	/* chown(2): an owner may give it to a group that he is in; all else is root's. */
	if (caller && caller->uid != 0 &&
		(uid != named.uid || (gid != named.gid && !caller_in_group(caller, gid))))
		return fault_set(fault, EPERM, "only root gives lock %s to others", named.name);
	return named_lock_set(engine, caller, &named, uid, gid, named.mode);
}

int named_lock_forget_unused(struct engine *engine)
{
	return store_run(engine->store, SQL_NAMED_LOCK_FORGET_UNUSED, "");
}
