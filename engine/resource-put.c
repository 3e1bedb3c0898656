/* SPDX-License-Identifier: MIT */
/* Resources: registering, changing, deleting. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/drift.h"
#include "engine/event.h"
#include "engine/resource-internal.h"
#include "engine/stack.h"
#include "engine/version.h"

enum { CHECKSUM_SIZE = 2 * crypto_hash_sha256_BYTES + 1, KEYS_SHOWN_MAX = 50 };

/* A registration on its way: what was, and what will be. */
struct put {
	struct engine *engine;
	struct caller *caller;
	struct fault *fault;
	struct stack stack;
	bool known; /* it was registered before */
	bool done;  /* the caller says that it is brought about */
	struct resource old,
		now; /* the texts of `now` are `old`'s or borrowed from the draft and from below */
	json_t *needs_old, *needs; /* sets of "TYPE/NAME" */
	json_t *properties;
	char *desired, *applied, *actual;
	char checksum[CHECKSUM_SIZE];
	char entry[RESOURCE_ENTRY_SIZE];
	json_t *keys; /* what changes, for the event */
};

static void put_done(struct put *put)
{
	resource_done(&put->old);
	json_decref(put->needs_old);
	json_decref(put->needs);
	json_decref(put->properties);
	json_decref(put->keys);
	free(put->desired);
	free(put->applied);
	free(put->actual);
}

static int check_names(const struct resource_draft *draft, struct fault *fault)
{
	if (name_check(draft->type) < 0)
		return fault_set(fault, EINVAL,
			"\"%.200s\" is no type of resource: it begins with a letter or digit, and has "
			"letters, "
			"digits, '.', '_' and '-', up to %d",
			draft->type, NAME_MAX_LENGTH);
	if (!*draft->name || strlen(draft->name) > RESOURCE_NAME_MAX ||
		!text_is_utf8(draft->name, strlen(draft->name)))
		return fault_set(fault, EINVAL, "the name of a resource is a text of 1 to %d bytes",
			RESOURCE_NAME_MAX);
	if (draft->module && (strlen(draft->module) > NAME_MAX_LENGTH ||
				     !text_is_utf8(draft->module, strlen(draft->module))))
		return fault_set(fault, EINVAL, "%s/%.200s: the module is a text of up to %d bytes",
			draft->type, draft->name, NAME_MAX_LENGTH);
	return 0;
}

static int check_states(const struct resource_draft *draft, struct fault *fault)
{
	const struct {
		const char *name;
		const json_t *value;
	} states[] = { { "properties", draft->properties }, { "actual", draft->actual },
		{ "applied", draft->applied } };

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		const json_t *value = states[i].value;

		/* A language whose empty table may be either sends an empty list. */
		if (!value || json_is_object(value) || (json_is_array(value) && !json_array_size(value)) ||
			(i > 0 && json_is_null(value)))
			continue;
		return fault_set(fault, EINVAL, "%s/%.200s: %s must be names with values", draft->type,
			draft->name, states[i].name);
	}
	if (draft->status && !resource_status_known(draft->status))
		return fault_set(fault, EINVAL,
			"%s/%.200s: \"%.100s\" is no status; there are " RESOURCE_STATUSES, draft->type,
			draft->name, draft->status);
	if (draft->error && !text_is_utf8(draft->error, strlen(draft->error)))
		return fault_set(
			fault, EINVAL, "%s/%.200s: the error is no UTF-8 text", draft->type, draft->name);
	return 0;
}

/* As it is stored: "" for what is not known. malloc'ed. */
static int state_text(struct put *put, const char *what, const json_t *value, char **ret_text)
{
	char *text = json_is_null(value)    ? strdup("")
		     : json_is_array(value) ? strdup("{}")
					    : json_dumps(value, RESOURCE_JSON_FLAGS);

	if (!text)
		return -ENOMEM;
	if (strlen(text) > RESOURCE_STATE_MAX) {
		free(text);
		return fault_set(put->fault, EFBIG, "%s/%.200s: its %s are over %d bytes", put->now.type,
			put->now.name, what, RESOURCE_STATE_MAX);
	}
	*ret_text = text;
	return 0;
}

/* What was, or an empty one. */
static int put_load(struct put *put, const struct resource_draft *draft)
{
	int64_t id;
	int r = resource_find(put->engine, put->stack.id, draft->type, draft->name, &id);

	if (r == -ENOENT && draft->update)
		return fault_set(put->fault, ENOENT, "stack %s has no resource %s/%s", put->stack.name,
			draft->type, draft->name);
	if (r < 0 && r != -ENOENT)
		return r;
	put->known = r == 0;
	resource_entry_name(draft->name, put->entry);
	if (!put->known) {
		put->needs_old = json_object();
		put->old = (struct resource){ .stack_id = put->stack.id,
			.type = draft->type,
			.name = draft->name,
			.entry = put->entry,
			.module = "",
			.desired = "{}",
			.applied = "",
			.actual = "",
			.checksum = "",
			.status = "pending",
			.action = "create",
			.error = "",
			.uid = -1 };
		r = put->needs_old ? 0 : -ENOMEM;
	} else {
		r = resource_get(put->engine, id, &put->old);
		if (r == 0)
			r = resource_dependency_get(put->engine, id, &put->needs_old);
	}
	put->now = put->old;
	put->now.memory = (struct buffer){ 0 }; /* they are `old`'s */
	return r;
}

static int put_texts(struct put *put, const struct resource_draft *draft)
{
	int r = 0;

	if (draft->properties) {
		r = state_text(put, "properties", draft->properties, &put->desired);
		put->now.desired = put->desired;
	}
	if (r == 0 && draft->actual) {
		r = state_text(put, "actual properties", draft->actual, &put->actual);
		put->now.actual = put->actual;
	}
	if (r == 0 && draft->applied) {
		r = state_text(put, "applied properties", draft->applied, &put->applied);
		put->now.applied = put->applied;
	}
	if (r < 0)
		return r;
	put->properties = json_loads(put->now.desired, 0, NULL);
	return put->properties ? 0 : -EBADMSG;
}

static void put_checksum(struct put *put)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)put->now.desired, strlen(put->now.desired));
	sodium_bin2hex(put->checksum, sizeof(put->checksum), hash, sizeof(hash));
	put->now.checksum = put->checksum;
}

/* What follows from what was said: new wishes are pending, what was brought about is the wish of now. */
static void put_status(struct put *put, const struct resource_draft *draft)
{
	bool renewed = draft->renewed || strcmp(put->now.checksum, put->old.checksum) != 0;

	put->done = draft->status && !strcmp(draft->status, "applied");
	put->now.status = draft->status ? draft->status : renewed ? "pending" : put->old.status;
	put->now.error = draft->error ? draft->error : draft->status || renewed ? "" : put->old.error;
	if (!strcmp(put->now.status, "applied") && (draft->status || draft->applied)) {
		if (!draft->applied)
			put->now.applied = put->now.desired;
		if (strcmp(put->now.applied, put->old.applied) || strcmp(put->old.status, "applied"))
			put->now.applied_ms = time_now_ms();
	} else if (draft->applied) {
		put->now.applied_ms = *put->now.applied ? time_now_ms() : 0;
	}
	if (draft->applied_ms)
		put->now.applied_ms = draft->applied_ms;
}

/* Who asks for something else answers for it; so do the owner, where nobody trusted did, and root who ask for
 * the same. */
static void put_uid(struct put *put, const struct resource_draft *draft)
{
	struct resource asked = { .uid = put->caller ? (int64_t)put->caller->uid : -1 };
	bool renewed = !put->known || draft->renewed || strcmp(put->now.checksum, put->old.checksum) != 0;
	bool trusted = resource_is_trusted(&asked, &put->stack);
	bool better = draft->whose == RESOURCE_ASKED && trusted &&
		      (asked.uid == 0 || !resource_is_trusted(&put->old, &put->stack));

	if (draft->whose == RESOURCE_FOUND)
		asked.uid = -1;
	if (draft->whose == RESOURCE_ADDED && trusted)
		return; /* the rest is as it was, and whose it was */
	if (renewed || (draft->properties && better))
		put->now.uid = asked.uid;
}

/* Whoever changes anything has to say it again. */
static void put_settled(struct put *put, const struct resource_draft *draft)
{
	struct resource said = { .uid = put->caller ? (int64_t)put->caller->uid : -1 };

	put->now.settled =
		draft->settled && put->done && draft->actual && resource_is_trusted(&said, &put->stack);
}

static int put_draft(struct put *put, const struct resource_draft *draft)
{
	int r;

	if (draft->module)
		put->now.module = draft->module;
	if (draft->protect >= 0)
		put->now.protect = draft->protect != 0;
	r = put_texts(put, draft);
	if (r < 0)
		return r;
	put_checksum(put);
	put_uid(put, draft);
	put_status(put, draft);
	put_settled(put, draft);
	if (!draft->dependencies) {
		put->needs = json_incref(put->needs_old);
		return 0;
	}
	r = resource_dependency_set(draft->dependencies, put->fault, &put->needs);
	return r < 0 ? r
		     : resource_check_cycle(
			       put->engine, put->stack.id, draft->type, draft->name, put->needs, put->fault);
}

static void key_add(json_t *keys, const char *key)
{
	if (json_array_size(keys) < KEYS_SHOWN_MAX)
		json_array_append_new(keys, json_string(key));
}

/* The names of properties that differ; their values are nobody's business in the trail. */
static void property_keys(struct put *put, json_t *keys)
{
	json_auto_t *old = json_loads(put->old.desired, 0, NULL);
	const char *key;
	json_t *value;

	json_object_foreach (put->properties, key, value)
		if (!json_equal(value, json_object_get(old, key)))
			key_add(keys, key);
	json_object_foreach (old, key, value)
		if (!json_object_get(put->properties, key))
			key_add(keys, key);
}

/* Fills put->keys; whether something that is part of a version differs. */
static bool put_compare(struct put *put)
{
	const struct resource *old = &put->old, *now = &put->now;
	const struct {
		const char *name;
		bool differs, desired;
	} rows[] = {
		{ "module", strcmp(old->module, now->module) != 0, true },
		{ "dependencies", !json_equal(put->needs_old, put->needs), true },
		{ "protect", old->protect != now->protect, true },
		{ "status", strcmp(old->status, now->status) != 0, false },
		{ "error", strcmp(old->error, now->error) != 0, false },
		{ "applied", strcmp(old->applied, now->applied) != 0, false },
		{ "actual", strcmp(old->actual, now->actual) != 0, false },
		{ "uid", old->uid != now->uid, false },
	};
	bool desired = !put->known || strcmp(old->desired, now->desired) != 0;

	put->keys = json_array();
	property_keys(put, put->keys);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].differs) {
			key_add(put->keys, rows[i].name);
			desired |= rows[i].desired;
		}
	return desired;
}

/* The number of a type, given at its first use; those that nobody uses any more are given anew when all are
 * taken. */
static int type_number(struct put *put, const char *name, unsigned *ret_id)
{
	struct store *store = put->engine->store;
	int64_t id = 0;
	int r = resource_type_find(put->engine, name, ret_id);

	if (r != -ENOENT)
		return r;
	r = store_get_int(store, &id, SQL_RESOURCE_TYPE_LAST, "");
	if (r == 0 && id < RESOURCE_TYPE_MAX)
		r = store_run(store, SQL_RESOURCE_TYPE_ADD, "is", ++id, name);
	else if (r == 0)
		r = store_get_int(store, &id, SQL_RESOURCE_TYPE_REUSE, "s", name);
	if (r == -ENOENT)
		return fault_set(put->fault, EDQUOT,
			"%s: there are %d types of resources already, and all are in use", name,
			RESOURCE_TYPE_MAX);
	if (r == 0)
		*ret_id = (unsigned)id;
	return r;
}

static int row_add(struct put *put, int64_t time_ms)
{
	struct resource *now = &put->now;
	int64_t count = 0;
	int r = store_get_int(
		put->engine->store, &count, SQL_RESOURCE_COUNT_ADD, "ii", now->stack_id, INT64_C(1));

	if (r == 0 && count > RESOURCE_MAX)
		return fault_set(put->fault, EDQUOT, "stack %s has %d resources, which is the limit",
			put->stack.name, RESOURCE_MAX);
	if (r == 0)
		r = type_number(put, now->type, &now->type_id);
	if (r < 0)
		return r;
	now->entry = put->entry;
	return store_insert(put->engine->store, &now->id, SQL_RESOURCE_ADD, "iisssssssssiiiiii",
		now->stack_id, (int64_t)now->type_id, now->name, now->entry, now->module, now->desired,
		now->applied, now->actual, now->checksum, now->status, now->error, (int64_t)now->protect,
		time_ms, now->applied_ms, now->run_id, now->uid, (int64_t)now->settled);
}

static int row_set(struct put *put, bool desired, int64_t time_ms)
{
	struct resource *now = &put->now;
	const char *action = desired ? "update" : now->action;

	return store_run(put->engine->store, SQL_RESOURCE_SET, "issssssssiiiiii", now->id, now->module,
		now->desired, now->applied, now->actual, now->checksum, now->status, action, now->error,
		(int64_t)now->protect, time_ms, now->applied_ms, now->run_id, now->uid,
		(int64_t)now->settled);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The members of a set in the order of their names, whatever the order in which they came. */
static json_t *sorted_list(const json_t *set)
{
	size_t count = 0;
	const char **keys = calloc(json_object_size(set) + 1, sizeof(*keys)), *key;
	json_t *list = json_array(), *value;

	if (!keys) {
		json_decref(list);
		return NULL;
	}
	json_object_foreach ((json_t *)set, key, value)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), by_text);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(keys[i]));
	free(keys);
	return list;
}

/* What a version of the stack has of it. malloc'ed. */
static char *version_text(const struct resource *resource, const json_t *needs)
{
	json_auto_t *value =
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:b}", "type", resource->type, "name", resource->name,
			"module", resource->module, "properties", json_loads(resource->desired, 0, NULL),
			"dependencies", sorted_list(needs), "protect", resource->protect);

	return value ? json_dumps(value, RESOURCE_JSON_FLAGS) : NULL;
}

static int version_name(const struct resource *resource, char **ret_name)
{
	return asprintf(ret_name, "%s/%s", resource->type, resource->entry) < 0 ? -ENOMEM : 0;
}

static int put_version(struct put *put)
{
	CLEANUP(cleanup_free) char *text = version_text(&put->now, put->needs);
	CLEANUP(cleanup_free) char *name = NULL;
	int r = text ? version_name(&put->now, &name) : -ENOMEM;

	return r < 0 ? r
		     : version_put(put->engine, put->caller, put->stack.id, VERSION_RESOURCE, name, text,
			       strlen(text));
}

static int put_needs(struct put *put)
{
	json_auto_t *hints = resource_hints(put->now.type, put->now.name, put->properties);

	return hints ? resource_dependency_put(put->engine, &put->now, put->needs, hints) : -ENOMEM;
}

/* What every change has in common. */
static int resource_changed(struct engine *engine, struct caller *caller, const struct stack *stack,
	const struct resource *resource, const char *type, json_t *keys, unsigned aspects)
{
	json_t *data = json_pack("{s:s, s:s}", "type", resource->type, "name", resource->name);
	int r;

	if (keys)
		json_object_set(data, "keys", keys);
	r = store_run(engine->store, SQL_STACK_TOUCH, "ii", stack->id, time_now_ms());
	if (r < 0)
		json_decref(data);
	else
		r = event_add(
			engine, caller, type, stack->id, stack->name, caller ? caller->run_id : 0, data);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_RESOURCE, resource->id, ASPECT_RESOURCES | ASPECT_WISHES);
	engine_note(engine, SUBJECT_STACK, stack->id, ASPECT_RESOURCES | aspects);
	return 0;
}

static int put_store(struct put *put, bool desired)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int64_t now = time_now_ms();
	int r = store_change_begin(put->engine->store, &change);

	put->now.run_id = put->caller ? put->caller->run_id : 0;
	if (r == 0)
		r = put->known ? row_set(put, desired, now) : row_add(put, now);
	if (r == 0 && desired)
		r = put_needs(put);
	if (r == 0 && desired)
		r = put_version(put);
	if (r == 0)
		r = resource_changed(put->engine, put->caller, &put->stack, &put->now,
			put->known ? "resource.changed" : "resource.created", put->known ? put->keys : NULL,
			put->known ? 0 : ASPECT_NAMES);
	if (r == 0 && put->known && put->done)
		r = drift_fixed(put->engine, put->caller, &put->stack, &put->now);
	return r < 0 ? r : store_change_end(&change);
}

int resource_put(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct resource_draft *draft, struct fault *fault, enum resource_result *ret_result,
	int64_t *ret_id)
{
	CLEANUP(put_done) struct put put = { .engine = engine, .caller = caller, .fault = fault };
	bool desired;
	int r = check_names(draft, fault);

	if (r == 0)
		r = check_states(draft, fault);
	if (r == 0)
		r = stack_get_for_change(engine, caller, stack_id, fault, &put.stack);
	if (r == 0)
		r = put_load(&put, draft);
	if (r == 0)
		r = put_draft(&put, draft);
	if (r < 0)
		return r;
	desired = put_compare(&put);
	if (!put.known || json_array_size(put.keys) > 0)
		r = put_store(&put, desired);
	if (r < 0)
		return r;
	*ret_result = !put.known ? RESOURCE_CREATED : desired ? RESOURCE_CHANGED : RESOURCE_UNCHANGED;
	*ret_id = put.now.id;
	return 0;
}

int resource_delete(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(resource_done) struct resource resource = { 0 };
	CLEANUP(cleanup_free) char *name = NULL;
	struct stack stack;
	int r = resource_get(engine, id, &resource);

	if (r < 0)
		return fault_set(fault, -r, "the resource is gone");
	r = stack_get_for_change(engine, caller, resource.stack_id, fault, &stack);
	if (r < 0)
		return r;
	if (resource.protect)
		return fault_set(fault, EPERM,
			"the resource %s/%s of stack %s is protected: write 0 to "
			"stacks/%s/resources/%s/%s/protect first",
			resource.type, resource.name, stack.name, stack.name, resource.type, resource.entry);
	r = version_name(&resource, &name);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_RESOURCE_DELETE, "i", id);
	if (r == 0)
		r = store_run(engine->store, SQL_RESOURCE_COUNT_ADD, "ii", stack.id, INT64_C(-1));
	if (r == 0)
		r = version_drop(engine, caller, stack.id, VERSION_RESOURCE, name);
	if (r == 0)
		r = resource_changed(
			engine, caller, &stack, &resource, "resource.deleted", NULL, ASPECT_NAMES);
	if (r == 0)
		r = drift_removed(engine, caller, &stack, &resource);
	return r < 0 ? r : store_change_end(&change);
}
