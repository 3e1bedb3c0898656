/* SPDX-License-Identifier: MIT */
/* Keys and values: stacks/S/state/KEY and state/NAMESPACE/KEY. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/kv.h"
#include "engine/output.h"
#include "engine/stack.h"
#include "fs/nodes/nodes.h"

/* The scope of a folder of keys. */
static struct kv_scope folder_scope(const struct view *folder)
{
	if (node_entry(folder->node)->directory == &stack_state_directory)
		return (struct kv_scope){ .stack_id = folder->id };
	return (struct kv_scope){ .namespace_id = folder->id };
}

/* Keys of a stack change as the stack does: write permission, and nobody else's lock. Those of a namespace go
 * by the file's mode, which the open has checked. */
static int may_change(struct view *view, struct kv_scope scope)
{
	struct stack stack;
	int r;

	if (!scope.stack_id)
		return 0;
	r = stack_get(view->engine, scope.stack_id, &stack);
	return r < 0 ? r : stack_may_change(view->engine, view->caller, &stack, view->fault);
}

static int note_event(struct view *view, const char *type, struct kv_scope scope, const char *key)
{
	struct kv_namespace ns;
	struct stack stack;

	if (scope.stack_id)
		return stack_get(view->engine, scope.stack_id, &stack) < 0
			       ? 0
			       : event_add(view->engine, view->caller, type, stack.id, stack.name, 0,
					 json_pack("{s:s}", "key", key));
	if (kv_namespace_get(view->engine, scope.namespace_id, &ns) < 0)
		return 0;
	return event_add(view->engine, view->caller, type, 0, NULL, 0,
		json_pack("{s:s, s:s}", "key", key, "namespace", ns.name));
}

static int key_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct kv kv;
	int r = name_check(name) == 0 ? kv_find(folder->engine, folder_scope(folder), name, &kv, NULL)
				      : -ENOENT;

	if (r == 0)
		*ret_id = kv.id;
	return r;
}

struct emitter {
	int (*emit)(void *userdata, const char *name, int64_t id);
	void *userdata;
};

static int emit_key(void *userdata, const struct kv *kv, const char *value)
{
	struct emitter *emitter = userdata;

	/* Keys that a workflow chose freely can have names that no file has; they are listed by state.keys().
	 */
	return name_check(kv->name) == 0 ? emitter->emit(emitter->userdata, kv->name, kv->id) : 0;
}

static int key_each(
	struct view *folder, int (*emit)(void *userdata, const char *name, int64_t id), void *userdata)
{
	return kv_each(folder->engine, folder_scope(folder), emit_key, &(struct emitter){ emit, userdata });
}

static int key_show(struct view *view, FILE *out)
{
	json_auto_t *value = NULL;
	struct kv_scope scope;
	struct kv kv;
	int r = kv_get_id(view->engine, view->id, &scope, &kv, &value);

	if (r == 0)
		output_write_raw(value, out);
	return r;
}

static int key_set(
	struct view *view, struct kv_scope scope, const char *name, const char *content, size_t size)
{
	json_auto_t *value = NULL;
	int r = may_change(view, scope);

	if (r < 0)
		return r;
	/* What people and scripts write is text: the newline that echo adds is not part of it. */
	if (size && content[size - 1] == '\n')
		size--;
	value = json_stringn(content, size);
	if (!value)
		return fault_set(view->fault, EINVAL, "the value is no UTF-8 text");
	scope.caller = view->caller;
	r = kv_set(view->engine, scope, name, value, -1);
	return r < 0 ? r : note_event(view, "state.set", scope, name);
}

static int key_commit(struct view *view, const char *content, size_t size)
{
	struct kv_scope scope;
	struct kv kv;
	int r = kv_get_id(view->engine, view->id, &scope, &kv, NULL);

	return r < 0 ? r : key_set(view, scope, kv.name, content, size);
}

static int key_put(struct view *folder, const char *name, const char *content, size_t size, int64_t *ret_id)
{
	int r = key_set(folder, folder_scope(folder), name, content, size);

	return r < 0 ? r : key_find(folder, name, ret_id);
}

static int key_remove(struct view *view)
{
	struct kv_scope scope;
	struct kv kv;
	int r = kv_get_id(view->engine, view->id, &scope, &kv, NULL);

	if (r == 0)
		r = may_change(view, scope);
	scope.caller = view->caller;
	if (r == 0)
		r = kv_delete(view->engine, scope, kv.name);
	return r < 0 ? r : note_event(view, "state.deleted", scope, kv.name);
}

static int key_set_option(
	struct view *view, const char *file, const char *option, const char *value, size_t size)
{
	struct kv_scope scope;
	struct kv kv;
	char text[64];
	int64_t ttl_ms;
	int r;

	if (file)
		return fault_set(
			view->fault, ENOENT, "write the value of %s first, then its user.sloth.ttl", file);
	if (strcmp(option, "ttl"))
		return fault_set(view->fault, ENOTSUP,
			"user.sloth.%s is unknown here; a key has user.sloth.ttl", option);
	snprintf(text, sizeof(text), "%.*s", (int)(size < 63 ? size : 63), value);
	if (duration_parse(text, &ttl_ms) < 0)
		return fault_set(view->fault, EINVAL, "user.sloth.ttl is a duration like 30s, 5m or 1h30m");
	r = kv_get_id(view->engine, view->id, &scope, &kv, NULL);
	if (r == 0)
		r = may_change(view, scope);
	scope.caller = view->caller;
	return r < 0 ? r : kv_set_ttl(view->engine, scope, kv.name, ttl_ms);
}

/* clang-format off */
static const struct entry key_entries[] = {
	{ .help = "a value", .kind = KIND_DOCUMENT, .mode = 0666, .subject = SUBJECT_KEY,
	  .aspects = ASPECT_STATE | ASPECT_META, .object = object_key, .show = key_show, .commit = key_commit,
	  .remove = key_remove, .set_option = key_set_option, .find = key_find, .each = key_each, .put = key_put },
};
/* clang-format on */

const struct directory stack_state_directory = DIRECTORY(key_entries);
const struct directory namespace_directory = DIRECTORY(key_entries);

/* Namespaces. */

static int namespace_find(struct view *folder, const char *name, int64_t *ret_id)
{
	struct kv_namespace ns;
	int r = name_check(name) == 0 ? kv_namespace_find(folder->engine, name, &ns) : -ENOENT;

	if (r == 0)
		*ret_id = ns.id;
	return r;
}

static int emit_namespace(void *userdata, const struct kv_namespace *ns)
{
	struct emitter *emitter = userdata;

	return emitter->emit(emitter->userdata, ns->name, ns->id);
}

static int namespace_each(
	struct view *folder, int (*emit)(void *userdata, const char *name, int64_t id), void *userdata)
{
	return kv_namespace_each(folder->engine, emit_namespace, &(struct emitter){ emit, userdata });
}

static int namespace_make(struct view *folder, const char *name, mode_t mode, int64_t *ret_id)
{
	return kv_namespace_create(folder->engine, folder->caller, name, mode & 0777, ret_id);
}

static int namespace_remove(struct view *view)
{
	int r = kv_namespace_delete(view->engine, view->id);

	return r == -ENOTEMPTY ? fault_set(view->fault, ENOTEMPTY, "it has keys: remove them first") : r;
}

/* clang-format off */
static const struct entry state_entries[] = {
	{ .help = "a namespace", .kind = KIND_DIRECTORY, .mode = 0777, .fleeting = true,
	  .directory = &namespace_directory, .object = object_namespace,
	  .find = namespace_find, .each = namespace_each, .make = namespace_make, .remove = namespace_remove },
};
/* clang-format on */

const struct directory state_directory = DIRECTORY(state_entries);
