/* SPDX-License-Identifier: MIT */
/* What runs ask for about keys and values. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/calls.h"
#include "engine/clock.h"
#include "engine/kv.h"

/* Where the keys of a state.* call are: the run's stack, or a namespace, which is made when it is first
 * written to. */
static int scope_of(struct call *call, int want, struct kv_scope *ret_scope)
{
	const char *name = call_text(call, "namespace");
	struct stack stack;
	int r;

	*ret_scope = (struct kv_scope){ .stack_id = name ? 0 : call->run.stack_id, .caller = &call->caller };
	if (name)
		return kv_namespace_open(
			call->engine, &call->caller, name, want, &call->fault, &ret_scope->namespace_id);
	r = want & MAY_READ ? call_own_stack(call, &stack) : 0;
	return r == 0 && want & MAY_WRITE ? call_may_change(call) : r;
}

static int key_and_scope(struct call *call, int want, const char **ret_key, struct kv_scope *ret_scope)
{
	int r = call_need_text(call, "key", ret_key);

	if (r == 0)
		r = kv_name_check(*ret_key, &call->fault);
	return r < 0 ? r : scope_of(call, want, ret_scope);
}

static int state_get(struct call *call)
{
	struct kv_scope scope;
	const char *key;
	struct kv kv;
	int r = key_and_scope(call, MAY_READ, &key, &scope);

	if (r == 0)
		r = kv_find(call->engine, scope, key, &kv, &call->value);
	return r == -ENOENT ? 0 : r;
}

static int state_exists(struct call *call)
{
	struct kv_scope scope;
	const char *key;
	struct kv kv;
	int r = key_and_scope(call, MAY_READ, &key, &scope);

	if (r == 0)
		r = kv_find(call->engine, scope, key, &kv, NULL);
	call->value = json_boolean(r == 0);
	return r == -ENOENT ? 0 : r;
}

static int state_set(struct call *call)
{
	json_t *value = json_object_get(call->args, "value");
	struct kv_scope scope;
	const char *key;
	int r = key_and_scope(call, MAY_WRITE, &key, &scope);

	if (r == 0 && (!value || json_is_null(value)))
		return fault_set(&call->fault, EINVAL, "nil is no value: state.delete removes a key");
	if (r == 0)
		r = kv_set(call->engine, scope, key, value,
			json_integer_value(json_object_get(call->args, "ttl_ms")));
	call->value = json_true();
	return r;
}

static int state_delete(struct call *call)
{
	struct kv_scope scope;
	const char *key;
	int r = key_and_scope(call, MAY_WRITE | KV_REMOVES, &key, &scope);

	if (r == 0)
		r = kv_delete(call->engine, scope, key);
	call->value = json_boolean(r == 0);
	return r == -ENOENT ? 0 : r;
}

struct matching {
	const char *pattern; /* NULL: all */
	json_t *names, *values;
};

static int match_one(void *userdata, const struct kv *kv, const char *value)
{
	struct matching *matching = userdata;

	if (matching->pattern && fnmatch(matching->pattern, kv->name, 0) != 0)
		return 0;
	if (matching->names)
		json_array_append_new(matching->names, json_string(kv->name));
	if (matching->values)
		json_object_set_new(matching->values, kv->name, json_loads(value, JSON_DECODE_ANY, NULL));
	return 0;
}

/* What a call about several keys begins with. */
static int pattern_and_scope(
	struct call *call, int want, const char **ret_pattern, struct kv_scope *ret_scope)
{
	*ret_pattern = call_text(call, "pattern");
	if (*ret_pattern && strlen(*ret_pattern) > KV_PATTERN_MAX)
		return fault_set(&call->fault, EINVAL, "a pattern has at most %d bytes", KV_PATTERN_MAX);
	return scope_of(call, want, ret_scope);
}

static int state_keys(struct call *call)
{
	struct matching matching = { 0 };
	struct kv_scope scope;
	int r = pattern_and_scope(call, MAY_READ, &matching.pattern, &scope);

	matching.names = call->value = json_array();
	return r < 0 ? r : kv_each(call->engine, scope, match_one, &matching);
}

static int state_get_all(struct call *call)
{
	struct matching matching = { .pattern = NULL };
	struct kv_scope scope;
	int r = scope_of(call, MAY_READ, &scope);

	matching.values = call->value = json_object();
	return r < 0 ? r : kv_each(call->engine, scope, match_one, &matching);
}

static int state_clear(struct call *call)
{
	json_auto_t *names = json_array();
	struct matching matching = { .names = names };
	struct kv_scope scope;
	json_t *name;
	size_t i;
	int r = pattern_and_scope(call, MAY_WRITE | KV_REMOVES, &matching.pattern, &scope);

	if (r == 0)
		r = kv_each(call->engine, scope, match_one, &matching);
	json_array_foreach (names, i, name)
		if (r == 0)
			r = kv_delete(call->engine, scope, json_string_value(name));
	call->value = json_integer((json_int_t)json_array_size(names));
	return r;
}

static int state_increment(struct call *call)
{
	json_auto_t *one = json_integer(1);
	json_t *delta = json_object_get(call->args, "delta");
	struct kv_scope scope;
	const char *key;
	int r = key_and_scope(call, MAY_READ | MAY_WRITE, &key, &scope);

	return r < 0 ? r
		     : kv_increment(
			       call->engine, scope, key, delta ? delta : one, &call->fault, &call->value);
}

static int state_append(struct call *call)
{
	struct kv_scope scope;
	const char *key, *text;
	int r = key_and_scope(call, MAY_READ | MAY_WRITE, &key, &scope);

	if (r == 0)
		r = call_need_text(call, "text", &text);
	return r < 0 ? r : kv_append(call->engine, scope, key, text, &call->fault, &call->value);
}

static int state_compare_swap(struct call *call)
{
	struct kv_scope scope;
	const char *key;
	int r = key_and_scope(call, MAY_READ | MAY_WRITE, &key, &scope);

	if (r == 0)
		r = kv_compare_swap(call->engine, scope, key, json_object_get(call->args, "expected"),
			json_object_get(call->args, "value"));
	call->value = json_boolean(r == 1);
	return r < 0 ? r : 0;
}

static int state_list_push(struct call *call)
{
	struct kv_scope scope;
	const char *key;
	int64_t length = 0;
	int r = key_and_scope(call, MAY_READ | MAY_WRITE, &key, &scope);

	if (r == 0)
		r = kv_list_push(
			call->engine, scope, key, json_object_get(call->args, "item"), &call->fault, &length);
	call->value = json_integer(length);
	return r;
}

static int state_list_pop(struct call *call)
{
	struct kv_scope scope;
	const char *key;
	int r = key_and_scope(call, MAY_READ | MAY_WRITE, &key, &scope);

	return r < 0 ? r : kv_list_pop(call->engine, scope, key, &call->fault, &call->value);
}

static int state_list_length(struct call *call)
{
	json_auto_t *list = NULL;
	struct kv_scope scope;
	const char *key;
	struct kv kv;
	int r = key_and_scope(call, MAY_READ, &key, &scope);

	if (r == 0)
		r = kv_find(call->engine, scope, key, &kv, &list);
	call->value = json_integer((json_int_t)json_array_size(list));
	return r == -ENOENT ? 0 : r;
}

static int state_set_ttl(struct call *call)
{
	struct kv_scope scope;
	const char *key;
	int r = key_and_scope(call, MAY_WRITE, &key, &scope);

	if (r == 0)
		r = kv_set_ttl(
			call->engine, scope, key, json_integer_value(json_object_get(call->args, "ttl_ms")));
	call->value = json_boolean(r == 0);
	return r == -ENOENT ? 0 : r;
}

static int state_get_ttl(struct call *call)
{
	struct kv_scope scope;
	const char *key;
	struct kv kv;
	int r = key_and_scope(call, MAY_READ, &key, &scope);

	if (r == 0)
		r = kv_find(call->engine, scope, key, &kv, NULL);
	if (r == 0 && kv.expires_ms)
		call->value = json_integer(kv.expires_ms - clock_now_ms(call->engine));
	return r == -ENOENT ? 0 : r;
}

struct totals {
	int64_t keys, bytes, with_ttl;
};

static int total_one(void *userdata, const struct kv *kv, const char *value)
{
	struct totals *totals = userdata;

	totals->keys++;
	totals->bytes += (int64_t)strlen(value);
	totals->with_ttl += kv->expires_ms != 0;
	return 0;
}

static int state_stats(struct call *call)
{
	struct totals totals = { 0 };
	struct kv_scope scope;
	int r = scope_of(call, MAY_READ, &scope);

	if (r == 0)
		r = kv_each(call->engine, scope, total_one, &totals);
	call->value = json_pack("{s:I, s:I, s:I}", "keys", (json_int_t)totals.keys, "bytes",
		(json_int_t)totals.bytes, "with_ttl", (json_int_t)totals.with_ttl);
	return r;
}

const struct call_row state_calls[] = {
	{ "state.get", state_get, false },
	{ "state.exists", state_exists, false },
	{ "state.set", state_set, true },
	{ "state.delete", state_delete, true },
	{ "state.keys", state_keys, false },
	{ "state.get_all", state_get_all, false },
	{ "state.clear", state_clear, true },
	{ "state.increment", state_increment, true },
	{ "state.append", state_append, true },
	{ "state.compare_swap", state_compare_swap, true },
	{ "state.list_push", state_list_push, true },
	{ "state.list_pop", state_list_pop, true },
	{ "state.list_length", state_list_length, false },
	{ "state.set_ttl", state_set_ttl, true },
	{ "state.get_ttl", state_get_ttl, false },
	{ "state.stats", state_stats, false },
	{ NULL },
};
