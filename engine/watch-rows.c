/* SPDX-License-Identifier: MIT */
/* What a process that watches is told, and what it tells. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/detect-given.h"
#include "engine/detect-internal.h"
#include "engine/drift.h"
#include "engine/event.h"
#include "engine/resource-secret.h"
#include "engine/watch-internal.h"

enum {
	UNDER_WAY = 100,	/* resources that it was asked for */
	PART_BYTES = 256 << 10, /* of a frame, about */
	BATCH = 500,		/* ids that are read at once */
	WHY_MAX = 500,		/* bytes of a sentence of its */
	CHANGED_MAX = 500,	/* resources of a frame */
	WANTED_MAX = 10000,	/* that wait to be looked at; with more, all of the stack's are */
	BY_MAX = 4096,		/* bytes that say who it was */
	WHY_SECONDS = 60,	/* between two events that say why something is polled */
};

/* What it is told. */

void watcher_forget(struct watcher *watcher, int64_t stack_id, int64_t resource_id)
{
	struct watched *stack;
	char text[24];

	detect_id_text(resource_id, text);
	TAILQ_FOREACH (stack, &watcher->stacks, stacks) {
		json_object_del(stack->wanted, text);
		json_object_del(stack->held, text);
	}
	if (resource_id)
		json_object_del(watcher->asked, text);
	if (watcher->running)
		watcher_send(watcher, json_pack("{s:s, s:I, s:I}", "op", "forget", "stack",
					      (json_int_t)stack_id, "id", (json_int_t)resource_id));
}

/* All of a stack's resources are wanted: the next of them. */
static void read_ids(struct watched *stack)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(stack->by->of->engine->store, SQL_RESOURCE_AFTER, "iii", stack->id,
		stack->after, (int64_t)BATCH);
	int count = 0;

	while (query_step(query) > 0) {
		stack->after = query_int(query, 0);
		watched_want(stack, stack->after, NULL);
		count++;
	}
	stack->all = count == BATCH;
}

struct part {
	struct watcher *watcher;
	json_t *rows;
	size_t size;
};

/* A resource that the owner's process may not be told of, or whose run is at work, is passed over. */
static int add_resource(struct part *part, struct watched *stack, const struct resource *resource, json_t *by)
{
	struct watcher *watcher = part->watcher;
	const struct stack owned = { .uid = watcher->uid };
	struct caller owner = { .uid = watcher->uid, .gid = (gid_t)-1, .groups_known = true };
	struct fault fault = { 0 };
	char text[24];
	json_t *row, *given;

	detect_id_text(resource->id, text);
	if (!resource_is_trusted(resource, &owned)) {
		watcher_forget(watcher, 0, resource->id);
		return 0;
	}
	if (!strcmp(resource->status, "pending") && resource->run_id &&
		watched_has_run(stack, resource->run_id)) {
		return json_object_set(stack->held, text, by) < 0 ? -ENOMEM : 0;
	}
	row = detect_row_json(resource);
	if (!row)
		return 0;
	/* What can't be opened for the owner is found unknown by who looks for drift. */
	if (resource_is_secret(resource) &&
		resource_secret_fill(watcher->of->engine, resource, watcher->uid, row, &fault) < 0) {
		json_decref(row);
		watcher_forget(watcher, 0, resource->id);
		return 0;
	}
	given = detect_given(watcher->of->engine, &owner, resource);
	if (given)
		json_object_set_new(row, "given", given);
	json_object_set_new(row, "stack", json_integer(stack->id));
	json_object_set_new(watcher->asked, text,
		json_pack("{s:I, s:I, s:O, s:b}", "stack", (json_int_t)stack->id, "read_ms",
			(json_int_t)time_now_ms(), "by", by, "again", 0));
	part->size += strlen(resource->desired) + strlen(resource->applied);
	return json_array_append_new(part->rows, row) < 0 ? -ENOMEM : 0;
}

static int add_row(struct part *part, struct watched *stack, int64_t id, json_t *by)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	int r = resource_get(part->watcher->of->engine, id, &resource);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return resource.stack_id == stack->id ? add_resource(part, stack, &resource, by) : 0;
}

/* 1: there was one; 0: there is none. One that is under way is asked for again when it has been told of. */
static int add_next(struct part *part, struct watched *stack)
{
	void *first = json_object_iter(stack->wanted);
	CLEANUP(cleanup_free) char *key = first ? strdup(json_object_iter_key(first)) : NULL;
	json_auto_t *by = first ? json_incref(json_object_iter_value(first)) : NULL;
	json_t *asked;
	int r = 0;

	if (!first || !key)
		return first ? -ENOMEM : 0;
	json_object_del(stack->wanted, key);
	asked = json_object_get(part->watcher->asked, key);
	if (asked)
		json_object_set_new(asked, "again", json_true());
	if (asked && !json_is_null(by))
		json_object_set(asked, "by", by);
	if (!asked)
		r = add_row(part, stack, strtoll(key, NULL, 10), by);
	return r < 0 ? r : 1;
}

static bool has_room(const struct part *part)
{
	return json_object_size(part->watcher->asked) < UNDER_WAY && part->size < PART_BYTES;
}

static int add_stack(struct part *part, struct watched *stack)
{
	int r = 1;

	while (r > 0 && has_room(part) && watched_may_look(stack)) {
		if (stack->all && json_object_size(stack->wanted) == 0)
			read_ids(stack);
		r = add_next(part, stack);
	}
	return r < 0 ? r : 0;
}

static bool has_work(const struct watcher *watcher)
{
	struct watched *stack;

	TAILQ_FOREACH (stack, &watcher->stacks, stacks)
		if ((stack->all || json_object_size(stack->wanted) || json_object_size(stack->held)) &&
			watched_may_look(stack))
			return true;
	return false;
}

void watcher_pump(struct watcher *watcher)
{
	struct part part = { .watcher = watcher };
	uint64_t failures = memory_failures();
	struct watched *stack;
	int r = 0;

	if (!has_work(watcher) || json_object_size(watcher->asked) >= UNDER_WAY || !watcher_ready(watcher))
		return;
	part.rows = json_array();
	TAILQ_FOREACH (stack, &watcher->stacks, stacks)
		if (r == 0)
			r = add_stack(&part, stack);
	if (r == 0 && failures != memory_failures())
		r = -ENOMEM;
	if (r == 0 && json_array_size(part.rows))
		r = watcher_send(watcher,
			json_pack("{s:s, s:O, s:b}", "op", "resources", "resources", part.rows, "last", 0));
	json_decref(part.rows);
	if (r < 0)
		watcher_give_up(watcher, strerror(-r));
}

/* What it tells. It is its owner's process, and may say what it likes: of his own resources. */

static struct watched *stack_of(struct watcher *watcher, int64_t stack_id)
{
	struct watched *stack;

	TAILQ_FOREACH (stack, &watcher->stacks, stacks)
		if (stack->id == stack_id)
			return stack;
	return NULL;
}

static void want_all(struct watched *stack)
{
	stack->all = true;
	stack->after = 0;
}

/* Ids that there are none of wait, too, while a run is at work. */
static void want_one(struct watched *stack, int64_t id, json_t *by)
{
	bool is_known = json_is_object(by) && json_dumpb(by, NULL, 0, 0) <= BY_MAX;

	if (json_object_size(stack->wanted) >= WANTED_MAX) {
		json_object_clear(stack->wanted);
		want_all(stack);
	} else if (id > 0) {
		watched_want(stack, id, is_known ? by : NULL);
	}
}

int watcher_take_changed(struct watcher *watcher, const json_t *head)
{
	const json_t *rows = json_object_get(head, "resources");
	json_t *one;
	struct watched *stack;
	size_t i;

	if (json_array_size(rows) > CHANGED_MAX)
		return -EPROTO;
	if (json_is_true(json_object_get(head, "all")))
		TAILQ_FOREACH (stack, &watcher->stacks, stacks)
			want_all(stack);
	json_array_foreach (rows, i, one) {
		stack = stack_of(watcher, json_integer_value(json_object_get(one, "stack")));
		if (stack)
			want_one(stack, json_integer_value(json_object_get(one, "id")),
				json_object_get(one, "by"));
	}
	return 0;
}

/* Who changed it; NULL: nobody who is known, or we ourselves and what we run. */
static json_t *changer(const struct watcher *watcher, json_t *asked)
{
	json_t *by = json_object_get(asked, "by");
	json_int_t pid = json_integer_value(json_object_get(by, "pid"));
	const struct runner *runner;

	TAILQ_FOREACH (runner, &watcher->of->runners->list, runners)
		if (runner->pid == pid)
			return NULL;
	return pid == getpid() ? NULL : by;
}

/* A row that was asked for, once: into the list of its stack. */
static void sort_row(struct watcher *watcher, json_t *row, json_t *lists)
{
	int64_t id = json_integer_value(json_object_get(row, "id"));
	struct watched *stack;
	json_auto_t *asked = NULL;
	const char *state;
	char text[24];
	json_t *list;

	detect_id_text(id, text);
	asked = json_incref(json_object_get(watcher->asked, text));
	json_object_del(watcher->asked, text);
	stack = stack_of(watcher, json_integer_value(json_object_get(asked, "stack")));
	if (!stack)
		return;
	state = json_string_value(json_object_get(row, "state"));
	if (state && !strcmp(state, "unwatched"))
		return;
	/* What a run that has begun meanwhile is changing is no drift. */
	if (json_is_true(json_object_get(asked, "again")) ||
		(json_array_size(json_object_get(row, "findings")) && watched_has_run(stack, 0))) {
		watched_want(stack, id, json_object_get(asked, "by"));
		return;
	}
	json_object_set(row, "read_ms", json_object_get(asked, "read_ms"));
	json_object_del(row, "changed_by");
	json_object_set(row, "changed_by", changer(watcher, asked));
	detect_id_text(stack->id, text);
	list = json_object_get(lists, text);
	if (!list) {
		list = json_array();
		json_object_set_new(lists, text, list);
	}
	json_array_append(list, row);
}

int watcher_take_detected(struct watcher *watcher, const json_t *head)
{
	uint64_t failures = memory_failures();
	json_auto_t *lists = json_object();
	json_t *rows = json_object_get(head, "resources"), *row, *list;
	const char *stack_id;
	size_t i;
	int r = 0;

	json_array_foreach (rows, i, row)
		sort_row(watcher, row, lists);
	if (failures != memory_failures())
		return -ENOMEM;
	json_object_foreach (lists, stack_id, list)
		if (r == 0) {
			r = drift_take(watcher->of->engine, NULL, strtoll(stack_id, NULL, 10), list);
			r = r == -ENOENT ? 0 : r;
		}
	return r;
}

/* How stacks are watched. */

static int tell_why(struct watched *stack, const char *before, const char *why)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = stack->by->of->engine;
	struct stack row;
	int r;

	if (!*why || !strcmp(before, why) || ev_now(engine->loop) < stack->quiet_until ||
		stack_get(engine, stack->id, &row) < 0)
		return 0;
	stack->quiet_until = ev_now(engine->loop) + WHY_SECONDS;
	r = store_change_begin(engine->store, &change);
	if (r < 0)
		return r;
	r = event_add(engine, NULL, "drift.polled", row.id, row.name, 0,
		json_pack("{s:O, s:O, s:s}", "watched", json_object_get(stack->told, "watched"), "polled",
			json_object_get(stack->told, "polled"), "why", why));
	return r < 0 ? r : store_change_end(&change);
}

static int take_told(struct watched *stack, const json_t *one)
{
	json_auto_t *before = stack->told;
	const char *why = json_string_value(json_object_get(one, "why"));
	const char *why_before = json_string_value(json_object_get(before, "why"));

	stack->told =
		json_pack("{s:I, s:I, s:o}", "watched", json_integer_value(json_object_get(one, "watched")),
			"polled", json_integer_value(json_object_get(one, "polled")), "why",
			json_sprintf("%.*s", WHY_MAX, why ? why : ""));
	if (!stack->told)
		return -ENOMEM;
	if (json_equal(before, stack->told))
		return 0;
	engine_note(stack->by->of->engine, SUBJECT_STACK, stack->id, ASPECT_DRIFT);
	return tell_why(stack, why_before ? why_before : "", why ? why : "");
}

int watcher_take_watching(struct watcher *watcher, const json_t *head)
{
	json_t *one;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(head, "stacks"), i, one) {
		struct watched *stack = stack_of(watcher, json_integer_value(json_object_get(one, "stack")));

		if (r == 0 && stack)
			r = take_told(stack, one);
	}
	return r;
}

/* Showing. */

json_t *watch_json(struct engine *engine, int64_t stack_id, const struct drift_summary *summary)
{
	struct watched *stack = engine->watches ? watched_find(engine->watches, stack_id) : NULL;
	json_t *value = stack && stack->told ? json_copy(stack->told) : NULL;
	int64_t told = json_integer_value(json_object_get(value, "watched")) +
		       json_integer_value(json_object_get(value, "polled"));

	if (!value)
		return json_null();
	json_object_set_new(
		value, "unwatched", json_integer(summary->total > told ? summary->total - told : 0));
	return value;
}

void watch_show(struct engine *engine, int64_t stack_id, const struct drift_summary *summary, FILE *out)
{
	json_auto_t *value = watch_json(engine, stack_id, summary);
	const char *why = json_string_value(json_object_get(value, "why"));
	int64_t polled = json_integer_value(json_object_get(value, "polled"));

	if (json_is_null(value))
		return;
	fprintf(out, "Watching: %lld of %lld",
		(long long)(json_integer_value(json_object_get(value, "watched")) + polled),
		(long long)summary->total);
	if (polled)
		fprintf(out, ", %lld of them by looking now and then", (long long)polled);
	if (*why) {
		fputs(" (", out);
		text_write_safe(out, why);
		fputc(')', out);
	}
	fputc('\n', out);
}
