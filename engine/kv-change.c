/* SPDX-License-Identifier: MIT */
/* Keys and values: changing them, alone and by what they were. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/clock.h"
#include "engine/kv-internal.h"
#include "engine/quota.h"
#include "engine/stack.h"
#include "engine/version.h"

enum { KV_JSON_FLAGS = JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY };

/* The folder's time. That of a namespace in which many store at once is not written again for each of them:
 */
static bool touched_now(struct engine *engine, struct kv_scope scope, int64_t now)
{
	struct kv_touch touch = { scope.namespace_id, now, store_undo_count(engine->store) };

	if (touch.namespace_id == engine->kv_touched.namespace_id && touch.ms == engine->kv_touched.ms &&
		touch.undo_count == engine->kv_touched.undo_count)
		return true;
	engine->kv_touched = touch;
	return false;
}

static int scope_touch(struct engine *engine, struct kv_scope scope, int64_t now)
{
	if (scope.stack_id)
		return store_run(engine->store, SQL_STACK_TOUCH, "ii", scope.stack_id, now);
	if (touched_now(engine, scope, now))
		return 0;
	return store_run(engine->store, SQL_NAMESPACE_TOUCH, "ii", scope.namespace_id, now);
}

/* Keys that stay are part of the stack's versions; those that expire are not. */
static int scope_put(
	struct engine *engine, struct kv_scope scope, const char *name, const char *text, int64_t expires)
{
	if (!scope.stack_id)
		return 0;
	if (expires)
		return version_drop(engine, scope.caller, scope.stack_id, VERSION_STATE, name);
	return version_put(engine, scope.caller, scope.stack_id, VERSION_STATE, name, text, strlen(text));
}

/* How many keys a scope has, rows that have ended and not gone yet included. It is counted once, and then
 * kept for as long as one scope is written to and nothing is undone. */
static int keys_count(struct engine *engine, struct kv_scope scope, int64_t **ret_count)
{
	struct kv_counted *counted = &engine->kv_counted;
	int r = 0;

	if (!counted->known || counted->stack_id != scope.stack_id ||
		counted->namespace_id != scope.namespace_id ||
		counted->undo_count != store_undo_count(engine->store)) {
		*counted = (struct kv_counted){ .stack_id = scope.stack_id,
			.namespace_id = scope.namespace_id,
			.undo_count = store_undo_count(engine->store) };
		r = store_get_int(engine->store, &counted->count, SQL_KV_COUNT, "iii", scope.stack_id,
			scope.namespace_id, INT64_C(0));
		counted->known = r == 0;
	}
	*ret_count = &counted->count;
	return r;
}

int kv_explain(struct engine *engine, int r, struct fault *fault)
{
	if (r == -EDQUOT && *engine->kv_refusal.text)
		fault_default(fault, EDQUOT, "%s", engine->kv_refusal.text);
	else if (r == -EDQUOT)
		fault_default(fault, EDQUOT,
			"there are max_keys (%lld) keys here already: remove some, or see config.yaml",
			(long long)engine->config.max_keys);
	else if (r == -EFBIG)
		fault_default(fault, EFBIG,
			"nothing was changed: larger than max_document_size allows (%lld bytes; see "
			"config.yaml)",
			(long long)engine->config.max_document_size);
	return r;
}

struct kv_row {
	const char *name, *value;
	int64_t updated_ms, expires_ms;
};

/* A key more counts as the owner's of where it stands, whoever makes it, as whose it is to remove it. */
static int owners_quota(struct engine *engine, struct kv_scope scope)
{
	struct kv_namespace namespace;
	struct stack stack;
	uid_t uid;
	int r;

	if (scope.stack_id) {
		r = stack_get(engine, scope.stack_id, &stack);
		uid = stack.uid;
	} else {
		r = kv_namespace_get(engine, scope.namespace_id, &namespace);
		uid = namespace.uid;
	}
	if (r == 0)
		r = quota_keys_check(engine, uid, &engine->kv_refusal);
	if (r == 0)
		quota_use(engine, uid, QUOTA_KEYS, 1);
	return r;
}

/* A row that is known is changed in its place, which is quicker; an expired one, which is not, may be in the
 * way. */
static int row_set(
	struct engine *engine, struct kv_scope scope, int64_t id, const struct kv_row *row, int64_t *ret_id)
{
	int64_t *count;
	int r;

	if (!id) {
		r = keys_count(engine, scope, &count);
		if (r < 0)
			return r;
		engine->kv_refusal = (struct fault){ 0 };
		if (*count >= engine->config.max_keys)
			return -EDQUOT;
		r = owners_quota(engine, scope);
		if (r < 0)
			return r;
		++*count;
		return store_get_int(engine->store, ret_id, SQL_KV_SET, "iissii", scope.stack_id,
			scope.namespace_id, row->name, row->value, row->updated_ms, row->expires_ms);
	}
	r = store_run(engine->store, SQL_KV_UPDATE, "isii", id, row->value, row->updated_ms, row->expires_ms);
	if (r == 0)
		*ret_id = id;
	return r;
}

int kv_set(struct engine *engine, struct kv_scope scope, const char *name, json_t *value, int64_t ttl_ms)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(cleanup_free) char *text = json_dumps(value, KV_JSON_FLAGS);
	int64_t id, now = time_now_ms(), expires = ttl_ms > 0 ? clock_now_ms(engine) + ttl_ms : 0;
	struct kv kv;
	int r, found;

	r = kv_name_check(name, NULL);
	if (r < 0)
		return r;
	if (!text)
		return -EINVAL;
	if ((int64_t)strlen(text) > engine->config.max_document_size)
		return -EFBIG;
	found = kv_find(engine, scope, name, &kv, NULL);
	if (found < 0 && found != -ENOENT)
		return found;
	if (ttl_ms < 0 && found == 0)
		expires = kv.expires_ms;
	r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = row_set(engine, scope, found == 0 ? kv.id : 0,
			&(struct kv_row){ name, text, now, expires }, &id);
	if (r == 0)
		r = scope_put(engine, scope, name, text, expires);
	if (r == 0)
		r = scope_touch(engine, scope, now);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	kv_expiry_note(engine, expires);
	kv_note(engine, scope, id, found == 0 ? 0 : ASPECT_NAMES);
	return 0;
}

int kv_delete(struct engine *engine, struct kv_scope scope, const char *name)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct kv kv;
	int r;

	r = kv_find(engine, scope, name, &kv, NULL);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_KV_DELETE, "i", kv.id);
	if (r == 0 && engine->kv_counted.stack_id == scope.stack_id &&
		engine->kv_counted.namespace_id == scope.namespace_id)
		engine->kv_counted.count--;
	if (r == 0 && scope.stack_id)
		r = version_drop(engine, scope.caller, scope.stack_id, VERSION_STATE, name);
	if (r == 0)
		r = scope_touch(engine, scope, time_now_ms());
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0)
		kv_note(engine, scope, kv.id, ASPECT_NAMES);
	return r;
}

int kv_set_ttl(struct engine *engine, struct kv_scope scope, const char *name, int64_t ttl_ms)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(cleanup_free) char *text = NULL;
	json_auto_t *value = NULL;
	int64_t expires = ttl_ms ? clock_now_ms(engine) + ttl_ms : 0;
	struct kv kv;
	int r;

	if (ttl_ms < 0)
		return -EINVAL;
	r = kv_find(engine, scope, name, &kv, &value);
	if (r == 0) {
		text = json_dumps(value, KV_JSON_FLAGS);
		r = text ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_KV_SET_EXPIRY, "iii", kv.id, expires, time_now_ms());
	if (r == 0)
		r = scope_put(engine, scope, name, text, expires);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	kv_expiry_note(engine, expires);
	kv_note(engine, scope, kv.id, 0);
	return 0;
}

/* The value now, or `missing` (a new reference, which is taken) when the key is not there. */
static int value_get(
	struct engine *engine, struct kv_scope scope, const char *name, json_t *missing, json_t **ret_value)
{
	json_auto_t *spare = missing;
	int r = kv_find(engine, scope, name, NULL, ret_value);

	if (r != -ENOENT)
		return r;
	if (!spare)
		return -ENOMEM;
	*ret_value = json_incref(spare);
	return 0;
}

/* Sets what was worked out, and gives it to the caller. */
static int value_put(
	struct engine *engine, struct kv_scope scope, const char *name, json_t *value, json_t **ret_value)
{
	int r;

	if (!value)
		return -ENOMEM;
	r = kv_set(engine, scope, name, value, -1);
	if (r == 0 && ret_value)
		*ret_value = json_incref(value);
	return r;
}

int kv_increment(struct engine *engine, struct kv_scope scope, const char *name, json_t *delta,
	struct fault *fault, json_t **ret_value)
{
	json_auto_t *kept = NULL, *old = NULL, *sum = NULL;
	long long whole;
	int r;

	if (!json_is_number(delta))
		return fault_set(fault, EINVAL, "%s: what is added must be a number", name);
	r = value_get(engine, scope, name, json_integer(0), &kept);
	if (r < 0)
		return r;
	old = kv_value_number(kept);
	if (!old)
		return fault_set(fault, EINVAL, "%s: its value is no number", name);
	if (json_is_integer(old) && json_is_integer(delta)) {
		if (__builtin_add_overflow(json_integer_value(old), json_integer_value(delta), &whole))
			return fault_set(fault, EINVAL, "%s: the sum does not fit into 64 bits", name);
		sum = json_integer(whole);
	} else {
		sum = json_real(json_number_value(old) + json_number_value(delta));
		if (!sum)
			return fault_set(fault, EINVAL, "%s: the sum is no finite number", name);
	}
	return value_put(engine, scope, name, sum, ret_value);
}

int kv_append(struct engine *engine, struct kv_scope scope, const char *name, const char *text,
	struct fault *fault, json_t **ret_value)
{
	json_auto_t *old = NULL, *joined = NULL;
	int r;

	r = value_get(engine, scope, name, json_string(""), &old);
	if (r < 0)
		return r;
	if (!json_is_string(old))
		return fault_set(fault, EINVAL, "%s: its value is no text", name);
	joined = json_sprintf("%s%s", json_string_value(old), text);
	if (!joined)
		return fault_set(fault, EINVAL, "%s: what is appended is no UTF-8 text", name);
	return value_put(engine, scope, name, joined, ret_value);
}

int kv_compare_swap(
	struct engine *engine, struct kv_scope scope, const char *name, json_t *expected, json_t *value)
{
	json_auto_t *old = NULL;
	bool same;
	int r = kv_find(engine, scope, name, NULL, &old);

	if (r < 0 && r != -ENOENT)
		return r;
	if (!expected || json_is_null(expected))
		same = r == -ENOENT;
	else
		same = r == 0 && json_equal(old, expected);
	if (!same)
		return 0;
	r = kv_set(engine, scope, name, value, -1);
	return r < 0 ? r : 1;
}

static int list_get(struct engine *engine, struct kv_scope scope, const char *name, struct fault *fault,
	json_t **ret_list)
{
	json_auto_t *list = NULL;
	int r = value_get(engine, scope, name, json_array(), &list);

	if (r < 0)
		return r;
	if (!json_is_array(list))
		return fault_set(fault, EINVAL, "%s: its value is no list", name);
	*ret_list = json_incref(list);
	return 0;
}

int kv_list_push(struct engine *engine, struct kv_scope scope, const char *name, json_t *item,
	struct fault *fault, int64_t *ret_length)
{
	json_auto_t *list = NULL;
	int r = list_get(engine, scope, name, fault, &list);

	if (r == 0 && json_array_append(list, item) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = kv_set(engine, scope, name, list, -1);
	if (r < 0)
		return r;
	if (ret_length)
		*ret_length = (int64_t)json_array_size(list);
	return 0;
}

int kv_list_pop(struct engine *engine, struct kv_scope scope, const char *name, struct fault *fault,
	json_t **ret_value)
{
	json_auto_t *list = NULL, *item = NULL;
	size_t count;
	int r = list_get(engine, scope, name, fault, &list);

	if (r < 0)
		return r;
	count = json_array_size(list);
	if (count > 0) {
		item = json_incref(json_array_get(list, count - 1));
		json_array_remove(list, count - 1);
		r = kv_set(engine, scope, name, list, -1);
		if (r < 0)
			return r;
	}
	*ret_value = item ? json_incref(item) : NULL;
	return 0;
}
