/* SPDX-License-Identifier: MIT */
/* Quotas: one row each. */
#include "engine/quota.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
	IN_MEMORY = -1,		 /* instead of a statement */
	COUNTED_FOR_MS = 600000, /* owners change, keys expire */
	COUNTED_AGAIN_MS = 1000, /* at the limit */
};

static const struct row {
	const char *name;
	int statement;
	int error;
	const char *what, *advice; /* "you have WHAT, and …: ADVICE" */
} rows[] = {
	[QUOTA_STACKS] = { "stacks", SQL_QUOTA_STACKS, EDQUOT, "stacks", "destroy some (rmdir stacks/NAME)" },
	[QUOTA_NAMESPACES] = { "namespaces", SQL_QUOTA_NAMESPACES, EDQUOT, "namespaces of state",
		"remove some (rmdir state/NAME)" },
	[QUOTA_KEYS] = { "keys", SQL_QUOTA_KEYS, EDQUOT, "keys in your stacks and namespaces",
		"remove some (rm state/NAMESPACE/KEY, stacks/NAME/state/KEY)" },
	[QUOTA_LOCKS] = { "locks", SQL_NAMED_LOCK_COUNT, EDQUOT, "named locks",
		"remove some (rm locks/NAME)" },
	[QUOTA_WORKFLOWS] = { "workflows", SQL_SAVED_COUNT, EDQUOT, "saved workflows",
		"remove some (rm workflows/NAME)" },
	[QUOTA_SECRETS] = { "secrets", SQL_QUOTA_SECRETS, EDQUOT, "secrets",
		"remove some (rm secrets/NAME)" },
	[QUOTA_RUNS] = { "runs", SQL_QUOTA_RUNS, EAGAIN, "runs that are not over",
		"wait for some, or cancel them (echo cancel > runs/ID/ctl)" },
	[QUOTA_WAITS] = { "waits", IN_MEMORY, EAGAIN,
		"requests that wait for a lock or for the end of something",
		"end some of the processes that wait" },
	[QUOTA_OPEN_FILES] = { "open_files", IN_MEMORY, EMFILE, "files and folders of the tree open",
		"close some" },
	[QUOTA_OPEN_SIZE] = { "open_size", IN_MEMORY, EMFILE, "bytes in files of the tree that are open",
		"close some" },
	[QUOTA_STORAGE] = { "storage", IN_MEMORY, EDQUOT, "bytes stored in your stacks, namespaces and runs",
		"remove runs (rmdir runs/ID), versions (rmdir stacks/NAME/snapshots/vN) or keys" },
	[QUOTA_CONNECTIONS] = { "connections", IN_MEMORY, EAGAIN, "connections to the daemon's socket",
		"end some of the commands that have them" },
};

struct user {
	TAILQ_ENTRY(user) users;
	uid_t uid;
	int64_t used[QUOTA_COUNT];
	int64_t counted_ms; /* keys; 0: never */
	/* Storage: what was counted, what came since, and how much of that came before the count that goes
	 * on. */
	int64_t counted, since, before;
	bool stored; /* quota_each_user()'s: there are rows that are his */
};

struct quota_table {
	TAILQ_HEAD(, user) users;
	/* Of what is stored: it was counted, is being counted, was so last. */
	bool known, counting;
	int64_t known_ms;
	int (*count)(void *userdata);
	void *userdata;
};

int quota_table_new(struct quota_table **ret_table)
{
	struct quota_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	TAILQ_INIT(&table->users);
	*ret_table = table;
	return 0;
}

void quota_table_free(struct quota_table *table)
{
	struct user *user;

	if (!table)
		return;
	while ((user = TAILQ_FIRST(&table->users))) {
		TAILQ_REMOVE(&table->users, user, users);
		free(user);
	}
	free(table);
}

static struct user *user_find(struct quota_table *table, uid_t uid)
{
	struct user *user;

	TAILQ_FOREACH (user, &table->users, users)
		if (user->uid == uid)
			return user;
	return NULL;
}

/* Who asks often stands in front. NULL: there is no memory. */
static struct user *user_get(struct quota_table *table, uid_t uid)
{
	struct user *user = user_find(table, uid);

	if (user == TAILQ_FIRST(&table->users) && user)
		return user;
	if (user)
		TAILQ_REMOVE(&table->users, user, users);
	else
		user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	TAILQ_INSERT_HEAD(&table->users, user, users);
	return user;
}

int64_t quota_limit(const struct engine *engine, uid_t uid, enum quota quota)
{
	return uid == 0 || uid == geteuid() ? -1 : engine->config.quotas[quota];
}

int64_t quota_used(struct engine *engine, uid_t uid, enum quota quota)
{
	struct user *user;
	int64_t count = 0;

	if (rows[quota].statement != IN_MEMORY) {
		int r = store_get_int(
			engine->store, &count, (enum statement)rows[quota].statement, "i", (int64_t)uid);

		return r < 0 ? 0 : count;
	}
	user = user_find(engine->quotas, uid);
	if (quota == QUOTA_STORAGE)
		return user ? user->counted + user->since : 0;
	return user ? user->used[quota] : 0;
}

static int over(const struct row *row, int64_t limit, struct fault *fault)
{
	return fault_set(fault, row->error,
		"you may have %lld %s, and this is more: %s, or ask for more (quotas.%s in config.yaml; "
		"`quota` "
		"shows yours)",
		(long long)limit, row->what, row->advice, row->name);
}

int quota_check(struct engine *engine, uid_t uid, enum quota quota, int64_t more, struct fault *fault)
{
	int64_t limit = quota_limit(engine, uid, quota);

	if (limit < 0 || quota_used(engine, uid, quota) + more <= limit)
		return 0;
	return over(&rows[quota], limit, fault);
}

void quota_use(struct engine *engine, uid_t uid, enum quota quota, int64_t more)
{
	struct user *user = user_get(engine->quotas, uid);

	if (user)
		user->used[quota] += more;
	if (user && user->used[quota] < 0) /* it came when there was no memory for its user */
		user->used[quota] = 0;
}

int quota_keys_check(struct engine *engine, uid_t uid, struct fault *fault)
{
	int64_t limit = quota_limit(engine, uid, QUOTA_KEYS), now = time_now_ms(), age;
	struct user *user;

	if (limit < 0)
		return 0;
	user = user_get(engine->quotas, uid);
	if (!user)
		return -ENOMEM;
	age = now - user->counted_ms;
	if (age < 0 || age > COUNTED_FOR_MS || (user->used[QUOTA_KEYS] >= limit && age > COUNTED_AGAIN_MS)) {
		user->used[QUOTA_KEYS] = quota_used(engine, uid, QUOTA_KEYS);
		user->counted_ms = now;
	}
	return user->used[QUOTA_KEYS] < limit ? 0 : over(&rows[QUOTA_KEYS], limit, fault);
}

static void storage_count(struct quota_table *table)
{
	if (!table->count || table->counting || time_now_ms() - table->known_ms < COUNTED_AGAIN_MS)
		return;
	table->counting = table->count(table->userdata) == 0;
}

int quota_store(struct engine *engine, uid_t uid, int64_t bytes, struct fault *fault)
{
	int64_t limit = quota_limit(engine, uid, QUOTA_STORAGE);
	struct quota_table *table = engine->quotas;
	struct user *user;

	if (limit < 0)
		return 0;
	user = user_get(table, uid);
	if (!user)
		return -ENOMEM;
	/* In time: most of what is written takes the place of something. */
	if (!table->known || user->since + bytes > (limit - user->counted) / 2)
		storage_count(table);
	if (table->known && user->counted + user->since + bytes > limit)
		return over(&rows[QUOTA_STORAGE], limit, fault);
	user->since += bytes;
	return 0;
}

void quota_stored(struct engine *engine, uid_t uid, int64_t bytes)
{
	struct user *user =
		quota_limit(engine, uid, QUOTA_STORAGE) < 0 ? NULL : user_get(engine->quotas, uid);

	if (user)
		user->since += bytes;
}

void quota_on_count(struct engine *engine, int (*count)(void *userdata), void *userdata)
{
	engine->quotas->count = count;
	engine->quotas->userdata = userdata;
}

void quota_count_begun(struct engine *engine)
{
	struct user *user;

	TAILQ_FOREACH (user, &engine->quotas->users, users)
		user->before = user->since;
}

void quota_counted(struct engine *engine, const json_t *counts)
{
	struct quota_table *table = engine->quotas;
	struct user *user;
	const char *uid;
	json_t *bytes;

	table->counting = false;
	table->known_ms = time_now_ms();
	if (!counts)
		return;
	table->known = true;
	TAILQ_FOREACH (user, &table->users, users) {
		user->counted = 0;
		user->since -= user->before;
		user->before = 0;
	}
	json_object_foreach ((json_t *)(uintptr_t)counts, uid, bytes) {
		user = user_get(table, (uid_t)strtoul(uid, NULL, 10));
		if (user)
			user->counted = json_integer_value(bytes);
	}
}

int quota_count(struct store *store, json_t **ret_counts)
{
	CLEANUP(query_endp) struct query *query = query_begin(store, SQL_QUOTA_STORAGE, "");
	json_auto_t *counts = json_object();
	char uid[24];
	int r;

	while ((r = query_step(query)) > 0) {
		snprintf(uid, sizeof(uid), "%lld", (long long)query_int(query, 0));
		json_object_set_new(counts, uid, json_integer(query_int(query, 1)));
	}
	if (r == 0)
		*ret_counts = json_incref(counts);
	return r;
}

const char *quota_name(enum quota quota)
{
	return rows[quota].name;
}

/* The next user after `after` (-1: the first) who has something; -1: none. */
static int64_t user_after(struct quota_table *table, int64_t after)
{
	int64_t next = -1;
	struct user *user;

	TAILQ_FOREACH (user, &table->users, users) {
		bool has = user->stored;

		for (int i = 0; i < QUOTA_COUNT; i++)
			has = has || user->counted || (rows[i].statement == IN_MEMORY && user->used[i]);
		if (has && user->uid > after && (next < 0 || user->uid < next))
			next = user->uid;
	}
	return next;
}

/* Whoever has a row. */
static int stored_mark(struct engine *engine)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_QUOTA_USERS, "");
	struct user *user;
	int r;

	TAILQ_FOREACH (user, &engine->quotas->users, users)
		user->stored = false;
	while ((r = query_step(query)) > 0) {
		user = user_get(engine->quotas, (uid_t)query_int(query, 0));
		if (!user)
			return -ENOMEM;
		user->stored = true;
	}
	return r;
}

int quota_each_user(struct engine *engine, int (*each)(void *userdata, uid_t uid), void *userdata)
{
	int r = stored_mark(engine);

	for (int64_t uid = user_after(engine->quotas, -1); r == 0 && uid >= 0;
		uid = user_after(engine->quotas, uid))
		r = each(userdata, (uid_t)uid);
	return r;
}
