/* SPDX-License-Identifier: MIT */
/* Versions of stacks: which items a version has, and how the change that is open makes a new one. */
#include "engine/version.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/content.h"
#include "engine/stack.h"

static const char *const kind_names[VERSION_KIND_COUNT] = {
	[VERSION_META] = "meta",
	[VERSION_TEXT] = "text",
	[VERSION_OUTPUT] = "output",
	[VERSION_TAG] = "tag",
	[VERSION_DEP] = "dep",
	[VERSION_STATE] = "state",
	[VERSION_RESOURCE] = "resource",
};

const char *version_kind_name(enum version_kind kind)
{
	return kind_names[kind];
}

static enum version_kind kind_parse(const char *name)
{
	for (enum version_kind i = 0; i < VERSION_KIND_COUNT; i++)
		if (!strcmp(kind_names[i], name))
			return i;
	return VERSION_META; /* the schema's CHECK knows the same words */
}

/* The versions that the change with this serial number has made. A change is mostly about one stack. */
enum { OPEN_VERSIONS = 8 };

struct open_version {
	uint64_t serial, undo_count; /* the store's */
	int64_t id, stack_id, number;
};

struct version_table {
	struct open_version open[OPEN_VERSIONS];
	unsigned next;
};

struct version_table *version_table_new(void)
{
	return calloc(1, sizeof(struct version_table));
}

void version_table_free(struct version_table *table)
{
	free(table);
}

void version_row(struct query *query, struct version *ret_version)
{
	int64_t changes = query_int(query, 7);

	*ret_version = (struct version){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.number = query_int(query, 2),
		.time_ms = query_int(query, 3),
		.uid = (uid_t)query_int(query, 4),
		.run_id = query_int(query, 5),
		.dropped = query_int(query, 8) != 0,
	};
	if (changes > 1)
		snprintf(ret_version->what, sizeof(ret_version->what), "%.200s, +%" PRId64 " more",
			query_text(query, 6), changes - 1);
	else
		snprintf(ret_version->what, sizeof(ret_version->what), "%.250s", query_text(query, 6));
}

static int version_one(struct query *query, struct version *ret_version)
{
	int r = query_step(query);

	if (r > 0)
		version_row(query, ret_version);
	query_end(query);
	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

static int version_undropped(int r, struct version *version, struct version *ret_version)
{
	if (r == 0 && version->dropped)
		r = -ENOENT;
	if (r == 0)
		*ret_version = *version;
	return r;
}

int version_get(struct engine *engine, int64_t id, struct version *ret_version)
{
	struct version version;
	int r = version_one(query_begin(engine->store, SQL_VERSION_GET, "i", id), &version);

	return version_undropped(r, &version, ret_version);
}

int version_trace(struct engine *engine, int64_t stack_id, int64_t number, struct version *ret_version)
{
	return version_one(query_begin(engine->store, SQL_VERSION_FIND, "ii", stack_id, number), ret_version);
}

int version_find(struct engine *engine, int64_t stack_id, int64_t number, struct version *ret_version)
{
	struct version version;
	int r = version_trace(engine, stack_id, number, &version);

	return version_undropped(r, &version, ret_version);
}

int version_last(struct engine *engine, int64_t stack_id, int64_t *ret_number)
{
	return store_get_int(engine->store, ret_number, SQL_VERSION_LAST, "i", stack_id);
}

int version_at(struct engine *engine, int64_t stack_id, int64_t time_ms, struct version *ret_version)
{
	return version_one(query_begin(engine->store, SQL_VERSION_AT, "ii", stack_id, time_ms), ret_version);
}

int version_each(struct engine *engine, int64_t stack_id, int64_t below,
	int (*each)(void *userdata, const struct version *version), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_VERSION_BEFORE, "ii", stack_id, below);
	struct version version;
	int r;

	while ((r = query_step(query)) > 0) {
		version_row(query, &version);
		r = each(userdata, &version);
		if (r != 0)
			break;
	}
	return r;
}

/* The version that this change has made already, or NULL. */
static struct open_version *open_find(struct engine *engine, int64_t stack_id)
{
	uint64_t serial = store_change_serial(engine->store), undo_count = store_undo_count(engine->store);

	for (unsigned i = 0; i < OPEN_VERSIONS; i++) {
		struct open_version *open = &engine->versions->open[i];
		struct version version;

		if (open->serial != serial || open->stack_id != stack_id)
			continue;
		if (open->undo_count == undo_count)
			return open;
		/* A part of the change was undone since: with the version's row, or without. */
		if (version_get(engine, open->id, &version) == 0 && version.stack_id == stack_id &&
			version.number == open->number) {
			open->undo_count = undo_count;
			return open;
		}
		open->serial = 0;
	}
	return NULL;
}

static int open_new(struct engine *engine, struct caller *caller, int64_t stack_id, const char *what,
	int64_t changes, struct open_version **ret_open)
{
	struct version_table *table = engine->versions;
	struct open_version *open;
	int64_t id, number;
	int r;

	r = store_run(engine->store, SQL_VERSION_NEXT, "i", stack_id);
	if (r == 0)
		r = store_get_int(engine->store, &number, SQL_STACK_LAST_VERSION, "i", stack_id);
	if (r == 0)
		r = store_insert(engine->store, &id, SQL_VERSION_ADD, "iiiiisi", stack_id, number,
			time_now_ms(), (int64_t)(caller ? caller->uid : geteuid()),
			caller ? caller->run_id : INT64_C(0), what, changes);
	if (r < 0)
		return r;
	engine_note(engine, SUBJECT_STACK, stack_id, ASPECT_VERSIONS);
	open = &table->open[table->next++ % OPEN_VERSIONS];
	*open = (struct open_version){
		.serial = store_change_serial(engine->store),
		.undo_count = store_undo_count(engine->store),
		.id = id,
		.stack_id = stack_id,
		.number = number,
	};
	*ret_open = open;
	return 0;
}

int version_begin(
	struct engine *engine, struct caller *caller, int64_t stack_id, const char *what, int64_t *ret_number)
{
	struct open_version *open = open_find(engine, stack_id);
	int r;

	/* No changes counted: these words say it all. */
	if (open)
		r = store_run(engine->store, SQL_VERSION_SET_WHAT, "is", open->id, what);
	else
		r = open_new(engine, caller, stack_id, what, 0, &open);
	if (r == 0 && ret_number)
		*ret_number = open->number;
	return r;
}

/* "output url", "description": for the list of versions. */
static void what_text(enum version_kind kind, const char *name, bool gone, char *ret_what, size_t size)
{
	bool plain = kind == VERSION_META || kind == VERSION_TEXT;

	snprintf(ret_what, size, "%s%s%.180s%s", plain ? "" : kind_names[kind], plain ? "" : " ", name,
		gone ? " removed" : "");
}

/* The number of the version that the next change of an item is part of. */
static int version_count(struct engine *engine, struct caller *caller, int64_t stack_id,
	enum version_kind kind, const char *name, bool gone, int64_t *ret_number)
{
	struct open_version *open = open_find(engine, stack_id);
	char what[VERSION_WHAT_SIZE];
	int r;

	if (open) {
		r = store_run(engine->store, SQL_VERSION_COUNT, "i", open->id);
	} else {
		what_text(kind, name, gone, what, sizeof(what));
		r = open_new(engine, caller, stack_id, what, 1, &open);
	}
	if (r == 0)
		*ret_number = open->number;
	return r;
}

static void item_load(struct query *query, void *ret)
{
	struct version_item *ret_item = ret;

	*ret_item = (struct version_item){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.kind = kind_parse(query_text(query, 2)),
		.from = query_int(query, 4),
		.to = query_int(query, 5),
		.content_id = query_int(query, 6),
	};
	snprintf(ret_item->name, sizeof(ret_item->name), "%s", query_text(query, 3));
}

int version_item_each(struct engine *engine, int64_t stack_id, int64_t number, enum version_kind kind,
	const char *within, int (*each)(void *userdata, const struct version_item *item), void *userdata)
{
	CLEANUP(query_endp) struct query *query = NULL;
	char end[VERSION_NAME_SIZE] = "";
	struct version_item item;
	int r;

	if (within) {
		/* What begins with it stands before what its successor begins with. */
		snprintf(end, sizeof(end), "%s", within);
		end[strlen(end) - 1]++;
		query = query_begin(engine->store, SQL_ITEM_WITHIN, "isiss", stack_id, kind_names[kind],
			number, within, end);
	} else {
		query = query_begin(engine->store, SQL_ITEM_EACH, "isi", stack_id, kind_names[kind], number);
	}
	while ((r = query_step(query)) > 0) {
		item_load(query, &item);
		r = each(userdata, &item);
		if (r != 0)
			break;
	}
	return r;
}

int version_item_next(struct engine *engine, int64_t stack_id, int64_t number, enum version_kind kind,
	const char *name, struct version_item *ret_item)
{
	return query_one(
		query_begin(engine->store, SQL_ITEM_NEXT, "isis", stack_id, kind_names[kind], number, name),
		item_load, ret_item);
}

int version_changed_each(struct engine *engine, int64_t stack_id, int64_t low, int64_t high,
	int (*each)(void *userdata, enum version_kind kind, const char *name), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_ITEM_CHANGED, "iii", stack_id, low, high);
	int r;

	while ((r = query_step(query)) > 0) {
		r = each(userdata, kind_parse(query_text(query, 0)), query_text(query, 1));
		if (r != 0)
			break;
	}
	return r;
}

int version_item_get(struct engine *engine, int64_t id, struct version_item *ret_item)
{
	return query_one(query_begin(engine->store, SQL_ITEM_GET, "i", id), item_load, ret_item);
}

/* The newest row of that name, also of one that is gone. */
static int item_last(struct engine *engine, int64_t stack_id, enum version_kind kind, const char *name,
	int64_t number, struct version_item *ret_item)
{
	return query_one(
		query_begin(engine->store, SQL_ITEM_AT, "issi", stack_id, kind_names[kind], name, number),
		item_load, ret_item);
}

int version_item_find(struct engine *engine, int64_t stack_id, enum version_kind kind, const char *name,
	int64_t number, struct version_item *ret_item)
{
	struct version_item item;
	int r = item_last(engine, stack_id, kind, name, number ? number : INT64_MAX, &item);

	if (r == 0 && item.to != 0 && (number == 0 || item.to <= number))
		r = -ENOENT;
	if (r == 0)
		*ret_item = item;
	return r;
}

int version_item_before(struct engine *engine, const struct version_item *item, struct version_item *ret_item)
{
	return item_last(engine, item->stack_id, item->kind, item->name, item->from - 1, ret_item);
}

int version_item_read(struct engine *engine, const struct version_item *item, struct fault *fault,
	struct buffer *ret_content)
{
	struct stack stack;
	int r = content_read(engine, item->content_id, ret_content);

	if (r != -EBADMSG)
		return r;
	if (stack_get(engine, item->stack_id, &stack) < 0)
		snprintf(stack.name, sizeof(stack.name), "of id %" PRId64, item->stack_id);
	return fault_set(fault, EBADMSG,
		"stack %s, version v%" PRId64
		": the stored content of %s %s is damaged: it does not have the hash "
		"that it was stored with. Versions in which it was another are not concerned",
		stack.name, item->from, kind_names[item->kind], item->name);
}

/* The item's row that the new content belongs into, from version `number` on. */
static int item_set(struct engine *engine, const struct version_item *last, bool live, int64_t stack_id,
	enum version_kind kind, const char *name, int64_t number, int64_t content)
{
	struct store *store = engine->store;
	int r = 0;

	if (live && last->from == number) {
		r = store_run(store, SQL_ITEM_SET_CONTENT, "ii", last->id, content);
		return r < 0 ? r : content_release(engine, last->content_id);
	}
	if (live)
		r = store_run(store, SQL_ITEM_END, "ii", last->id, number);
	return r < 0 ? r
		     : store_run(store, SQL_ITEM_ADD, "issii", stack_id, kind_names[kind], name, number,
			       content);
}

int version_put(struct engine *engine, struct caller *caller, int64_t stack_id, enum version_kind kind,
	const char *name, const void *content, size_t size)
{
	unsigned char hash[CONTENT_HASH_SIZE];
	int64_t same = 0, number, kept;
	struct version_item last = { 0 };
	bool live;
	int r;

	if (strlen(name) >= VERSION_NAME_SIZE)
		return -ENAMETOOLONG;
	r = item_last(engine, stack_id, kind, name, INT64_MAX, &last);
	if (r < 0 && r != -ENOENT)
		return r;
	live = r == 0 && last.to == 0;
	if (r == 0) {
		content_hash(content, size, hash);
		r = content_find(engine, hash, &same);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	if (live && same == last.content_id)
		return 0;
	r = version_count(engine, caller, stack_id, kind, name, false, &number);
	if (r < 0)
		return r;
	/* Taken away and put back by the same change: it was never gone. */
	if (same && same == last.content_id && last.to == number)
		return store_run(engine->store, SQL_ITEM_END, "ii", last.id, INT64_C(0));
	r = content_keep(engine, content, size, last.content_id, &kept);
	return r < 0 ? r : item_set(engine, &last, live, stack_id, kind, name, number, kept);
}

int version_drop(struct engine *engine, struct caller *caller, int64_t stack_id, enum version_kind kind,
	const char *name)
{
	struct version_item item;
	int64_t number;
	int r = version_item_find(engine, stack_id, kind, name, 0, &item);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = version_count(engine, caller, stack_id, kind, name, true, &number);
	if (r < 0)
		return r;
	if (item.from != number)
		return store_run(engine->store, SQL_ITEM_END, "ii", item.id, number);
	r = store_run(engine->store, SQL_ITEM_DELETE, "i", item.id);
	return r < 0 ? r : content_release(engine, item.content_id);
}
