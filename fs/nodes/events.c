/* SPDX-License-Identifier: MIT */
/* The files `events`, `events.json`, `activity` and `activity.json`: a filtered view of one sequence, with
 * true sizes. */
#include "fs/nodes/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/kv.h"
#include "engine/named-lock.h"
#include "engine/run.h"
#include "engine/stack.h"
#include "fs/tree.h"

enum { READERS_MAX = 64 };

/* How far a user (or the readers of one stack's activity) has been counted. */
struct event_reader {
	uint64_t who; /* hash of uid, gid and groups */
	int64_t stack_id;
	bool json;
	int64_t generation;
	int64_t base_id;	  /* where the trail began then: it begins later when events were archived */
	unsigned long used;	  /* 0: free */
	int64_t counted_id, size; /* events up to this one have this size */
	int64_t cursor_id, cursor_offset; /* where the last read ended: events after this one start there */
};

struct event_readers {
	struct event_reader rows[READERS_MAX];
	unsigned long clock;
};

struct scan {
	struct view *view;
	struct event_reader *reader;
	int64_t last_stack; /* of the event before, and whether it may be seen */
	bool last_visible;
	/* reading */
	int64_t offset;
	char *data;
	size_t size, done;
};

static bool sees_all(const struct view *view)
{
	return view->caller->uid == 0 || view->caller->uid == view->tree->uid;
}

/* Of a run that had no stack yet: it is as private as the stack that it got. */
static bool run_event_visible(struct view *view, const struct event *event)
{
	struct run run;

	return run_get(view->engine, event->run_id, &run) == 0 &&
	       caller_access(view->caller, run.owner_uid, run.owner_gid, run.mode, MAY_READ | MAY_EXECUTE) ==
		       0;
}

/* Of a named lock: it is as private as its file. */
static bool named_lock_event_visible(struct view *view, const struct event *event)
{
	json_auto_t *object = json_loads(event->json, 0, NULL);
	const char *name = json_string_value(json_object_get(json_object_get(object, "data"), "lock"));
	struct named_lock named;

	return name && named_lock_find(view->engine, name, &named) == 0 &&
	       caller_access(view->caller, named.uid, named.gid, named.mode, MAY_READ) == 0;
}

/* Of a namespace, or a key of one: as private as that. What is about neither is for all. */
static bool namespace_event_visible(struct view *view, const struct event *event)
{
	json_auto_t *object = json_loads(event->json, 0, NULL);
	const char *name = json_string_value(json_object_get(json_object_get(object, "data"), "namespace"));
	struct kv_namespace ns;

	if (!strncmp(event->type, "lock.", strlen("lock.")))
		return named_lock_event_visible(view, event);
	if (!name)
		return true;
	return kv_namespace_find(view->engine, name, &ns) == 0 &&
	       caller_access(view->caller, ns.uid, ns.gid, ns.mode, MAY_READ | MAY_EXECUTE) == 0;
}

/* Of a secret: its owner's. */
static bool secret_event_visible(struct view *view, const struct event *event)
{
	json_auto_t *object = json_loads(event->json, 0, NULL);
	const json_t *owner = json_object_get(json_object_get(object, "data"), "owner");

	return json_is_integer(owner) && json_integer_value(owner) == (json_int_t)view->caller->uid;
}

static bool event_visible(struct scan *scan, const struct event *event)
{
	if (scan->reader->stack_id || sees_all(scan->view) || event->uid == scan->view->caller->uid)
		return true;
	if (event->stack_id == 0 && !strncmp(event->type, "secret.", strlen("secret.")))
		return secret_event_visible(scan->view, event);
	if (event->stack_id == 0)
		return event->run_id ? run_event_visible(scan->view, event)
				     : namespace_event_visible(scan->view, event);
	if (event->stack_id != scan->last_stack) {
		scan->last_stack = event->stack_id;
		scan->last_visible = stack_visible(scan->view->engine, scan->view->caller, event->stack_id);
	}
	return scan->last_visible;
}

static const char *event_text(const struct scan *scan, const struct event *event)
{
	return scan->reader->json ? event->json : event->line;
}

static uint64_t caller_hash(struct caller *caller)
{
	uint64_t hash = ((uint64_t)caller->uid << 32 | caller->gid) * 0x9e3779b97f4a7c15ULL;

	caller_in_group(caller, (gid_t)-1); /* fetches the groups */
	for (size_t i = 0; i < caller->group_count; i++)
		hash = (hash ^ caller->groups[i]) * 0x100000001b3ULL;
	return hash;
}

static struct event_reader *reader_get(struct view *view, int64_t stack_id, bool json)
{
	struct tree *tree = view->tree;
	struct event_reader *reader;
	uint64_t who = stack_id || sees_all(view) ? 0 : caller_hash(view->caller);
	struct event_place base;

	if (event_places(view->engine, &base, NULL) < 0)
		return NULL;
	if (!tree->event_readers)
		tree->event_readers = calloc(1, sizeof(*tree->event_readers));
	if (!tree->event_readers)
		return NULL;
	reader = &tree->event_readers->rows[0];
	for (size_t i = 0; i < READERS_MAX; i++) {
		struct event_reader *row = &tree->event_readers->rows[i];

		if (row->used && row->who == who && row->stack_id == stack_id && row->json == json &&
			row->base_id == base.id && (who == 0 || row->generation == tree->access_generation)) {
			row->used = ++tree->event_readers->clock;
			return row;
		}
		if (row->used < reader->used)
			reader = row;
	}
	*reader = (struct event_reader){
		.base_id = base.id,
		.who = who,
		.stack_id = stack_id,
		.json = json,
		.generation = tree->access_generation,
		.used = ++tree->event_readers->clock,
	};
	return reader;
}

static int count_one(void *userdata, const struct event *event)
{
	struct scan *scan = userdata;

	if (event_visible(scan, event))
		scan->reader->size += (int64_t)strlen(event_text(scan, event));
	scan->reader->counted_id = event->id;
	return 0;
}

/* What comes behind the bytes that were read. */
static void mark_read(struct view *view, const struct scan *scan)
{
	struct stream_mark *mark = view->mark;
	int64_t end = scan->offset + (int64_t)scan->done;

	if (!mark || (mark->known && scan->done == 0))
		return;
	mark->known = true;
	mark->end = end + mark->shift;
	mark->next = scan->reader->cursor_id + 1;
	mark->inside = end - scan->reader->cursor_offset;
}

static int add_length(void *userdata, const struct event *event)
{
	struct scan *scan = userdata;

	if (event->id >= scan->reader->cursor_id)
		return 1;
	if (event_visible(scan, event))
		scan->offset += (int64_t)strlen(event_text(scan, event));
	return 0;
}

/* Where the event `id` begins, for who sees a part of the events only. */
static int64_t reader_offset(struct view *view, int64_t stack_id, bool json, int64_t id)
{
	struct event_reader reader = { .json = json, .stack_id = stack_id, .cursor_id = id };
	struct scan scan = { .view = view, .reader = &reader, .last_stack = -1 };

	event_each(view->engine, 0, stack_id, add_length, &scan);
	return scan.offset;
}

/* The stream's offset for one of the open file. They differ when events were archived since it was opened:
 * the next read goes on with what comes behind the last one, or, where that is archived too, with the first
 * that is kept. Whoever goes back to the beginning gets the beginning that there is now. */
static int64_t mark_offset(struct view *view, int64_t stack_id, bool json, int64_t offset)
{
	struct stream_mark *mark = view->mark;
	struct event_place base;
	int64_t start = 0;

	if (!mark || event_places(view->engine, &base, NULL) < 0)
		return offset;
	if (mark->known && mark->base != base.id && offset == mark->end) {
		if (mark->next > base.id && (stack_id || !sees_all(view)))
			start = reader_offset(view, stack_id, json, mark->next) + mark->inside;
		else if (mark->next > base.id && event_offset(view->engine, json, mark->next, &start) == 0)
			start += mark->inside;
		mark->shift = offset - start;
	} else if (mark->base != base.id || offset == 0) {
		mark->shift = 0;
	}
	mark->base = base.id;
	return offset > mark->shift ? offset - mark->shift : 0;
}

/* The size as the open file sees it. */
static int64_t mark_size(struct view *view, int64_t stack_id, bool json, int64_t size)
{
	if (size < 0 || !view->mark || !view->mark->known)
		return size;
	mark_offset(view, stack_id, json, view->mark->end);
	return size + view->mark->shift;
}

static int64_t reader_size(struct view *view, int64_t stack_id, bool json)
{
	struct scan scan = { .view = view, .reader = reader_get(view, stack_id, json), .last_stack = -1 };
	int r;

	if (!scan.reader)
		return -ENOMEM;
	r = event_each(view->engine, scan.reader->counted_id, stack_id, count_one, &scan);
	return r < 0 ? r : mark_size(view, stack_id, json, scan.reader->size);
}

static int read_one(void *userdata, const struct event *event)
{
	struct scan *scan = userdata;
	const char *text = event_text(scan, event);
	int64_t start = scan->reader->cursor_offset;
	int64_t length = (int64_t)strlen(text), skip = 0, n;

	if (event_visible(scan, event) && start + length > scan->offset) {
		if (scan->offset > start)
			skip = scan->offset - start;
		n = length - skip;
		if (n > (int64_t)(scan->size - scan->done))
			n = (int64_t)(scan->size - scan->done);
		memcpy(scan->data + scan->done, text + skip, (size_t)n);
		scan->done += (size_t)n;
		if (skip + n < length)
			return 1; /* full, in the middle of this event */
	}
	if (event_visible(scan, event))
		scan->reader->cursor_offset += length;
	scan->reader->cursor_id = event->id;
	return scan->done == scan->size;
}

static ssize_t reader_read(
	struct view *view, int64_t stack_id, bool json, int64_t offset, char *data, size_t size)
{
	struct scan scan = { .view = view,
		.reader = reader_get(view, stack_id, json),
		.last_stack = -1,
		.offset = mark_offset(view, stack_id, json, offset),
		.data = data,
		.size = size };
	int r;

	if (!scan.reader)
		return -ENOMEM;
	if (scan.offset < scan.reader->cursor_offset)
		scan.reader->cursor_id = scan.reader->cursor_offset = 0;
	r = event_each(view->engine, scan.reader->cursor_id, stack_id, read_one, &scan);
	mark_read(view, &scan);
	return r < 0 ? r : (ssize_t)scan.done;
}

/* Who sees everything needs no counting: the places are stored with the events. */
static int64_t all_size(struct view *view, bool json)
{
	int64_t size;
	int r;

	if (!sees_all(view))
		return reader_size(view, 0, json);
	r = event_size(view->engine, json, &size);
	return r < 0 ? r : mark_size(view, 0, json, size);
}

static ssize_t all_read(struct view *view, bool json, int64_t offset, char *data, size_t size)
{
	struct event_reader reader = { .json = json };
	struct scan scan = { .view = view, .reader = &reader, .data = data, .size = size };
	int64_t id, start;
	int r;

	if (!sees_all(view))
		return reader_read(view, 0, json, offset, data, size);
	scan.offset = mark_offset(view, 0, json, offset);
	r = event_seek(view->engine, json, scan.offset, &id, &start);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	reader.cursor_offset = start;
	reader.cursor_id = id - 1;
	r = event_each(view->engine, id - 1, 0, read_one, &scan);
	mark_read(view, &scan);
	return r < 0 ? r : (ssize_t)scan.done;
}

static int64_t text_size(struct view *view)
{
	return all_size(view, false);
}

static ssize_t text_read(struct view *view, int64_t offset, char *data, size_t size)
{
	return all_read(view, false, offset, data, size);
}

static int64_t json_size(struct view *view)
{
	return all_size(view, true);
}

static ssize_t json_read(struct view *view, int64_t offset, char *data, size_t size)
{
	return all_read(view, true, offset, data, size);
}

static int64_t activity_size(struct view *view)
{
	return reader_size(view, view->id, false);
}

static ssize_t activity_read(struct view *view, int64_t offset, char *data, size_t size)
{
	return reader_read(view, view->id, false, offset, data, size);
}

static int64_t activity_json_size(struct view *view)
{
	return reader_size(view, view->id, true);
}

static ssize_t activity_json_read(struct view *view, int64_t offset, char *data, size_t size)
{
	return reader_read(view, view->id, true, offset, data, size);
}

static bool never_ends(struct view *view)
{
	return false;
}

static int stamp_one(void *userdata, const struct event *event)
{
	*(int64_t *)userdata = event->time_ms;
	return 1;
}

int64_t events_stamp(struct view *view)
{
	int64_t stamp = 0;

	event_each(view->engine, event_last(view->engine) - 1, 0, stamp_one, &stamp);
	return stamp;
}

const struct stream events_stream = { text_size, text_read, never_ends };
const struct stream events_json_stream = { json_size, json_read, never_ends };
const struct stream activity_stream = { activity_size, activity_read, never_ends };
const struct stream activity_json_stream = { activity_json_size, activity_json_read, never_ends };
