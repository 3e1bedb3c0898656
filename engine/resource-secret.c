/* SPDX-License-Identifier: MIT */
/* Sealed values of properties. */
#include "engine/resource-secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/mask.h"
#include "engine/resource-internal.h"
#include "engine/seal.h"

static const char *what_is(int64_t resource_id, const char *property, char ret_what[SEAL_WHAT_SIZE])
{
	snprintf(ret_what, SEAL_WHAT_SIZE, "resource:%lld:%.200s", (long long)resource_id, property);
	return ret_what;
}

bool resource_is_secret(const struct resource *resource)
{
	return strstr(resource->desired, "\"" SEAL_SHOWN "\"") != NULL;
}

int resource_secret_names(struct engine *engine, int64_t resource_id, json_t **ret_names)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_SECRET_EACH, "i", resource_id);
	json_auto_t *names = json_object();
	int r;

	while ((r = query_step(query)) > 0)
		json_object_set_new(names, query_text(query, 0), json_true());
	if (r == 0)
		*ret_names = json_incref(names);
	return r;
}

void resource_secret_hide(const json_t *names, json_t *state)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)names, name, value) {
		json_t *shown = json_object_get(state, name);

		if (shown && !json_is_null(shown))
			json_object_set_new(state, name, json_string(SEAL_SHOWN));
	}
}

/* A new reference; NULL for "" and for what can't be opened. */
static json_t *open_value(struct engine *engine, const char *what, const char *sealed, struct fault *fault)
{
	CLEANUP(buffer_wipe) struct buffer plain = { 0 };

	if (!*sealed || seal_open(engine, what, sealed, fault, &plain) < 0)
		return NULL;
	return json_loadb(plain.data, plain.size, JSON_DECODE_ANY, NULL);
}

/* The sealed text that is there, where it says the same: a secret that does not change leaves no trace. */
static int seal_value(struct engine *engine, const char *what, const json_t *value, const char *before,
	struct fault *fault, char **ret_text)
{
	struct fault damaged = { 0 };
	json_auto_t *old = open_value(engine, what, before, &damaged);
	char *text;
	int r;

	if (!value || (old && json_equal(old, value))) {
		*ret_text = strdup(before);
		return *ret_text ? 0 : -ENOMEM;
	}
	text = json_dumps(value, RESOURCE_JSON_FLAGS | JSON_ENCODE_ANY);
	if (!text)
		return -ENOMEM;
	r = seal_make(engine, what, text, strlen(text), fault, ret_text);
	sodium_memzero(text, strlen(text));
	free(text);
	return r;
}

struct row {
	char *value, *applied; /* sealed; "": nothing */
	int64_t uid;	       /* who asked for it; -1: nobody */
};

static void row_done(struct row *row)
{
	free(row->value);
	free(row->applied);
}

static int row_load(struct engine *engine, int64_t resource_id, const char *property, struct row *ret_row)
{
	CLEANUP(query_endp)
	struct query *query =
		query_begin(engine->store, SQL_RESOURCE_SECRET_GET, "is", resource_id, property);
	int r = query_step(query);

	if (r < 0)
		return r;
	ret_row->value = strdup(r ? query_text(query, 0) : "");
	ret_row->applied = strdup(r ? query_text(query, 1) : "");
	ret_row->uid = r ? query_int(query, 2) : -1;
	return ret_row->value && ret_row->applied ? 0 : -ENOMEM;
}

int resource_secret_differs(
	struct engine *engine, int64_t resource_id, uid_t uid, const json_t *values, bool *ret_differs)
{
	const char *name;
	json_t *value;
	int r = 0;

	*ret_differs = false;
	json_object_foreach ((json_t *)(uintptr_t)values, name, value) {
		CLEANUP(row_done) struct row row = { 0 };
		json_auto_t *old = NULL;
		struct fault damaged = { 0 };
		char what[SEAL_WHAT_SIZE];

		if (r == 0)
			r = row_load(engine, resource_id, name, &row);
		if (r < 0)
			return r;
		old = open_value(engine, what_is(resource_id, name, what), row.value, &damaged);
		*ret_differs |= row.uid != (int64_t)uid || !old || !json_equal(old, value);
	}
	return r;
}

static int put_one(struct engine *engine, int64_t resource_id, uid_t uid, const char *property,
	const json_t *value, const json_t *applied, struct fault *fault)
{
	CLEANUP(row_done) struct row before = { 0 };
	CLEANUP(row_done) struct row now = { 0 };
	char what[SEAL_WHAT_SIZE];
	int r = row_load(engine, resource_id, property, &before);

	what_is(resource_id, property, what);
	now.uid = value ? (int64_t)uid : before.uid;
	if (r == 0)
		r = seal_value(engine, what, value, before.value, fault, &now.value);
	if (r == 0)
		r = seal_value(engine, what, applied, before.applied, fault, &now.applied);
	if (r < 0 || (now.uid == before.uid && !strcmp(now.value, before.value) &&
			     !strcmp(now.applied, before.applied)))
		return r;
	return store_run(engine->store, SQL_RESOURCE_SECRET_SET, "issis", resource_id, property, now.value,
		now.uid, now.applied);
}

static bool is_shown(const json_t *value)
{
	return json_is_string(value) && !strcmp(json_string_value(value), SEAL_SHOWN);
}

/* One of before that nobody has given a value. */
static int keep_or_drop(struct engine *engine, int64_t resource_id, uid_t uid, const char *name,
	const json_t *properties, const json_t *applied, struct fault *fault)
{
	CLEANUP(row_done) struct row row = { 0 };
	int r = row_load(engine, resource_id, name, &row);

	if (r < 0)
		return r;
	if (properties && (!is_shown(json_object_get(properties, name)) || row.uid != (int64_t)uid))
		return store_run(engine->store, SQL_RESOURCE_SECRET_DELETE, "is", resource_id, name);
	return put_one(engine, resource_id, uid, name, NULL, json_object_get(applied, name), fault);
}

int resource_secret_put(struct engine *engine, int64_t resource_id, uid_t uid, const json_t *properties,
	const json_t *values, const json_t *applied, struct fault *fault)
{
	json_auto_t *before = NULL;
	const char *name;
	json_t *value;
	int r = resource_secret_names(engine, resource_id, &before);

	json_object_foreach (before, name, value)
		if (r == 0 && !json_object_get(values, name))
			r = keep_or_drop(engine, resource_id, uid, name, properties, applied, fault);
	json_object_foreach ((json_t *)(uintptr_t)values, name, value)
		if (r == 0)
			r = put_one(
				engine, resource_id, uid, name, value, json_object_get(applied, name), fault);
	return r;
}

static int refuse(int64_t uid, struct fault *fault)
{
	char who[64] = "somebody";

	if (uid >= 0)
		caller_user_name((uid_t)uid, who, sizeof(who));
	return fault_set(fault, EPERM, "it has sensitive values of %s, which are handed to nobody else", who);
}

static int open_row(struct engine *engine, const struct resource *resource, struct query *query, uid_t uid,
	struct fault *fault, json_t *desired, json_t *applied)
{
	const char *name = query_text(query, 0);
	char what[SEAL_WHAT_SIZE];
	json_t *value;

	/* Somebody has written another value over it. */
	if (!is_shown(json_object_get(desired, name)))
		return 0;
	if (query_int(query, 3) != (int64_t)uid)
		return refuse(query_int(query, 3), fault);
	what_is(resource->id, name, what);
	value = open_value(engine, what, query_text(query, 1), fault);
	if (!value)
		return fault->code ? -fault->code : -EUCLEAN;
	json_object_set_new(desired, name, value);
	if (!json_object_get(applied, name))
		return 0;
	value = open_value(engine, what, query_text(query, 2), fault);
	/* Without it nobody can say what was brought about. */
	return value ? json_object_set_new(applied, name, value) : json_object_del(applied, name);
}

/* Values that stand nowhere. */
static int check_complete(const struct resource *resource, const json_t *desired, struct fault *fault)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)desired, name, value)
		if (is_shown(value))
			return fault_set(fault, ENODATA,
				"the sensitive value of its %.200s is not kept here: run the workflow that "
				"asks for "
				"%s/%.200s again",
				name, resource->type, resource->name);
	return 0;
}

int resource_secret_open(struct engine *engine, const struct resource *resource, uid_t uid,
	struct fault *fault, json_t **ret_desired, json_t **ret_applied, json_t **ret_names)
{
	CLEANUP(query_endp) struct query *query = NULL;
	json_auto_t *desired = json_loads(resource->desired, 0, NULL);
	json_auto_t *applied = *resource->applied ? json_loads(resource->applied, 0, NULL) : json_null();
	json_auto_t *names = json_object();
	int r = desired && applied && names ? resource->uid == (int64_t)uid ? 0 : refuse(resource->uid, fault)
					    : -EBADMSG,
	    step = 0;

	query = query_begin(engine->store, SQL_RESOURCE_SECRET_EACH, "i", resource->id);
	while (r == 0 && (step = query_step(query)) > 0) {
		json_object_set_new(names, query_text(query, 0), json_true());
		r = open_row(engine, resource, query, uid, fault, desired, applied);
	}
	r = r < 0 ? r : step;
	if (r == 0)
		r = check_complete(resource, desired, fault);
	if (r < 0)
		return r;
	*ret_desired = json_incref(desired);
	*ret_applied = json_incref(applied);
	*ret_names = json_incref(names);
	return 0;
}

int resource_secret_fill(
	struct engine *engine, const struct resource *resource, uid_t uid, json_t *row, struct fault *fault)
{
	json_auto_t *desired = NULL, *applied = NULL, *names = NULL;
	int r = resource_secret_open(engine, resource, uid, fault, &desired, &applied, &names);

	if (r < 0)
		return r;
	json_object_set(row, "desired", desired);
	json_object_set(row, "applied", applied);
	return 0;
}

/* What can't be opened can't have been told. */
static int load_mask(struct engine *engine, int64_t resource_id, struct mask *mask, json_t *names)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RESOURCE_SECRET_EACH, "i", resource_id);
	int r;

	while ((r = query_step(query)) > 0) {
		const char *name = query_text(query, 0);
		char what[SEAL_WHAT_SIZE];

		json_object_set_new(names, name, json_true());
		what_is(resource_id, name, what);
		for (int column = 1; column <= 2; column++) {
			struct fault fault = { 0 };
			json_auto_t *value = open_value(engine, what, query_text(query, column), &fault);

			r = value ? mask_add_json(mask, value) : 0;
			if (r < 0)
				return r;
		}
	}
	return r;
}

static void guard_findings(json_t *findings, const json_t *names)
{
	json_t *finding;
	size_t i;

	json_array_foreach (findings, i, finding) {
		const char *property = json_string_value(json_object_get(finding, "property"));

		if (!property || !json_object_get(names, property))
			continue;
		json_object_set_new(finding, "expected", json_string(SEAL_SHOWN));
		json_object_set_new(finding, "actual", json_string(SEAL_SHOWN));
		json_object_del(finding, "fix");
	}
}

static json_t *members(json_t *object, const json_t *names)
{
	json_t *found = json_object(), *value;
	const char *name;

	json_object_foreach ((json_t *)(uintptr_t)names, name, value)
		if (json_object_get(object, name))
			json_object_set(found, name, json_object_get(object, name));
	return found;
}

static void mask_freep(struct mask **mask)
{
	mask_free(*mask);
}

int resource_secret_guard(
	struct engine *engine, const struct resource *resource, json_t *row, json_t **ret_seen)
{
	CLEANUP(mask_freep) struct mask *mask = mask_new();
	json_auto_t *names = json_object(), *seen = NULL, *masked = NULL;
	int r = mask && names ? load_mask(engine, resource->id, mask, names) : -ENOMEM;

	if (r < 0)
		return r;
	seen = members(json_object_get(row, "actual"), names);
	resource_secret_hide(names, json_object_get(row, "actual"));
	guard_findings(json_object_get(row, "findings"), names);
	masked = mask_json(mask, row);
	if (!masked || !seen)
		return -ENOMEM;
	json_object_set(row, "actual", json_object_get(masked, "actual"));
	json_object_set(row, "error", json_object_get(masked, "error"));
	json_object_set(row, "findings", json_object_get(masked, "findings"));
	*ret_seen = json_incref(seen);
	return 0;
}
