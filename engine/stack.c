/* SPDX-License-Identifier: MIT */
/* Stacks: existence, names, owners, modes. */
#include "engine/stack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/deps.h"
#include "engine/destroyed.h"
#include "engine/event.h"
#include "engine/folder.h"
#include "engine/lock.h"
#include "engine/quota.h"
#include "engine/resource.h"
#include "engine/run.h"
#include "engine/tag.h"
#include "engine/version.h"

static const char *const status_names[] = {
	[STACK_CREATED] = "created",
	[STACK_RUNNING] = "running",
	[STACK_COMPLETED] = "completed",
	[STACK_FAILED] = "failed",
};

const char *stack_status_name(enum stack_status status)
{
	return status_names[status];
}

static enum stack_status status_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++)
		if (!strcmp(status_names[i], name))
			return (enum stack_status)i;
	return STACK_FAILED; /* the schema's CHECK knows the same words */
}

static void stack_load(struct query *query, void *ret)
{
	struct stack *ret_stack = ret;

	*ret_stack = (struct stack){
		.id = query_int(query, 0),
		.uid = (uid_t)query_int(query, 2),
		.gid = (gid_t)query_int(query, 3),
		.mode = (mode_t)query_int(query, 4),
		.status = status_parse(query_text(query, 5)),
		.created_ms = query_int(query, 6),
		.updated_ms = query_int(query, 7),
		.token = query_int(query, 8),
		.run_count = query_int(query, 9),
		.last_run = query_int(query, 10),
	};
	snprintf(ret_stack->name, sizeof(ret_stack->name), "%s", query_text(query, 1));
}

int stack_get(struct engine *engine, int64_t id, struct stack *ret_stack)
{
	return query_one(query_begin(engine->store, SQL_STACK_GET, "i", id), stack_load, ret_stack);
}

int stack_find(struct engine *engine, const char *name, struct stack *ret_stack)
{
	return query_one(query_begin(engine->store, SQL_STACK_FIND, "s", name), stack_load, ret_stack);
}

int stack_each(struct engine *engine, const char *after,
	int (*each)(void *userdata, const struct stack *stack), void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_STACK_EACH, "s", after);
	struct stack stack;
	int r;

	while ((r = query_step(query)) > 0) {
		stack_load(query, &stack);
		r = each(userdata, &stack);
		if (r != 0)
			break;
	}
	return r;
}

static int name_fault(const char *name, struct fault *fault)
{
	int r = name_check(name);

	if (r == -ENAMETOOLONG)
		return fault_set(
			fault, ENAMETOOLONG, "the name of a stack has up to %d characters", NAME_MAX_LENGTH);
	if (r < 0)
		return fault_set(fault, EINVAL,
			"%.200s: the name of a stack begins with a letter or digit, and has only those, '.', "
			"'_' and '-'",
			name);
	return 0;
}

int stack_put_version(struct engine *engine, struct caller *caller, int64_t id)
{
	CLEANUP(cleanup_free) char *text = NULL;
	json_auto_t *meta = NULL;
	struct stack stack;
	char mode[16];
	int r = stack_get(engine, id, &stack);

	if (r < 0)
		return r;
	snprintf(mode, sizeof(mode), "%04o", (unsigned)stack.mode);
	meta = json_pack("{s:s, s:s, s:s, s:s}", "name", stack.name, "owner", caller_login(stack.uid),
		"group", caller_group(stack.gid), "mode", mode);
	text = meta ? json_dumps(meta, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
	return text ? version_put(engine, caller, id, VERSION_META, "meta", text, strlen(text)) : -ENOMEM;
}

int stack_create(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	struct fault *fault, struct stack *ret_stack)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	uid_t uid = caller ? caller->uid : geteuid();
	gid_t gid = caller ? caller->gid : getegid();
	struct stack stack;
	int64_t id;
	int r;

	r = name_fault(name, fault);
	if (r == 0)
		r = quota_check(engine, uid, QUOTA_STACKS, 1, fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r < 0)
		return r;
	r = store_insert(engine->store, &id, SQL_STACK_ADD, "siiii", name, (int64_t)uid, (int64_t)gid,
		(int64_t)(mode & 07777), time_now_ms());
	if (r == -EEXIST)
		return fault_set(fault, EEXIST, "there is a stack %s already", name);
	if (r == 0)
		r = version_begin(engine, caller, id, "created", NULL);
	if (r == 0)
		r = stack_put_version(engine, caller, id);
	if (r == 0)
		r = event_add(engine, caller, "stack.created", id, name, 0, NULL);
	if (r == 0)
		r = stack_get(engine, id, &stack);
	if (r == 0)
		r = deps_stack_created(engine, &stack);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES);
	engine_note(engine, SUBJECT_STACK, id, ASPECT_ALL);
	*ret_stack = stack;
	return 0;
}

/* Getting the stack for a change that only its owner and root may do, with nobody else's lock in the way. */
static int stack_for_owner(struct engine *engine, struct caller *caller, int64_t id, const char *what,
	struct fault *fault, struct stack *ret_stack)
{
	char owner[128];
	int r = stack_get(engine, id, ret_stack);

	if (r < 0)
		return fault_set(fault, -r, "the stack is gone");
	if (caller && !caller_owns(caller, ret_stack->uid))
		return fault_set(fault, EPERM, "stack %s can be %s only by its owner %s and root",
			ret_stack->name, what, caller_user_name(ret_stack->uid, owner, sizeof(owner)));
	return lock_check(engine, caller, id, fault);
}

static int stack_delete(struct engine *engine, const struct stack *stack)
{
	struct store *store = engine->store;
	int r;

	r = store_run(store, SQL_RUN_KEEP_OWNER, "iiii", stack->id, (int64_t)stack->uid, (int64_t)stack->gid,
		(int64_t)stack->mode);
	if (r == 0)
		r = store_run(store, SQL_KV_DELETE_SCOPE, "ii", stack->id, INT64_C(0));
	if (r == 0)
		r = store_run(store, SQL_WORKFLOW_DELETE_STACK, "i", stack->id);
	if (r == 0)
		r = tag_forget_stack(engine, stack->id);
	if (r == 0)
		r = lock_forget_target(engine, lock_of_stack(stack->id));
	return r < 0 ? r : store_run(store, SQL_STACK_DELETE, "i", stack->id);
}

int stack_destroy(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	int64_t runs;
	int r;

	r = stack_for_owner(engine, caller, id, "destroyed", fault, &stack);
	if (r == 0)
		r = resource_check_protected(engine, id, stack.name, "destroyed", fault);
	if (r == 0)
		r = run_count_unfinished(engine, id, &runs);
	if (r < 0)
		return r;
	if (runs > 0)
		return fault_set(fault, EBUSY,
			"stack %s has %" PRId64 " unfinished run%s: wait for %s, or cancel (runs/ID/ctl)",
			stack.name, runs, runs == 1 ? "" : "s", runs == 1 ? "it" : "them");
	r = deps_stack_destroyed(engine, &stack, fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = destroyed_keep(engine, caller, &stack);
	if (r == 0)
		r = event_add(engine, caller, "stack.destroyed", id, stack.name, 0, NULL);
	if (r == 0)
		r = stack_delete(engine, &stack);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES);
	engine_note(engine, SUBJECT_STACK, id, ASPECT_ALL);
	return 0;
}

/* Ends a change of the stack's own row: event, commit, notice. */
static int stack_changed(struct engine *engine, struct caller *caller, struct store_change *change,
	const struct stack *stack, const char *type, json_t *data, unsigned aspects)
{
	int r = event_add(engine, caller, type, stack->id, stack->name, 0, data);

	if (r == 0)
		r = stack_put_version(engine, caller, stack->id);
	if (r == 0)
		r = store_change_end(change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_STACK, stack->id, aspects);
	if (aspects & ASPECT_NAMES)
		engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_NAMES);
	return 0;
}

int stack_rename(
	struct engine *engine, struct caller *caller, int64_t id, const char *name, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	char before[NAME_SIZE];
	struct stack stack;
	int r;

	r = name_fault(name, fault);
	if (r == 0)
		r = stack_for_owner(engine, caller, id, "renamed", fault, &stack);
	if (r < 0)
		return r;
	memcpy(before, stack.name, sizeof(before));
	if (!strcmp(before, name))
		return 0;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_STACK_RENAME, "isi", id, name, time_now_ms());
	if (r == -EEXIST)
		return fault_set(fault, EEXIST, "there is a stack %s already", name);
	if (r < 0)
		return r;
	snprintf(stack.name, sizeof(stack.name), "%s", name);
	r = deps_stack_renamed(engine, caller, &stack, fault);
	if (r < 0)
		return r;
	return stack_changed(engine, caller, &change, &stack, "stack.renamed",
		json_pack("{ss}", "from", before), ASPECT_META | ASPECT_NAMES);
}

static int note_run(void *userdata, const struct run *run)
{
	engine_note(userdata, SUBJECT_RUN, run->id, ASPECT_META);
	return 0;
}

/* Its runs have the stack's owner and mode. */
static void note_runs(struct engine *engine, int64_t id)
{
	run_each(engine, id, 0, note_run, engine);
}

int stack_chmod(struct engine *engine, struct caller *caller, int64_t id, mode_t mode, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	char text[8];
	int r;

	r = stack_for_owner(engine, caller, id, "changed in its mode", fault, &stack);
	if (r < 0)
		return r;
	mode &= 07777;
	/* As chmod(2): who is not in the group cannot give its rights away. */
	if (caller && caller->uid != 0 && !caller_in_group(caller, stack.gid))
		mode &= (mode_t)~S_ISGID;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_STACK_SET_MODE, "iii", id, (int64_t)mode, time_now_ms());
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%04o", (unsigned)mode);
	r = stack_changed(engine, caller, &change, &stack, "stack.updated", json_pack("{ss}", "mode", text),
		ASPECT_META);
	if (r == 0)
		note_runs(engine, id);
	return r;
}

static int chown_check(
	struct caller *caller, const struct stack *stack, uid_t uid, gid_t gid, struct fault *fault)
{
	if (!caller || caller->uid == 0)
		return 0;
	if (uid != stack->uid)
		return fault_set(fault, EPERM, "only root gives stack %s to another owner", stack->name);
	if (gid != stack->gid && !caller_in_group(caller, gid))
		return fault_set(fault, EPERM,
			"stack %s can be given to a group of which its owner is a member", stack->name);
	return 0;
}

int stack_chown(
	struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct stack stack;
	int r;

	r = stack_for_owner(engine, caller, id, "given away", fault, &stack);
	if (r < 0)
		return r;
	uid = uid == (uid_t)-1 ? stack.uid : uid;
	gid = gid == (gid_t)-1 ? stack.gid : gid;
	r = chown_check(caller, &stack, uid, gid, fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_STACK_SET_OWNER, "iiiii", id, (int64_t)uid, (int64_t)gid,
			(int64_t)stack.mode, time_now_ms());
	if (r < 0)
		return r;
	r = stack_changed(engine, caller, &change, &stack, "stack.updated",
		json_pack("{sI sI}", "owner", (json_int_t)uid, "group", (json_int_t)gid), ASPECT_META);
	if (r == 0)
		note_runs(engine, id);
	return r;
}

int stack_access(struct caller *caller, const struct stack *stack, int want)
{
	return caller ? caller_access(caller, stack->uid, stack->gid, stack->mode, want) : 0;
}

bool stack_visible(struct engine *engine, struct caller *caller, int64_t id)
{
	struct stack stack;

	return stack_get(engine, id, &stack) == 0 &&
	       stack_access(caller, &stack, MAY_READ | MAY_EXECUTE) == 0 &&
	       folder_pass(engine, caller, "stacks", NULL) == 0;
}

int stack_may_write(struct caller *caller, const struct stack *stack, struct fault *fault)
{
	char owner[128];

	if (stack_access(caller, stack, MAY_WRITE | MAY_EXECUTE) == 0)
		return 0;
	return fault_set(fault, EACCES, "stack %s is of %s, mode %04o: you may not write to it", stack->name,
		caller_user_name(stack->uid, owner, sizeof(owner)), (unsigned)stack->mode);
}

int stack_may_change(
	struct engine *engine, struct caller *caller, const struct stack *stack, struct fault *fault)
{
	int r = stack_may_write(caller, stack, fault);

	return r < 0 ? r : lock_check(engine, caller, stack->id, fault);
}

int stack_get_for_change(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault,
	struct stack *ret_stack)
{
	int r = stack_get(engine, id, ret_stack);

	return r < 0 ? fault_set(fault, -r, "the stack is gone")
		     : stack_may_change(engine, caller, ret_stack, fault);
}

int stack_set_status(struct engine *engine, int64_t id, enum stack_status status)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(
			engine->store, SQL_STACK_SET_STATUS, "isi", id, status_names[status], time_now_ms());
	if (r == 0 && store_changed_rows(engine->store) == 0)
		r = -ENOENT;
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		engine_note(engine, SUBJECT_STACK, id, ASPECT_STATUS);
	return r;
}

int stack_count_run(struct engine *engine, int64_t id, int64_t run_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_STACK_COUNT_RUN, "ii", id, run_id);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		engine_note(engine, SUBJECT_STACK, id, ASPECT_STATUS);
	return r;
}

enum { RUNS_TIMED = 5 };

/* Insertion: there are five. Returns the median. */
static int64_t median(int64_t *times, int count)
{
	for (int i = 1; i < count; i++)
		for (int j = i; j > 0 && times[j - 1] > times[j]; j--) {
			int64_t other = times[j];

			times[j] = times[j - 1];
			times[j - 1] = other;
		}
	return count ? times[count / 2] : 0;
}

int stack_time_runs(struct engine *engine, int64_t id)
{
	struct query *query = query_begin(engine->store, SQL_STACK_RUN_TIMES, "i", id);
	int64_t times[RUNS_TIMED];
	int r, count = 0;

	while ((r = query_step(query)) > 0 && count < RUNS_TIMED)
		times[count++] = query_int(query, 0);
	query_end(query);
	if (r < 0)
		return r;
	r = store_run(engine->store, SQL_STACK_SET_RUN_TIME, "ii", id, median(times, count));
	if (r == 0)
		engine_note(engine, SUBJECT_STACK, id, ASPECT_DEPS);
	return r;
}
