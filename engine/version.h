/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Versions of a stack: every change of what a stack is makes one, numbered from 1.
 *
 * A stack is a set of items, each of a kind with a name and a content. The owners of the live tables
 * (outputs, keys, texts, resources …) say here what an item is from now on, inside the change (struct
 * store_change) that alters their own rows. All that one outermost change says is one version; a content that
 * is the same as before says nothing. An item is a row with the interval of versions that it belongs to.
 *
 * What is not part of a version: locks, events, runs, drift, keys with a ttl.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"

struct stack;
struct version_table;

enum version_kind {
	VERSION_META,	  /* "meta": name, owner, group, mode as canonical JSON */
	VERSION_TEXT,	  /* its column's name: description, version, config, values, workflow */
	VERSION_OUTPUT,	  /* the output's name: the row's value, sealed if it is sensitive */
	VERSION_TAG,	  /* the tag: empty */
	VERSION_DEP,	  /* the other stack's name: the constraint on its version, "" for any */
	VERSION_STATE,	  /* the key: its value as JSON */
	VERSION_RESOURCE, /* TYPE/NAME, each percent-encoded where needed: canonical JSON of all that is kept
			   */
	VERSION_KIND_COUNT
};

enum { VERSION_NAME_SIZE = 1024, VERSION_WHAT_SIZE = 256 };

struct version {
	int64_t id, stack_id;
	int64_t number, time_ms;
	uid_t uid;
	int64_t run_id;		      /* 0: not by a run */
	char what[VERSION_WHAT_SIZE]; /* "output url, +2 more" */
	bool dropped;		      /* deleted: only known because items begin in it */
};

struct version_item {
	int64_t id, stack_id;
	enum version_kind kind;
	char name[VERSION_NAME_SIZE];
	int64_t from, to; /* numbers: it is in from … to - 1; to 0: in all from `from` on */
	int64_t content_id;
};

/* engine->versions: which version the change that is open makes. NULL without memory. */
struct version_table *version_table_new(void);
void version_table_free(struct version_table *table);

/* The item is this from now on. In a change. caller NULL: the daemon. 0 or -errno (see store.h);
 * -ENAMETOOLONG. */
int version_put(struct engine *engine, struct caller *caller, int64_t stack_id, enum version_kind kind,
	const char *name, const void *content, size_t size);

/* The item is no more; nothing happens when there was none. In a change. */
int version_drop(struct engine *engine, struct caller *caller, int64_t stack_id, enum version_kind kind,
	const char *name);

/* The version that this change makes, also if nothing else is said: for what is to be called by its own words
 * ("created"), and for snapshots. In a change. ret_number may be NULL. */
int version_begin(struct engine *engine, struct caller *caller, int64_t stack_id, const char *what,
	int64_t *ret_number);

/* Stacks that came from a schema without versions get their first one. */
int version_baseline(struct engine *engine);

/* "output": as it stands in the database and in front of names. */
const char *version_kind_name(enum version_kind kind);

/* -ENOENT: there is no such version (any more). */
int version_get(struct engine *engine, int64_t id, struct version *ret_version);
int version_find(struct engine *engine, int64_t stack_id, int64_t number, struct version *ret_version);
/* The same, also if it was deleted: who made the items that begin in it, and when. */
int version_trace(struct engine *engine, int64_t stack_id, int64_t number, struct version *ret_version);
/* What the stack is now. */
int version_last(struct engine *engine, int64_t stack_id, int64_t *ret_number);
/* The one that held at that time; -ENOENT before the first. */
int version_at(struct engine *engine, int64_t stack_id, int64_t time_ms, struct version *ret_version);
/* From the newest below `below` on (INT64_MAX: all), until `each` returns non-zero, which is returned. */
int version_each(struct engine *engine, int64_t stack_id, int64_t below,
	int (*each)(void *userdata, const struct version *version), void *userdata);
/* Row to struct, for statements with VERSION_COLUMNS. */
void version_row(struct query *query, struct version *ret_version);

/* The item as it is in a version; number 0: now. -ENOENT. */
int version_item_find(struct engine *engine, int64_t stack_id, enum version_kind kind, const char *name,
	int64_t number, struct version_item *ret_item);
int version_item_get(struct engine *engine, int64_t id, struct version_item *ret_item);
/* What the item was before it became this, also if there was none in between. -ENOENT. */
int version_item_before(
	struct engine *engine, const struct version_item *item, struct version_item *ret_item);

/* The items of a kind in a version, by name, until `each` returns non-zero. With `within`: only names that
 * begin with it. */
int version_item_each(struct engine *engine, int64_t stack_id, int64_t number, enum version_kind kind,
	const char *within, int (*each)(void *userdata, const struct version_item *item), void *userdata);
/* The first whose name is not below `name`; -ENOENT. */
int version_item_next(struct engine *engine, int64_t stack_id, int64_t number, enum version_kind kind,
	const char *name, struct version_item *ret_item);
/* Kinds and names that may differ between two versions. */
int version_changed_each(struct engine *engine, int64_t stack_id, int64_t low, int64_t high,
	int (*each)(void *userdata, enum version_kind kind, const char *name), void *userdata);

/* Its bytes. -EBADMSG when they are damaged, with a sentence that names stack, version and item. */
int version_item_read(struct engine *engine, const struct version_item *item, struct fault *fault,
	struct buffer *ret_content);
