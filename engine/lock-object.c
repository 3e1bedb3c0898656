/* SPDX-License-Identifier: MIT */
/* What a lock is about: a stack or a named lock, and the few things in which they differ. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/event.h"
#include "engine/folder.h"
#include "engine/lock-table.h"
#include "engine/named-lock.h"
#include "engine/stack.h"

static int get_stack(struct engine *engine, int64_t id, struct fault *fault, struct lock_object *ret_object)
{
	struct stack stack;
	int r = stack_get(engine, id, &stack);

	if (r < 0)
		return fault_set(fault, -r, r == -ENOENT ? "the stack is gone" : "the stack cannot be read");
	*ret_object =
		(struct lock_object){ lock_of_stack(id), "", stack.uid, stack.gid, stack.mode, stack.token };
	memcpy(ret_object->name, stack.name, sizeof(stack.name));
	return 0;
}

static int get_name(struct engine *engine, int64_t id, struct fault *fault, struct lock_object *ret_object)
{
	struct named_lock named;
	int r = named_lock_get(engine, id, &named);

	if (r < 0)
		return fault_set(fault, -r, r == -ENOENT ? "the lock is gone" : "the lock cannot be read");
	*ret_object =
		(struct lock_object){ lock_of_name(id), "", named.uid, named.gid, named.mode, named.token };
	memcpy(ret_object->name, named.name, sizeof(named.name));
	return 0;
}

int lock_object_get(
	struct engine *engine, struct lock_target target, struct fault *fault, struct lock_object *ret_object)
{
	return target.stack_id ? get_stack(engine, target.stack_id, fault, ret_object)
			       : get_name(engine, target.name_id, fault, ret_object);
}

int lock_object_for(struct engine *engine, struct caller *caller, struct lock_target target, int want,
	struct fault *fault, struct lock_object *ret_object)
{
	char owner[128], label[LOCK_LABEL_MAX];
	int r = lock_object_get(engine, target, fault, ret_object);

	if (r < 0 || !caller)
		return r;
	if (caller_access(caller, ret_object->uid, ret_object->gid, ret_object->mode, want) < 0)
		return fault_set(fault, EACCES, "%s is of %s, mode %04o: you may not %s it",
			lock_object_label(ret_object, label),
			caller_user_name(ret_object->uid, owner, sizeof(owner)), (unsigned)ret_object->mode,
			want & MAY_WRITE ? "lock" : "read");
	return 0;
}

static int find_stack(struct engine *engine, struct caller *caller, const char *name, struct fault *fault,
	struct lock_target *ret_target)
{
	struct stack stack;
	int r = folder_pass(engine, caller, "stacks", fault);

	if (r < 0)
		return r;
	r = stack_find(engine, name, &stack);
	if (r < 0)
		return fault_set(fault, -r, "there is no stack %.128s", name);
	if (stack_access(caller, &stack, MAY_EXECUTE) < 0)
		return fault_set(fault, EACCES, "you may not use the stack %s", stack.name);
	*ret_target = lock_of_stack(stack.id);
	return 0;
}

int lock_target_find(struct engine *engine, struct caller *caller, const char *path, struct fault *fault,
	struct lock_target *ret_target)
{
	int64_t id = 0;
	int r;

	if (!strncmp(path, "stacks/", strlen("stacks/")))
		return find_stack(engine, caller, path + strlen("stacks/"), fault, ret_target);
	if (strncmp(path, "locks/", strlen("locks/")) != 0)
		return fault_set(fault, EINVAL,
			"%.200s: what is locked is written as stacks/NAME or locks/NAME", path);
	r = folder_pass(engine, caller, "locks", fault);
	if (r == 0)
		r = named_lock_need(engine, caller, path + strlen("locks/"), false, fault, &id);
	if (r == 0)
		*ret_target = lock_of_name(id);
	return r;
}

const char *lock_object_label(const struct lock_object *object, char ret_text[LOCK_LABEL_MAX])
{
	snprintf(ret_text, LOCK_LABEL_MAX, "%s %s", object->target.stack_id ? "stack" : "lock", object->name);
	return ret_text;
}

const char *lock_object_lock(const struct lock_object *object, char ret_text[LOCK_LABEL_MAX])
{
	snprintf(ret_text, LOCK_LABEL_MAX, "%s %s", object->target.stack_id ? "the lock of stack" : "lock",
		object->name);
	return ret_text;
}

const char *lock_object_file(const struct lock_object *object, char ret_text[LOCK_LABEL_MAX])
{
	snprintf(ret_text, LOCK_LABEL_MAX, "%s%s", object->target.stack_id ? "lock" : "locks/",
		object->target.stack_id ? "" : object->name);
	return ret_text;
}

int lock_object_next_token(struct engine *engine, struct lock_target target, int64_t *ret_token)
{
	int64_t token;
	int r;

	if (target.stack_id) {
		r = store_run(engine->store, SQL_STACK_NEXT_TOKEN, "i", target.stack_id);
		return r < 0 ? r
			     : store_get_int(engine->store, ret_token, SQL_STACK_TOKEN, "i", target.stack_id);
	}
	r = store_get_int(engine->store, &token, SQL_NAMED_LOCK_NEXT_TOKEN, "");
	if (r == 0)
		r = store_run(engine->store, SQL_NAMED_LOCK_SET_TOKEN, "ii", target.name_id, token);
	if (r == 0)
		*ret_token = token;
	return r;
}

int lock_object_event(struct engine *engine, struct caller *caller, const char *type,
	const struct lock_object *object, int64_t run_id, json_t *data)
{
	if (object->target.stack_id)
		return event_add(engine, caller, type, object->target.stack_id, object->name, run_id, data);
	if (data)
		json_object_set_new(data, "lock", json_string(object->name));
	return event_add(engine, caller, type, 0, NULL, run_id, data);
}

void lock_target_note(struct engine *engine, struct lock_target target)
{
	engine_note(engine, target.stack_id ? SUBJECT_STACK : SUBJECT_LOCK,
		target.stack_id ? target.stack_id : target.name_id, ASPECT_LOCK);
}
