/* SPDX-License-Identifier: MIT */
/* Destroyed stacks. */
#include "engine/destroyed.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "engine/collect.h"
#include "engine/deps.h"
#include "engine/event.h"
#include "engine/folder.h"
#include "engine/restore.h"
#include "engine/snapshot.h"

static void destroyed_load(struct query *query, struct destroyed *ret_destroyed)
{
	*ret_destroyed = (struct destroyed){
		.id = query_int(query, 0),
		.uid = (uid_t)query_int(query, 2),
		.gid = (gid_t)query_int(query, 3),
		.mode = (mode_t)query_int(query, 4),
		.token = query_int(query, 5),
		.destroyed_ms = query_int(query, 6),
		.by = (uid_t)query_int(query, 7),
	};
	snprintf(ret_destroyed->name, sizeof(ret_destroyed->name), "%s", query_text(query, 1));
}

int destroyed_get(struct engine *engine, int64_t id, struct destroyed *ret_destroyed)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_DESTROYED_GET, "i", id);
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	destroyed_load(query, ret_destroyed);
	return 0;
}

int destroyed_each(
	struct engine *engine, int (*each)(void *userdata, const struct destroyed *destroyed), void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_DESTROYED_EACH, "");
	struct destroyed destroyed;
	int r;

	while ((r = query_step(query)) > 0) {
		destroyed_load(query, &destroyed);
		r = each(userdata, &destroyed);
		if (r != 0)
			break;
	}
	return r;
}

/* The versions of a stack that is not there: they are collected by and by. */
static int versions_drop(struct engine *engine, int64_t stack_id)
{
	int r = store_run(engine->store, SQL_SNAPSHOT_NAME_DELETE_ALL, "i", stack_id);

	if (r == 0)
		r = store_run(engine->store, SQL_SNAPSHOT_DELETE_ALL, "i", stack_id);
	if (r == 0)
		r = store_run(engine->store, SQL_VERSION_DROP_ALL, "i", stack_id);
	collector_wake(engine->collector);
	return r;
}

int destroyed_keep(struct engine *engine, struct caller *caller, const struct stack *stack)
{
	struct config config;
	int r = stack_config(engine, stack->id, &config);

	if (r < 0)
		return r;
	if (!config.auto_snapshot || !(config.snapshot_triggers & 1 << SNAPSHOT_BEFORE_DESTROY))
		return versions_drop(engine, stack->id);
	r = snapshot_keep(engine, caller, stack->id, SNAPSHOT_BEFORE_DESTROY, "before it was destroyed");
	return r < 0 ? r
		     : store_run(engine->store, SQL_DESTROYED_ADD, "isiiiiii", stack->id, stack->name,
			       (int64_t)stack->uid, (int64_t)stack->gid, (int64_t)stack->mode, stack->token,
			       time_now_ms(), (int64_t)(caller ? caller->uid : geteuid()));
}

static int for_owner(struct engine *engine, struct caller *caller, int64_t id, const char *what,
	struct fault *fault, struct destroyed *ret_destroyed)
{
	char owner[128];
	int r = destroyed_get(engine, id, ret_destroyed);

	if (r < 0)
		return fault_set(fault, -r, "there is no such destroyed stack");
	if (caller && !caller_owns(caller, ret_destroyed->uid))
		return fault_set(fault, EPERM,
			"the destroyed stack %s can be %s only by its owner %s and root", ret_destroyed->name,
			what, caller_user_name(ret_destroyed->uid, owner, sizeof(owner)));
	return 0;
}

static int may_make(struct engine *engine, struct caller *caller, const char *name, struct fault *fault)
{
	struct folder folder;
	int r = name_check(name);

	if (r < 0)
		return fault_set(fault, -r, "\"%.140s\" is no name of a stack", name);
	r = folder_get(engine, "stacks", &folder);
	if (r == 0 && caller &&
		caller_access(caller, folder.uid, folder.gid, folder.mode, MAY_WRITE | MAY_EXECUTE) < 0)
		r = fault_set(fault, EACCES,
			"you may not make the stack %s: the folder stacks/ does not let you", name);
	return r;
}

static int row_restore(
	struct engine *engine, const struct destroyed *destroyed, const char *name, int64_t last)
{
	int r = store_run(engine->store, SQL_STACK_ADD_AGAIN, "isiiiiii", destroyed->id, name,
		(int64_t)destroyed->uid, (int64_t)destroyed->gid, (int64_t)destroyed->mode, time_now_ms(),
		destroyed->token, last);

	return r < 0 ? r : store_run(engine->store, SQL_DESTROYED_DELETE, "i", destroyed->id);
}

int destroyed_restore(
	struct engine *engine, struct caller *caller, int64_t id, const char *name, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct destroyed destroyed;
	struct stack stack;
	int64_t last;
	int r = for_owner(engine, caller, id, "brought back", fault, &destroyed);

	name = *name ? name : destroyed.name;
	if (r == 0)
		r = may_make(engine, caller, name, fault);
	if (r == 0)
		r = version_last(engine, id, &last);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r < 0)
		return r;
	r = row_restore(engine, &destroyed, name, last);
	if (r == -EEXIST)
		return fault_set(fault, EEXIST,
			"there is a stack %s now: give another name (echo NAME > restore)", name);
	if (r == 0)
		r = version_begin(engine, caller, id, "brought back", NULL);
	if (r == 0)
		r = stack_put_version(engine, caller, id);
	if (r == 0)
		r = stack_get(engine, id, &stack);
	/* The daemon does it: a lock cannot be in the way, and rights have been asked. */
	if (r == 0)
		r = restore_live(engine, &stack, last, fault);
	if (r == 0)
		r = deps_stack_created(engine, &stack);
	if (r == 0)
		r = event_add(engine, caller, "stack.restored", id, name, 0, NULL);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES | ASPECT_VERSIONS);
	engine_note(engine, SUBJECT_STACK, id, ASPECT_ALL);
	return 0;
}

/* In a change. */
static int purge(struct engine *engine, struct caller *caller, const struct destroyed *destroyed)
{
	int r = store_run(engine->store, SQL_DESTROYED_DELETE, "i", destroyed->id);

	if (r == 0)
		r = versions_drop(engine, destroyed->id);
	if (r == 0)
		r = event_add(engine, caller, "stack.purged", destroyed->id, destroyed->name, 0, NULL);
	if (r == 0)
		engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES | ASPECT_VERSIONS);
	return r;
}

int destroyed_purge(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct destroyed destroyed;
	int r = for_owner(engine, caller, id, "removed", fault, &destroyed);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = purge(engine, caller, &destroyed);
	return r < 0 ? r : store_change_end(&change);
}

int destroyed_expire(struct engine *engine)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct destroyed destroyed;
	int64_t id, before = time_now_ms() - engine->config.snapshot_retention_ms;
	int r = store_get_int(engine->store, &id, SQL_DESTROYED_EXPIRED, "i", before);

	if (r == 0)
		r = destroyed_get(engine, id, &destroyed);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = purge(engine, NULL, &destroyed);
	FAILPOINT("collect.destroyed");
	if (r == 0)
		r = store_change_end(&change);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}
