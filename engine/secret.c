/* SPDX-License-Identifier: MIT */
/* Secrets as rows. */
#include "engine/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/event.h"
#include "engine/quota.h"
#include "engine/seal.h"

static void secret_load(struct query *query, void *ret)
{
	struct secret *ret_secret = ret;

	*ret_secret = (struct secret){
		.id = query_int(query, 0),
		.uid = (uid_t)query_int(query, 2),
		.gid = (gid_t)query_int(query, 3),
		.created_ms = query_int(query, 4),
		.updated_ms = query_int(query, 5),
	};
	snprintf(ret_secret->name, sizeof(ret_secret->name), "%s", query_text(query, 1));
}

int secret_find(struct engine *engine, const char *name, struct secret *ret_secret)
{
	return query_one(query_begin(engine->store, SQL_SECRET_FIND, "s", name), secret_load, ret_secret);
}

int secret_get(struct engine *engine, int64_t id, struct secret *ret_secret)
{
	return query_one(query_begin(engine->store, SQL_SECRET_GET, "i", id), secret_load, ret_secret);
}

int secret_each(
	struct engine *engine, int (*each)(void *userdata, const struct secret *secret), void *userdata)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_SECRET_EACH, "");
	struct secret secret;
	int r;

	while ((r = query_step(query)) > 0) {
		secret_load(query, &secret);
		r = each(userdata, &secret);
		if (r != 0)
			break;
	}
	return r;
}

static const char *what_is(const char *name, char ret_what[SEAL_WHAT_SIZE])
{
	snprintf(ret_what, SEAL_WHAT_SIZE, "secret:%s", name);
	return ret_what;
}

static int may_use(struct caller *caller, const struct secret *secret, struct fault *fault)
{
	char owner[128];

	if (!caller || caller_owns(caller, secret->uid))
		return 0;
	return fault_set(fault, EACCES, "the secret %s is not yours: only its owner, %s, and root may use it",
		secret->name, caller_user_name(secret->uid, owner, sizeof(owner)));
}

/* The row's sealed text. */
static int sealed_get(struct engine *engine, int64_t id, struct buffer *ret_text)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_SECRET_GET, "i", id);
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	return buffer_append_text(ret_text, query_text(query, 6));
}

int secret_value(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault,
	struct buffer *ret_value)
{
	CLEANUP(buffer_done) struct buffer sealed = { 0 };
	char what[SEAL_WHAT_SIZE];
	struct secret secret;
	int r = secret_get(engine, id, &secret);

	if (r == 0)
		r = may_use(caller, &secret, fault);
	if (r == 0)
		r = sealed_get(engine, id, &sealed);
	return r < 0 ? r
		     : seal_open(engine, what_is(secret.name, what), buffer_text(&sealed), fault, ret_value);
}

/* The owner is part of the event: it is his to see (fs/nodes/events.c). `data` is stolen. */
static int told(
	struct engine *engine, struct caller *caller, const char *type, int64_t id, uid_t owner, json_t *data)
{
	json_object_set_new(data, "owner", json_integer((json_int_t)owner));
	engine_note(engine, SUBJECT_SECRET, id, ASPECT_META);
	return event_add(engine, caller, type, 0, NULL, 0, data);
}

int secret_note_read(
	struct engine *engine, struct caller *caller, int64_t id, int64_t stack_id, const char *stack)
{
	struct secret secret;
	int r = secret_get(engine, id, &secret);

	return r < 0 ? r
		     : event_add(engine, caller, "secret.read", stack_id, stack, caller ? caller->run_id : 0,
			       json_pack("{s:s, s:I}", "name", secret.name, "owner", (json_int_t)secret.uid));
}

static int check_new(const char *name, size_t size, struct fault *fault)
{
	int r = name_check(name);

	if (r < 0)
		return fault_set(fault, -r,
			"%s: the name of a secret is letters, digits, '.', '_' and '-', up to %d", name,
			NAME_MAX_LENGTH);
	if (size > SECRET_SIZE_MAX)
		return fault_set(
			fault, EFBIG, "secret %s: a secret has at most %d bytes", name, SECRET_SIZE_MAX);
	return 0;
}

int secret_set(struct engine *engine, struct caller *caller, const char *name, const void *value, size_t size,
	struct fault *fault, int64_t *ret_id)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(cleanup_free) char *sealed = NULL;
	char what[SEAL_WHAT_SIZE];
	struct secret before = { .uid = caller ? caller->uid : 0 };
	int64_t id;
	int r = check_new(name, size, fault);

	if (r == 0)
		r = secret_find(engine, name, &before);
	if (r == 0)
		r = may_use(caller, &before, fault);
	else if (r == -ENOENT)
		r = quota_check(engine, before.uid, QUOTA_SECRETS, 1, fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = seal_make(engine, what_is(name, what), value, size, fault, &sealed);
	if (r == 0)
		r = store_get_int(engine->store, &id, SQL_SECRET_SET, "siisi", name,
			(int64_t)(caller ? caller->uid : 0), (int64_t)(caller ? caller->gid : 0), sealed,
			time_now_ms());
	if (r == 0)
		r = told(engine, caller, "secret.set", id, before.uid, json_pack("{s:s}", "name", name));
	if (r == 0)
		r = store_change_end(&change);
	if (r == 0 && ret_id)
		*ret_id = id;
	return r;
}

int secret_rename(
	struct engine *engine, struct caller *caller, int64_t id, const char *name, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(buffer_wipe) struct buffer value = { 0 };
	CLEANUP(cleanup_free) char *sealed = NULL;
	char what[SEAL_WHAT_SIZE];
	struct secret secret, other;
	int r = check_new(name, 0, fault);

	if (r == 0)
		r = secret_get(engine, id, &secret);
	if (r == 0 && secret_find(engine, name, &other) == 0)
		return fault_set(fault, EEXIST, "there is a secret %s already", name);
	if (r == 0)
		r = secret_value(engine, caller, id, fault, &value);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	/* The name is part of what is sealed. */
	if (r == 0)
		r = seal_make(engine, what_is(name, what), value.data, value.size, fault, &sealed);
	if (r == 0)
		r = store_run(engine->store, SQL_SECRET_RENAME, "issi", id, name, sealed, time_now_ms());
	if (r == 0)
		r = told(engine, caller, "secret.renamed", id, secret.uid,
			json_pack("{s:s, s:s}", "from", secret.name, "name", name));
	return r < 0 ? r : store_change_end(&change);
}

int secret_chown(struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid)
{
	struct secret secret;
	int r = secret_get(engine, id, &secret);

	if (r < 0)
		return r;
	if (uid == (uid_t)-1)
		uid = secret.uid;
	if (gid == (gid_t)-1)
		gid = secret.gid;
	if (caller && caller->uid != 0 &&
		(caller->uid != secret.uid || uid != secret.uid ||
			(gid != secret.gid && !caller_in_group(caller, gid))))
		return -EPERM;
	r = store_run(engine->store, SQL_SECRET_SET_OWNER, "iii", id, (int64_t)uid, (int64_t)gid);
	return r < 0 ? r
		     : told(engine, caller, "secret.owner", id, uid, json_pack("{s:s}", "name", secret.name));
}

int secret_delete(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct secret secret;
	int r = secret_get(engine, id, &secret);

	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_SECRET_DELETE, "i", id);
	if (r == 0)
		r = told(engine, caller, "secret.deleted", id, secret.uid,
			json_pack("{s:s}", "name", secret.name));
	return r < 0 ? r : store_change_end(&change);
}
