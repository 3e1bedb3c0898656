/* SPDX-License-Identifier: MIT */
/* Keys and values: stacks/S/state/KEY and state/NAMESPACE/KEY. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/clock.h"
#include "engine/event.h"
#include "engine/output.h"
#include "engine/stack.h"
#include "fs/nodes/state.h"

/* The scope of a folder of keys. */
static struct kv_scope folder_scope(const struct view *folder)
{
	if (node_entry(folder->node)->directory == &stack_state_directory)
		return (struct kv_scope){ .stack_id = folder->id };
	return (struct kv_scope){ .namespace_id = folder->id };
}

int key_may_change(struct view *view, struct kv_scope scope)
{
	struct stack stack;
	int r;

	if (!scope.stack_id)
		return 0;
	r = stack_get(view->engine, scope.stack_id, &stack);
	return r < 0 ? r : stack_may_change(view->engine, view->caller, &stack, view->fault);
}

int key_note_event(struct view *view, const char *type, struct kv_scope scope, const char *key)
{
	struct stack stack;

	if (!scope.stack_id || stack_get(view->engine, scope.stack_id, &stack) < 0)
		return 0;
	return event_add(
		view->engine, view->caller, type, stack.id, stack.name, 0, json_pack("{s:s}", "key", key));
}

int key_of_file(const char *file, char ret_key[NAME_SIZE])
{
	return name_decode(file, ret_key) < 0 || kv_name_check(ret_key, NULL) < 0 ? -ENOENT : 0;
}

static bool key_takes(const char *file)
{
	char key[NAME_SIZE];

	return key_of_file(file, key) == 0;
}

static int key_find(struct view *folder, const char *file, int64_t *ret_id)
{
	char key[NAME_SIZE];
	struct kv kv;
	int r = key_of_file(file, key);

	if (r == 0)
		r = kv_find(folder->engine, folder_scope(folder), key, &kv, NULL);
	if (r == 0)
		*ret_id = kv.id;
	return r;
}

static int emit_key(void *userdata, const struct kv *kv, const char *value)
{
	struct emitter *emitter = userdata;
	char file[ENCODED_SIZE];

	return emitter->emit(emitter->userdata, name_encode(kv->name, file), kv->id);
}

static int key_each(struct view *folder, node_emit *emit, void *userdata)
{
	return kv_each(folder->engine, folder_scope(folder), emit_key, &(struct emitter){ emit, userdata });
}

static int key_show(struct view *view, FILE *out)
{
	json_auto_t *value = NULL;
	struct kv_scope scope;
	struct kv kv;
	int r;

	if (kv_write_text(view->engine, view->id, out)) {
		fputc('\n', out);
		return 0;
	}
	r = kv_get_id(view->engine, view->id, &scope, &kv, &value);
	if (r == 0)
		output_write_raw(value, out);
	return r;
}

static int key_set(
	struct view *view, struct kv_scope scope, const char *name, const char *content, size_t size)
{
	json_auto_t *value = NULL;
	int r = key_may_change(view, scope);

	if (r < 0)
		return r;
	/* What people and scripts write is text: the newline that echo adds is not part of it. */
	if (size && content[size - 1] == '\n')
		size--;
	r = kv_value_parse(content, size, "string", view->fault, &value);
	if (r < 0)
		return r;
	scope.caller = view->caller;
	r = kv_explain(view->engine, kv_set(view->engine, scope, name, value, -1), view->fault);
	return r < 0 ? r : key_note_event(view, "state.set", scope, name);
}

static int key_commit(struct view *view, const char *content, size_t size)
{
	struct kv_scope scope;
	struct kv kv;
	int r = kv_get_id(view->engine, view->id, &scope, &kv, NULL);

	return r < 0 ? r : key_set(view, scope, kv.name, content, size);
}

static int key_put(struct view *folder, const char *file, const char *content, size_t size, int64_t *ret_id)
{
	char key[NAME_SIZE];
	int r = key_of_file(file, key);

	if (r == 0)
		r = key_set(folder, folder_scope(folder), key, content, size);
	return r < 0 ? r : key_find(folder, file, ret_id);
}

static int key_remove(struct view *view)
{
	struct kv_scope scope;
	struct kv kv;
	int r = kv_get_id(view->engine, view->id, &scope, &kv, NULL);

	if (r == 0)
		r = key_may_change(view, scope);
	scope.caller = view->caller;
	if (r == 0)
		r = kv_delete(view->engine, scope, kv.name);
	return r < 0 ? r : key_note_event(view, "state.deleted", scope, kv.name);
}

/* What an attribute's function begins with. */
static int key_get(struct view *view, struct kv_scope *ret_scope, struct kv *ret_kv, json_t **ret_value)
{
	int r = kv_get_id(view->engine, view->id, ret_scope, ret_kv, ret_value);

	if (r == 0)
		ret_scope->caller = view->caller;
	return r;
}

/* When the key goes by itself. */
static int key_expires(struct view *view, int64_t *ret_ms)
{
	struct kv_scope scope;
	struct kv kv;
	int r = key_get(view, &scope, &kv, NULL);

	if (r == 0 && !kv.expires_ms)
		r = -ENODATA;
	if (r == 0)
		*ret_ms = kv.expires_ms;
	return r;
}

static int ttl_get(struct view *view, FILE *out)
{
	int64_t expires_ms;
	char text[32];
	int r = key_expires(view, &expires_ms);

	if (r < 0)
		return r;
	/* Without blanks, so that it can be given back: 29m58s. */
	duration_format(expires_ms - clock_now_ms(view->engine), text);
	for (const char *p = text; *p; p++)
		if (*p != ' ')
			fputc(*p, out);
	return 0;
}

static int ttl_change(struct view *view, int64_t ttl_ms)
{
	struct kv_scope scope;
	struct kv kv;
	int r = key_get(view, &scope, &kv, NULL);

	if (r == 0)
		r = key_may_change(view, scope);
	if (r == 0)
		r = kv_set_ttl(view->engine, scope, kv.name, ttl_ms);
	return r < 0 ? r : key_note_event(view, "state.ttl", scope, kv.name);
}

static int ttl_set(struct view *view, const char *value, size_t size)
{
	int64_t ttl_ms;

	if (!value)
		return ttl_change(view, 0);
	if (duration_parse(value, &ttl_ms) < 0)
		return fault_set(view->fault, EINVAL, "user.sloth.ttl is a duration like 30s, 5m or 1h30m");
	return ttl_change(view, ttl_ms);
}

static int expires_get(struct view *view, FILE *out)
{
	int64_t expires_ms;
	char text[32];
	int r = key_expires(view, &expires_ms);

	if (r < 0)
		return r;
	fputs(time_format(clock_to_wall(view->engine, expires_ms), text), out);
	return 0;
}

static int expires_set(struct view *view, const char *value, size_t size)
{
	int64_t time_ms, now = time_now_ms();

	if (!value)
		return ttl_change(view, 0);
	if (time_parse(value, &time_ms) < 0)
		return fault_set(
			view->fault, EINVAL, "user.sloth.expires is a time like 2026-11-21T14:03:05Z");
	if (time_ms <= now)
		return fault_set(view->fault, EINVAL, "user.sloth.expires: %s is over already", value);
	return ttl_change(view, time_ms - now);
}

static int type_get(struct view *view, FILE *out)
{
	json_auto_t *value = NULL;
	struct kv_scope scope;
	struct kv kv;
	int r = key_get(view, &scope, &kv, &value);

	if (r == 0)
		fputs(kv_type_name(value), out);
	return r;
}

/* What the file shows, taken for a value of this type. */
static int type_set(struct view *view, const char *type, size_t size)
{
	json_auto_t *old = NULL, *value = NULL;
	struct kv_scope scope;
	struct kv kv;
	int r = key_get(view, &scope, &kv, &old);

	if (r == 0 && !type)
		r = -EPERM;
	if (r == 0)
		r = key_may_change(view, scope);
	if (r == 0 && strcmp(type, kv_type_name(old)) != 0)
		r = kv_value_retype(old, type, view->fault, &value);
	if (r < 0 || !value)
		return r;
	r = kv_set(view->engine, scope, kv.name, value, -1);
	return r < 0 ? r : key_note_event(view, "state.set", scope, kv.name);
}

/* In this order they are given to a file that comes into being with them. */
static const struct attribute key_attributes[] = {
	{ "type", type_get, type_set },
	{ "ttl", ttl_get, ttl_set },
	{ "expires", expires_get, expires_set },
	{ NULL },
};

/* clang-format off */
static const struct entry key_entries[] = {
	{ .help = "a value", .kind = KIND_DOCUMENT, .mode = 0666, .subject = SUBJECT_KEY,
	  .aspects = ASPECT_STATE | ASPECT_META, .object = object_key, .show = key_show, .commit = key_commit,
	  .remove = key_remove, .attributes = key_attributes, .find = key_find, .each = key_each, .put = key_put,
	  .takes = key_takes },
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

static int namespace_each(struct view *folder, node_emit *emit, void *userdata)
{
	return kv_namespace_each(folder->engine, emit_namespace, &(struct emitter){ emit, userdata });
}

static int namespace_make(struct view *folder, const char *name, mode_t mode, int64_t *ret_id)
{
	return kv_namespace_create(folder->engine, folder->caller, name, mode & 0777, folder->fault, ret_id);
}

static int namespace_chmod(struct view *view, mode_t mode)
{
	struct kv_namespace ns;
	int r = kv_namespace_get(view->engine, view->id, &ns);

	if (r == 0 && !caller_owns(view->caller, ns.uid))
		r = -EPERM;
	return r < 0 ? r : kv_namespace_set(view->engine, view->caller, view->id, ns.uid, ns.gid, mode);
}

static int namespace_chown(struct view *view, uid_t uid, gid_t gid)
{
	struct kv_namespace ns;
	int r = kv_namespace_get(view->engine, view->id, &ns);

	if (r < 0)
		return r;
	if (uid == (uid_t)-1)
		uid = ns.uid;
	if (gid == (gid_t)-1)
		gid = ns.gid;
	if (!caller_may_give(view->caller, ns.uid, ns.gid, uid, gid))
		return -EPERM;
	return kv_namespace_set(view->engine, view->caller, view->id, uid, gid, ns.mode);
}

static int namespace_remove(struct view *view)
{
	int r = kv_namespace_delete(view->engine, view->caller, view->id);

	return r == -ENOTEMPTY ? fault_set(view->fault, ENOTEMPTY, "it has keys: remove them first") : r;
}

/* clang-format off */
static const struct entry state_entries[] = {
	{ .help = "a namespace", .kind = KIND_DIRECTORY, .mode = 07777, .aspects = ASPECT_STATE,
	  .fleeting = true,
	  .directory = &namespace_directory, .object = object_namespace,
	  .find = namespace_find, .each = namespace_each, .make = namespace_make, .remove = namespace_remove,
	  .chmod = namespace_chmod, .chown = namespace_chown },
};
/* clang-format on */

const struct directory state_directory = DIRECTORY(state_entries);
