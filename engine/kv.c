/* SPDX-License-Identifier: MIT */
/* Keys and values: namespaces, and reading. */
#include "engine/kv.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/json-text.h"
#include "engine/caller.h"
#include "engine/clock.h"
#include "engine/event.h"
#include "engine/folder.h"
#include "engine/kv-internal.h"
#include "engine/quota.h"

enum { ENCODED_MAX = 255 }; /* NAME_MAX of the tree */

int kv_name_check(const char *name, struct fault *fault)
{
	size_t size = strlen(name), encoded = 0;

	for (size_t i = 0; i < size && i < NAME_SIZE; i++) {
		unsigned char c = (unsigned char)name[i];

		encoded += (c < 0x80 && isalnum(c)) || (i > 0 && strchr("._-", c)) ? 1 : 3;
	}
	if (size == 0 || size > NAME_MAX_LENGTH)
		return fault_set(fault, EINVAL, "a key has 1 to %d bytes", NAME_MAX_LENGTH);
	if (encoded > ENCODED_MAX)
		return fault_set(fault, EINVAL,
			"this key is too long for a file: with its special bytes as %%XX it has %zu "
			"characters, "
			"and the limit is %d",
			encoded, ENCODED_MAX);
	if (!text_is_utf8(name, size))
		return fault_set(fault, EINVAL, "a key must be valid UTF-8");
	return 0;
}

void kv_note(struct engine *engine, struct kv_scope scope, int64_t id, unsigned aspects)
{
	engine_note(engine, SUBJECT_KEY, id, ASPECT_STATE);
	if (scope.stack_id)
		engine_note(engine, SUBJECT_STACK, scope.stack_id, ASPECT_STATE | aspects);
	else
		engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_STATE | aspects);
}

static int namespace_event(struct engine *engine, struct caller *caller, const char *type, const char *name)
{
	return event_add(engine, caller, type, 0, NULL, 0, json_pack("{s:s}", "namespace", name));
}

int kv_namespace_create(struct engine *engine, struct caller *caller, const char *name, mode_t mode,
	struct fault *fault, int64_t *ret_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t id;
	int r;

	r = name_check(name);
	if (r == 0)
		r = quota_check(engine, caller->uid, QUOTA_NAMESPACES, 1, fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r < 0)
		return r;
	r = store_insert(engine->store, &id, SQL_NAMESPACE_ADD, "siiii", name, (int64_t)caller->uid,
		(int64_t)caller->gid, (int64_t)(mode & 07777), time_now_ms());
	if (r == 0)
		r = namespace_event(engine, caller, "namespace.created", name);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_STATE | ASPECT_NAMES);
	*ret_id = id;
	return 0;
}

static void namespace_load(struct query *query, void *ret)
{
	struct kv_namespace *namespace = ret;

	*namespace = (struct kv_namespace){
		.id = query_int(query, 0),
		.uid = (uid_t)query_int(query, 2),
		.gid = (gid_t)query_int(query, 3),
		.mode = (mode_t)query_int(query, 4),
		.updated_ms = query_int(query, 5),
	};
	snprintf(namespace->name, sizeof(namespace->name), "%s", query_text(query, 1));
}

int kv_namespace_find(struct engine *engine, const char *name, struct kv_namespace *ret)
{
	return query_one(query_begin(engine->store, SQL_NAMESPACE_FIND, "s", name), namespace_load, ret);
}

int kv_namespace_get(struct engine *engine, int64_t id, struct kv_namespace *ret)
{
	return query_one(query_begin(engine->store, SQL_NAMESPACE_GET, "i", id), namespace_load, ret);
}

static int namespace_make(
	struct engine *engine, struct caller *caller, const char *name, struct fault *fault, int64_t *ret_id)
{
	struct folder folder;
	int r = folder_get(engine, "state", &folder);

	if (r == 0)
		r = caller_access(caller, folder.uid, folder.gid, folder.mode, MAY_WRITE | MAY_EXECUTE);
	if (r == -EACCES)
		return fault_set(fault, EACCES,
			"there is no namespace %s, and you may not make one: the folder state/ says who may",
			name);
	return r < 0 ? r : kv_namespace_create(engine, caller, name, 0755, fault, ret_id);
}

int kv_namespace_open(struct engine *engine, struct caller *caller, const char *name, int want,
	struct fault *fault, int64_t *ret_id)
{
	struct kv_namespace ns;
	int r;

	if (name_check(name) < 0)
		return fault_set(fault, EINVAL, "\"%.64s\" is no valid name of a namespace", name);
	r = folder_pass(engine, caller, "state", fault);
	if (r < 0)
		return r;
	r = kv_namespace_find(engine, name, &ns);
	if (r == -ENOENT && (want & MAY_WRITE))
		return namespace_make(engine, caller, name, fault, ret_id);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && caller_access(caller, ns.uid, ns.gid, ns.mode,
			      (want & MAY_READ) | (want & MAY_WRITE) | MAY_EXECUTE) < 0)
		return fault_set(fault, EACCES, "you may not %s the namespace %s",
			want & MAY_WRITE ? "change" : "read", name);
	if (r == 0 && (want & KV_REMOVES) && (ns.mode & S_ISVTX) && !caller_owns(caller, ns.uid))
		return fault_set(fault, EPERM, "only its owner may remove keys of the namespace %s", name);
	*ret_id = r == 0 ? ns.id : 0;
	return 0;
}

int kv_namespace_set(
	struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid, mode_t mode)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct kv_namespace ns;
	int r = kv_namespace_get(engine, id, &ns);

	mode &= 07777;
	if (r < 0 || (uid == ns.uid && gid == ns.gid && mode == ns.mode))
		return r;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_NAMESPACE_SET, "iiiii", id, (int64_t)uid, (int64_t)gid,
			(int64_t)mode, time_now_ms());
	if (r == 0)
		r = event_add_rights(
			engine, caller, "namespace.updated", "namespace", ns.name, uid, gid, mode);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_STATE | ASPECT_META);
	return r;
}

int kv_namespace_delete(struct engine *engine, struct caller *caller, int64_t id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct kv_namespace ns;
	int64_t count = 0;
	int r;

	r = kv_namespace_get(engine, id, &ns);
	if (r == 0)
		r = store_get_int(
			engine->store, &count, SQL_KV_COUNT, "iii", INT64_C(0), id, clock_now_ms(engine));
	if (r < 0)
		return r;
	if (count > 0)
		return -ENOTEMPTY;
	engine->kv_counted.known = false;
	r = store_change_begin(engine->store, &change);
	if (r == 0) /* expired ones */
		r = store_run(engine->store, SQL_KV_DELETE_SCOPE, "ii", INT64_C(0), id);
	if (r == 0)
		r = store_run(engine->store, SQL_NAMESPACE_DELETE, "i", id);
	if (r == 0)
		r = namespace_event(engine, caller, "namespace.deleted", ns.name);
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		engine_note(engine, SUBJECT_SYSTEM, 0, ASPECT_STATE | ASPECT_NAMES);
	return r;
}

int kv_namespace_each(
	struct engine *engine, int (*each)(void *userdata, const struct kv_namespace *ns), void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_NAMESPACE_EACH, "");
	struct kv_namespace ns;
	int r;

	while ((r = query_step(query)) > 0) {
		namespace_load(query, &ns);
		r = each(userdata, &ns);
		if (r != 0)
			break;
	}
	return r;
}

static void kv_load(struct query *query, struct kv *ret_kv)
{
	*ret_kv = (struct kv){
		.id = query_int(query, 0),
		.updated_ms = query_int(query, 2),
		.expires_ms = query_int(query, 3),
	};
	snprintf(ret_kv->name, sizeof(ret_kv->name), "%s", query_text(query, 1));
}

/* Ends the query. Everything but the query may be NULL. */
static int kv_one(struct query *query, struct kv_scope *ret_scope, struct kv *ret_kv, json_t **ret_value)
{
	CLEANUP(query_endp) struct query *owned = query;
	int r = query_step(owned);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (ret_value) {
		json_t *value = json_loads(query_text(owned, 4), JSON_DECODE_ANY, NULL);

		if (!value)
			return -EBADMSG;
		*ret_value = value;
	}
	if (ret_kv)
		kv_load(owned, ret_kv);
	if (ret_scope)
		*ret_scope = (struct kv_scope){ query_int(owned, 5), query_int(owned, 6) };
	return 0;
}

int kv_find(
	struct engine *engine, struct kv_scope scope, const char *name, struct kv *ret_kv, json_t **ret_value)
{
	struct query *query = query_begin(engine->store, SQL_KV_FIND, "iisi", scope.stack_id,
		scope.namespace_id, name, clock_now_ms(engine));

	return kv_one(query, NULL, ret_kv, ret_value);
}

int kv_get_id(
	struct engine *engine, int64_t id, struct kv_scope *ret_scope, struct kv *ret_kv, json_t **ret_value)
{
	return kv_one(query_begin(engine->store, SQL_KV_GET, "ii", id, clock_now_ms(engine)), ret_scope,
		ret_kv, ret_value);
}

bool kv_write_text(struct engine *engine, int64_t id, FILE *out)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_KV_GET, "ii", id, clock_now_ms(engine));
	const char *value = query_step(query) > 0 ? query_text(query, 4) : "";

	return json_text_read(value, strlen(value), out);
}

int kv_each(struct engine *engine, struct kv_scope scope,
	int (*each)(void *userdata, const struct kv *kv, const char *value), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(
		engine->store, SQL_KV_EACH, "iii", scope.stack_id, scope.namespace_id, clock_now_ms(engine));
	struct kv kv;
	int r;

	while ((r = query_step(query)) > 0) {
		kv_load(query, &kv);
		r = each(userdata, &kv, query_text(query, 4));
		if (r != 0)
			break;
	}
	return r;
}
